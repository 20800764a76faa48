/**
 * Which variables of a worker's own environment its steps get.
 *
 * A step's environment is built from nothing, so that it does not depend on who started the worker and holds no
 * credential. What is let through are the places of installed tools and the settings that make a network reachable:
 * without them `cargo`, `java` or a proxied `npm` would not work where they do by hand. The table below is all of
 * it. Whatever looks like a credential stays out even when it is in the table.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { maskedBytesMin } from "../../../protocol/credentials/encodings.ts";

type Row = {
  readonly names: readonly string[];
  readonly why: string;
};

/** The whole list. A `*` at the end of a name stands for any ending. */
export const passedVariables: readonly Row[] = [
  { names: ["PATH"], why: "where programs are found" },
  { names: ["TZ", "SHELL", "USER", "LOGNAME"], why: "what programs ask about the account that they run as" },
  { names: ["RUSTUP_HOME", "RUSTUP_TOOLCHAIN"], why: "Rust: where rustup keeps its toolchains" },
  { names: ["JAVA_HOME", "JAVA_*_HOME", "JDK_HOME"], why: "Java: where the JDK is" },
  { names: ["MAVEN_HOME", "M2_HOME", "GRADLE_HOME"], why: "Java: where the build tools are" },
  { names: ["GOROOT", "GOTOOLCHAIN"], why: "Go: where it is installed" },
  {
    names: ["GOPROXY", "GONOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GOINSECURE"],
    why: "Go: module mirrors",
  },
  { names: ["NVM_DIR", "NVM_BIN", "VOLTA_HOME", "FNM_DIR", "N_PREFIX"], why: "Node: version managers" },
  { names: ["npm_config_registry", "NPM_CONFIG_REGISTRY"], why: "Node: the registry of packages" },
  { names: ["npm_config_cafile", "NPM_CONFIG_CAFILE"], why: "Node: the registry's certificates" },
  {
    names: ["YARN_NPM_REGISTRY_SERVER", "COREPACK_NPM_REGISTRY"],
    why: "Node: the same for yarn and corepack",
  },
  { names: ["PYENV_ROOT", "CONDA_PREFIX", "UV_PYTHON_INSTALL_DIR"], why: "Python: version managers" },
  { names: ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_CERT"], why: "Python: mirrors" },
  { names: ["UV_INDEX_URL", "UV_DEFAULT_INDEX"], why: "Python: mirrors, for uv" },
  { names: ["RBENV_ROOT", "RUBY_ROOT", "GEM_HOME", "GEM_PATH"], why: "Ruby: where it and its gems are" },
  { names: ["BUNDLE_MIRROR__*"], why: "Ruby: mirrors" },
  {
    names: ["ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR", "SDKMAN_DIR"],
    why: "managers of many languages' versions",
  },
  { names: ["ANDROID_HOME", "ANDROID_SDK_ROOT", "DOTNET_ROOT"], why: "other kits: where they are" },
  { names: ["CARGO_REGISTRIES_*_INDEX", "CARGO_HTTP_CAINFO", "CARGO_HTTP_PROXY"], why: "Rust: mirrors" },
  {
    names: ["http_proxy", "https_proxy", "no_proxy", "all_proxy"],
    why: "the way to the network, where a step has one",
  },
  {
    names: ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"],
    why: "the way to the network, where a step has one",
  },
  {
    names: ["SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"],
    why: "whom to trust there",
  },
  { names: ["NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE"], why: "whom to trust there" },
  {
    names: ["LD_LIBRARY_PATH", "NIX_PATH", "NIX_PROFILES", "NIX_SSL_CERT_FILE"],
    why: "systems that are not in /usr",
  },
];

/** Tools that find their installation from HOME, which a step has another of: the variable that says where it is. */
const fromHome: readonly { readonly name: string; readonly folder: string }[] = [
  { name: "RUSTUP_HOME", folder: ".rustup" },
  { name: "PYENV_ROOT", folder: ".pyenv" },
  { name: "RBENV_ROOT", folder: ".rbenv" },
  { name: "NVM_DIR", folder: ".nvm" },
  { name: "SDKMAN_DIR", folder: ".sdkman" },
  { name: "ASDF_DATA_DIR", folder: ".asdf" },
  { name: "VOLTA_HOME", folder: ".volta" },
];

const credentialName =
  /TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|PRIVATE_KEY|API_?KEY|ACCESS_KEY|_KEY$|^KEY/i;
/** `scheme://name:password@host`, or `name:password@host` as proxies are sometimes given. */
const userInfo = /(^|[\s,|])([a-z][a-z0-9+.-]*:\/\/)?[^\s/@,|]+@[^\s/@]/i;
/** In what `userInfo` finds: the password, or the token that stands alone before the host. */
const passwordIn = /(?:^|[\s,|/])(?:[^\s/@,|:]*:)?([^\s/@,|:]+)@[^\s/@]/gi;

/**
 * Chooses from an environment what steps get.
 *
 * @param exists whether a folder is there; a parameter so that a test needs no home folder.
 */
export function choosePassVariables(
  environment: Readonly<Record<string, string | undefined>>,
  exists: (path: string) => boolean = existsSync,
): Record<string, string> {
  const chosen: Record<string, string> = {};
  for (const name of Object.keys(environment).sort()) {
    const value = environment[name];
    if (value === undefined || value === "" || !isListed(name) || looksLikeCredential(name, value)) continue;
    chosen[name] = value;
  }
  const home = environment["HOME"];
  if (home === undefined) return chosen;
  for (const { name, folder } of fromHome) {
    const path = join(home, folder);
    if (chosen[name] === undefined && exists(path)) chosen[name] = path;
  }
  return chosen;
}

/** True for what must not reach a step even when it is asked for by name in the table. */
export function looksLikeCredential(name: string, value: string): boolean {
  return credentialName.test(name) || userInfo.test(value);
}

/** Values that the worker's operator has steps get by name all the same: they are masked in all that others see. */
export function secretsAmong(variables: Readonly<Record<string, string>>): readonly Uint8Array[] {
  const secrets: Buffer[] = [];
  for (const [name, value] of Object.entries(variables)) {
    if (credentialName.test(name)) secrets.push(Buffer.from(value));
    for (const [, password = ""] of value.matchAll(passwordIn)) secrets.push(Buffer.from(password));
  }
  // `AUTH=no` is a setting.
  return secrets.filter(({ length }) => length >= maskedBytesMin);
}

const patterns = passedVariables.flatMap((row) =>
  row.names.map((name) => new RegExp(`^${name.replaceAll("*", "[A-Za-z0-9_]+")}$`)),
);

function isListed(name: string): boolean {
  return patterns.some((pattern) => pattern.test(name));
}
