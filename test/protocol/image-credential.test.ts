import { describe, expect, it } from "vitest";
import { credentialForImage } from "../../protocol/credentials/image-credential.ts";
import type { StepCredential } from "../../protocol/plan.ts";

const name = { registry: "registry.example.org" };
const of = (more: Partial<StepCredential>): StepCredential => ({
  name: "images",
  kind: "oci",
  to: "registry.example.org",
  ...more,
});

describe("an image is asked for with", () => {
  it.each([
    ["the credential for its registry", {}],
    ["one that says the scheme and the port", { to: "https://Registry.example.org:443/" }],
  ])("%s", (_, more) => {
    expect(credentialForImage([of({ kind: "http" }), of(more)], name)?.kind).toBe("oci");
  });

  it.each<[string, Partial<StepCredential>]>([
    ["for another host", { to: "registry.example.net" }],
    ["for a host that ends like it", { to: "example.org" }],
    ["for another port of it", { to: "registry.example.org:8443" }],
    ["for a part of it", { to: "registry.example.org/team" }],
    ["of another kind", { kind: "http", to: "https://registry.example.org" }],
    ["that is given to the step itself", { expose: "file" }],
  ])("none %s", (_, more) => {
    expect(credentialForImage([of(more)], name)).toBe(null);
  });
});
