/**
 * The attacker runs in a step that may have tokens of the domain used in its name, or has a control peer's broker, and wants a
 * token: to have, for somebody else, for longer, or for another plan. Whoever is shown one knows nothing but the public files.
 */

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, type JWTPayload } from "jose";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { encryptFor } from "../../node/edge/broker/sealing.ts";
import {
  encodeIssuer,
  type IssuerHeader,
  type IssuerKey,
  keysAfter,
  openIssuer,
  publicFiles,
  type StepClaims,
  subjectOf,
} from "../../protocol/credentials/issuer.ts";
import { plaintextOf } from "../../protocol/credentials/sealed-secret.ts";
import { sealDocument } from "../../protocol/documents.ts";
import { limits } from "../../protocol/limits.ts";
import { newIdentity } from "../node/peers.ts";
import { destinationOf, Mesh, raw, requestOf, Upstream } from "./brokered.ts";

const audience = "https://cloud.example.org";
let upstream: Upstream;
let mesh: Mesh;
/** A web server with the public files, and with nothing else. */
let site: Server;
let published: IssuerHeader;
/** What the verifying server saw. */
const shown: { readonly payload: JWTPayload | null; readonly why: string; readonly token: string }[] = [];

beforeAll(async () => {
  upstream = await Upstream.start();
  mesh = await Mesh.start();
  site = createServer((request, response) => {
    const file = publicFiles(published, mesh.wallMs ?? Date.now())[(request.url ?? "/").slice(1)];
    response.writeHead(file === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(file));
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
});
afterAll(async () => {
  site?.close();
  await mesh?.end();
  await upstream?.stop();
});
beforeEach(async () => {
  shown.length = 0;
  mesh.claims = claims;
  const made = await newKey();
  published = await issuing([made]);
  upstream.answering = (request, response) => void verify(request, response);
});
afterEach(() => mesh.reset());

const claims: StepClaims = {
  domain: "ops",
  pipeline: "shop",
  run: "run1",
  step: "deploy",
  attempt: 1,
  plan_digest: "f".repeat(64),
  trigger: "manual",
  submitter: "ada",
  environment: "production",
  artifacts: { site: `sha256:${"a".repeat(64)}` },
};

const issuer = (): string => `http://127.0.0.1:${(site.address() as AddressInfo).port}`;

/** A server of somebody else, which takes this domain's tokens: it finds the keys by the address of the issuer. */
async function verify(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const token = request.headers.authorization?.replace("Bearer ", "") ?? "";
  try {
    const found = await fetch(`${issuer()}/.well-known/openid-configuration`);
    const { jwks_uri: keys } = (await found.json()) as { jwks_uri: string };
    const options = { issuer: issuer(), audience, currentDate: new Date() };
    const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(keys)), options);
    const isIt =
      payload["plan_digest"] === "f".repeat(64) &&
      payload.sub === "domain:ops:pipeline:shop:environment:production";
    shown.push({ payload, why: isIt ? "" : "another plan", token });
    response.writeHead(isIt ? 200 : 403).end(isIt ? `deployed by ${token}\n` : "another plan\n");
  } catch (error) {
    shown.push({ payload: null, why: (error as { code?: string }).code ?? String(error), token });
    response.writeHead(401).end("no\n");
  }
}

type Made = { readonly public: IssuerKey; readonly private: Uint8Array };

async function newKey(kid = "k".repeat(43)): Promise<Made> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await exportJWK(privateKey);
  const { x = "", y = "" } = jwk;
  return { public: { kid, x, y, untilMs: null }, private: Buffer.from(JSON.stringify(jwk)) };
}

/** Has the domain sign by the first key. */
async function issuing(
  [first]: readonly [Made],
  keys = [first.public],
  by = mesh.peers.owner,
): Promise<IssuerHeader> {
  const recipients = [{ peer: mesh.control.id, recipient: await mesh.vault.recipient() }];
  const header: IssuerHeader = { otto: "issuer/1", issuer: issuer(), keys: [...keys], recipients };
  const encoded = encodeIssuer(header);
  const sealed = await encryptFor(recipients, plaintextOf(encoded, first.private));
  const document = {
    otto: "document/1",
    topic: "issuer",
    name: "issuer",
    version: 1,
    timeMs: Date.now(),
    body: { header: encoded, sealed },
  } as const;
  mesh.issuer = sealDocument(document, mesh.peers.charter.domain, { keys: by, certificate: null });
  return header;
}

