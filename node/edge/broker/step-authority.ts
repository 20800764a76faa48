/**
 * The authority of one step: signs for the hosts that its credentials are for, and for no other, so that a client that goes to
 * such a host by TLS can be answered on this machine. Its key never leaves this process, and is forgotten with the attempt.
 */

import { webcrypto } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { limits } from "../../../protocol/limits.ts";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
/** Where systems keep whom they trust. */
const usualBundles = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/cert.pem",
];

export type StepAuthority = {
  /** Whom this machine trusts, and the step's own authority besides, in PEM. */
  readonly bundle: string;
  /** For TLS as one of the hosts; null: it is none of them. */
  contextOf(host: string): SecureContext | null;
};

/** @param trusted the file that this machine's own variables name, if any. */
export async function makeAuthority(hosts: readonly string[], trusted?: string): Promise<StepAuthority> {
  await import("reflect-metadata");
  const x509 = await import("@peculiar/x509");
  const { subtle } = webcrypto;
  const span = {
    notBefore: new Date(Date.now() - limits.minuteMs),
    notAfter: new Date(Date.now() + limits.timeoutMsMax),
  };
  const newKeys = (): Promise<webcrypto.CryptoKeyPair> =>
    subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const keys = await newKeys();
  const name = "CN=Otto authority of one step";
  const { KeyUsageFlags } = x509;
  const own = await x509.X509CertificateGenerator.createSelfSigned({
    ...span,
    name,
    keys,
    signingAlgorithm: algorithm,
    serialNumber: "01",
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const contexts = new Map<string, SecureContext>();
  for (const [index, host] of [...new Set(hosts)].entries()) {
    const bare = host.replace(/^\[|\]$/gu, "");
    const ofHost = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      ...span,
      subject: "CN=Otto broker of one step",
      issuer: name,
      publicKey: ofHost.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      serialNumber: (index + 2).toString(16).padStart(2, "0"),
      extensions: [
        new x509.SubjectAlternativeNameExtension([{ type: isIP(bare) > 0 ? "ip" : "dns", value: bare }]),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const der = Buffer.from(await subtle.exportKey("pkcs8", ofHost.privateKey)).toString("base64");
    const key = `-----BEGIN PRIVATE KEY-----\n${der}\n-----END PRIVATE KEY-----\n`;
    contexts.set(host, createSecureContext({ key, cert: certificate.toString("pem") }));
  }
  const bundle = `${trustedHere(trusted)}\n${own.toString("pem")}\n`;
  return { bundle, contextOf: (host) => contexts.get(host) ?? null };
}

function trustedHere(named: string | undefined): string {
  const file = [...(named === undefined ? [] : [named]), ...usualBundles].find((path) => existsSync(path));
  return file === undefined ? rootCertificates.join("\n") : readFileSync(file, "utf8");
}
