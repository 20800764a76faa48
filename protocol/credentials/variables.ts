/**
 * What a step is told of its credentials: where their brokers listen, in the variables that the usual clients read, and a
 * placeholder for clients that insist on a token. No value is in any of it.
 */

import { Buffer } from "node:buffer";
import type { StepCredential } from "../plan.ts";
import { sha256Hex } from "../values.ts";
import { placeholderPrefix } from "./judge.ts";
import { placeOf } from "./place.ts";

/** The attempt that a placeholder is for. */
export type AttemptOfStep = { readonly run: string; readonly index: number; readonly attempt: number };

/** Known to whoever knows the attempt: it opens nothing, and stands out where it does not belong. */
export function placeholderOf({ run, index, attempt }: AttemptOfStep, name: string): string {
  return placeholderPrefix + sha256Hex(Buffer.from(`${run} ${index} ${attempt} ${name}`)).slice(0, 32);
}

export type Told = {
  readonly variables: Readonly<Record<string, string>>;
  /** Files in a folder of the step's own, by their names; a variable names each by `FOLDER/`. */
  readonly files: Readonly<Record<string, string>>;
};

export type Listening = {
  readonly credential: StepCredential;
  /** `127.0.0.1:40123` */
  readonly authority: string;
  readonly placeholder: string;
};

/** A proxy that ends TLS for the hosts of the credentials, and whom to trust for that, in PEM. */
export type ProxyListening = { readonly authority: string; readonly bundle: string };

/** What clients read of whom they may trust; each knows another one of these. */
const trustVariables = [
  "SSL_CERT_FILE",
  "CURL_CA_BUNDLE",
  "GIT_SSL_CAINFO",
  "REQUESTS_CA_BUNDLE",
  "PIP_CERT",
  "NODE_EXTRA_CA_CERTS",
  "npm_config_cafile",
  "CARGO_HTTP_CAINFO",
];

/** @param folder where the files will be. */
export function toldOf(
  listening: readonly Listening[],
  folder: string,
  proxy: ProxyListening | null = null,
): Told {
  const variables: Record<string, string> = {};
  const files: Record<string, string> = {};
  if (proxy !== null) {
    files["authorities.pem"] = proxy.bundle;
    for (const name of trustVariables) variables[name] = `${folder}/authorities.pem`;
    variables["OTTO_CREDENTIAL_PROXY"] = `http://${proxy.authority}`;
  }
  const git: [string, string][] = [];
  for (const { credential, authority, placeholder } of listening) {
    const { name, kind, to } = credential;
    // An audience is a name, and no address.
    const base = `http://${authority}${kind === "oidc" ? "" : (placeOf(to)?.prefix ?? "")}`;
    const own = variableOf(name);
    variables[`${own}_URL`] = base;
    variables[own] = placeholder;
    switch (kind) {
      case "git":
        git.push([`url.${base}/.insteadOf`, `${to.replace(/\/$/u, "")}/`]);
        break;
      case "npm":
        files["npmrc"] =
          `${files["npmrc"] ?? ""}//${base.slice("http://".length)}/:_authToken=${placeholder}\n`;
        variables["npm_config_userconfig"] = `${folder}/npmrc`;
        variables["npm_config_registry"] = `${base}/`;
        // Archives are named by the address of the registry itself.
        variables["npm_config_replace_registry_host"] = "always";
        break;
      case "pip":
        for (const index of ["PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX"])
          variables[index] = `${base}/`;
        break;
      case "oci":
        variables[`${own}_REGISTRY`] = authority;
        break;
      case "http":
      case "ssh":
      case "oidc":
        break;
    }
  }
  if (git.length > 0) variables["GIT_CONFIG_COUNT"] = String(git.length);
  for (const [at, [key, value]] of git.entries()) {
    variables[`GIT_CONFIG_KEY_${at}`] = key;
    variables[`GIT_CONFIG_VALUE_${at}`] = value;
  }
  return { variables, files };
}

/** `OTTO_CREDENTIAL_HEROKU` for the credential `heroku`. */
export function variableOf(name: string): string {
  return `OTTO_CREDENTIAL_${name.toUpperCase().replaceAll(/[.-]/gu, "_")}`;
}