/** The step of a plan that asks for a token, and what its broker answers to a request of it. */
async function step(to = audience): Promise<() => Promise<string>> {
  const told = await mesh.gives(destinationOf(upstream), { kind: "oidc", to, audience });
  expect(JSON.stringify(told)).not.toMatch(/eyJ/u);
  const url = told["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
  return () => raw(url, requestOf(url, "POST /deploy", ["content-length: 2"], "v1"));
}

describe("a token of the domain", () => {
  it("is used for the step, says what the step is, and is verified by the public files alone; the step never has it", async () => {
    const answer = await (await step())();
    expect(answer).toMatch(/^HTTP\/1\.1 200/u);
    const [seen] = shown;
    expect(seen?.payload).toMatchObject({ ...claims, aud: audience, iss: issuer() });
    expect((seen?.payload?.exp ?? 0) - (seen?.payload?.iat ?? 0)).toBe(300);
    // The server says it back: it is masked on its way.
    expect(answer).toMatch(/deployed by \*+/u);
    expect(answer).not.toContain(seen?.token.slice(0, 40));
  });

  it("is refused by whoever it is not for, after minutes, and for another plan", async () => {
    const ask = await step();
    mesh.wallMs = Date.now() - limits.tokenMs - 60_000;
    expect(await ask()).toMatch(/^HTTP\/1\.1 401/u);
    mesh.wallMs = null;
    mesh.claims = { ...claims, plan_digest: "e".repeat(64) };
    expect(await ask()).toMatch(/^HTTP\/1\.1 403/u);
    const other = await mesh.gives(destinationOf(upstream), { kind: "oidc", to: "other", audience: "other" });
    const url = other["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
    mesh.claims = claims;
    expect(await raw(url, requestOf(url, "GET /"))).toMatch(/^HTTP\/1\.1 401/u);
    expect(shown.map(({ why }) => why)).toEqual([
      "ERR_JWT_EXPIRED",
      "another plan",
      "ERR_JWT_CLAIM_VALIDATION_FAILED",
    ]);
  });

  it("is made for no audience but that of the secret, whatever the plan asks for", async () => {
    const answer = await (await step("https://evil.example.org"))();
    expect(answer).toContain(
      `The secret token is for the audience ${audience}, and the plan asks for https://evil.example.org.`,
    );
    expect(shown).toEqual([]);
  });

  it("is not made, and one that is there is not used, once the gate is closed again or the lease has passed on", async () => {
    const ask = await step();
    expect(await ask()).toMatch(/^HTTP\/1\.1 200/u);
    mesh.unpermitted = "the time window is over";
    const closed = await ask();
    mesh.unpermitted = null;
    if (mesh.leased !== null) mesh.leased = { ...mesh.leased, token: 10 };
    const passed = await ask();
    expect(closed + passed).not.toMatch(/HTTP\/1\.1 200/u);
    expect(closed).toContain("the step may use it no more");
    expect(shown).toHaveLength(1);
  });

  it("is not made by a key that somebody else than the owner has set", async () => {
    await issuing([await newKey()], undefined, newIdentity());
    expect(await (await step())()).toContain("the domain makes no tokens");
    expect(shown).toEqual([]);
  });

  it("is made anew before it ends, and used again until then", async () => {
    const ask = await step();
    const nowMs = Date.now();
    mesh.wallMs = nowMs;
    await ask();
    await ask();
    mesh.wallMs = nowMs + limits.tokenMs / 2 + 1_000;
    await ask();
    const tokens = shown.map(({ token }) => token);
    expect(tokens[0]).toBe(tokens[1]);
    expect(tokens[2]).not.toBe(tokens[0]);
  });
});

describe("a token that another service gives another one for", () => {
  it("is exchanged on the control peer where the secret says so, and then only the other one is sent; neither comes back", async () => {
    const seen: string[] = [];
    let own = "";
    upstream.answering = (request, response, body) => {
      seen.push(`${request.url} ${request.headers.authorization ?? ""}`);
      if (request.url !== "/exchange")
        return void response.end(`by ${request.headers.authorization} for ${own}\n`);
      const form = new URLSearchParams(body.toString());
      const keys = createRemoteJWKSet(new URL(`${issuer()}/jwks.json`));
      own = form.get("subject_token") ?? "";
      jwtVerify(own, keys, { issuer: issuer(), audience }).then(
        () => response.end(JSON.stringify({ access_token: "exchanged-4711-token", expires_in: 300 })),
        () => response.writeHead(401).end("{}"),
      );
    };
    const exchange = `https://localhost:${upstream.port}/exchange`;
    const told = await mesh.gives(destinationOf(upstream), {
      kind: "oidc",
      to: audience,
      audience,
      exchange,
    });
    const url = told["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
    for (const answer of [await raw(url, requestOf(url, "GET /a")), await raw(url, requestOf(url, "GET /b"))])
      expect(answer).toMatch(/by Bearer \*{20,} for \*{100,}\n/u);
    expect(seen).toEqual(["/exchange ", "/a Bearer exchanged-4711-token", "/b Bearer exchanged-4711-token"]);
  });

  it("is not sent when no other one was given for it, nor exchanged in a network that the secret does not name", async () => {
    upstream.answering = (_request, response) => void response.writeHead(400).end("{}");
    const exchange = `https://localhost:${upstream.port}/exchange`;
    const asks = async (more: Parameters<typeof destinationOf>[1]): Promise<string> => {
      const told = await mesh.gives(destinationOf(upstream, more), {
        kind: "oidc",
        to: audience,
        audience,
        exchange,
      });
      const url = told["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
      return raw(url, requestOf(url, "GET /a"));
    };
    upstream.seen.length = 0;
    expect(await asks({ networks: [] })).toContain("which is in no network that the secret names");
    expect(upstream.seen).toEqual([]);
    expect(await asks({})).toContain("its token was exchanged for none (400)");
    expect(upstream.seen.map(({ url }) => url)).toEqual(["/exchange"]);
  });
});

describe("a broker that was taken over", () => {
  it.each([
    ["for longer than minutes", { exp: 301 }],
    ["of another issuer", { iss: "https://evil.example.org" }],
    ["for no audience", { aud: "" }],
    ["for several audiences", { aud: ["a", "b"] }],
    ["whose subject is another than its step", { sub: "domain:ops:pipeline:shop:environment:staging" }],
    ["that was good before it was made", { nbf: -1 }],
  ])("has no token signed %s", async (_, changed: Readonly<Record<string, unknown>>) => {
    const opened = openIssuer(mesh.issuer ?? new Uint8Array(), mesh.peers.charter, newIdentity());
    if (opened === null) throw new Error("no issuer");
    const iat = Math.floor(Date.now() / 1_000);
    const times = { iat, nbf: iat, exp: iat + 300, jti: "1" };
    const own = { ...claims, iss: issuer(), sub: subjectOf(claims), aud: audience, ...times };
    const sealed = { header: opened.header, body: opened.sealed };
    expect(await mesh.vault.mint({ ...sealed, claims: own })).toHaveProperty("token");
    const asked = Object.entries(changed).map(([name, value]) => [
      name,
      typeof value === "number" ? iat + value : value,
    ]);
    const other = { ...own, ...(Object.fromEntries(asked) as Partial<typeof own>) };
    expect(await mesh.vault.mint({ ...sealed, claims: other })).toEqual({
      why: "it is no token of this domain, or for too long",
    });
  });

  it("does not get the key itself, as if it were a secret", async () => {
    const opened = openIssuer(mesh.issuer ?? new Uint8Array(), mesh.peers.charter, newIdentity());
    if (opened === null) throw new Error("no issuer");
    const asked = {
      header: opened.header,
      body: opened.sealed,
      origin: `https://localhost:${upstream.port}`,
    };
    expect(await mesh.vault.open(asked)).toEqual({ why: "its header is none" });
  });
});

describe("a key that another one has taken over from", () => {
  it("is published while its tokens count and others may know the older list, and no longer", async () => {
    const former = await newKey();
    const next = await newKey("n".repeat(43));
    const nowMs = Date.now();
    const ask = await step();
    published = await issuing([former]);
    await ask();
    published = await issuing([next], keysAfter(published, next.public, nowMs));
    expect(published.keys.map(({ kid }) => kid)).toEqual([next.public.kid, former.public.kid]);
    // One that was made before counts, as does a new one.
    expect(shown[0]?.why).toBe("");
    const options = { issuer: issuer(), audience };
    const keys = createRemoteJWKSet(new URL(`${issuer()}/jwks.json`));
    await expect(jwtVerify(shown[0]?.token ?? "", keys, options)).resolves.toBeDefined();
    const kids = (atMs: number): number =>
      (publicFiles(published, atMs)["jwks.json"] as { keys: unknown[] }).keys.length;
    const untilMs = nowMs + limits.tokenMs + limits.issuerKeysCachedMs;
    expect([kids(untilMs - 1), kids(untilMs)]).toEqual([2, 1]);
    expect(keysAfter(published, (await newKey("x".repeat(43))).public, untilMs)).toHaveLength(2);
  });
});

describe("what comes by a pull request", () => {
  it("has a subject of its own, whatever environment it names", () => {
    expect(subjectOf({ ...claims, trigger: "pull-request" })).toBe("domain:ops:pipeline:shop:pull-request");
    const { environment: _, ...rest } = claims;
    expect(subjectOf({ ...rest, ref: "refs/heads/main" })).toBe(
      "domain:ops:pipeline:shop:ref:refs/heads/main",
    );
  });
});
