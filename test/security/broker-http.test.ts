/** The attacker is a step that may use a credential at one host, and wants to have it, or to use it elsewhere. */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { placeholderPrefix } from "../../protocol/credentials/judge.ts";
import { canary, destinationOf, Mesh, raw, requestOf, Upstream } from "./brokered.ts";

const run = promisify(execFile);
let upstream: Upstream;
let mesh: Mesh;

beforeAll(async () => {
  upstream = await Upstream.start();
  mesh = await Mesh.start();
});
afterAll(async () => {
  await mesh?.end();
  await upstream?.stop();
});
beforeEach(() => {
  upstream.seen.length = 0;
  upstream.answering = (_request, response) => void response.end("hello\n");
});
afterEach(() => mesh.reset());

async function url(...given: Parameters<Mesh["gives"]>): Promise<string> {
  return (await mesh.gives(...given))["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
}

const ask = (base: string, line: string, headers: readonly string[] = [], body = ""): Promise<string> =>
  raw(base, requestOf(base, line, headers, body));

/** All ways in which a step could be shown the secret. */
function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret);
  const base64 = [0, 1, 2].map((offset) => {
    const text = Buffer.concat([Buffer.alloc(offset, "x"), bytes, Buffer.alloc(3, "y")]).toString("base64");
    return text.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
  return [
    secret,
    bytes.toString("hex"),
    bytes.toString("hex").toUpperCase(),
    Buffer.from(secret).reverse().toString(),
    ...base64,
  ];
}

it("uses a credential that it never sees, with curl", async () => {
  const base = await url(destinationOf(upstream));
  const { stdout } = await run("curl", ["-sS", "--data", "version=2", `${base}/apps?x=1`]);
  expect(stdout).toBe("hello\n");
  expect(upstream.seen).toMatchObject([
    { method: "POST", url: "/apps?x=1", body: "version=2", headers: { authorization: `Bearer ${canary}` } },
  ]);
  expect(mesh.uses).toMatchObject([
    {
      what: "used",
      secret: "token",
      run: mesh.leased?.run,
      step: "deploy",
      method: "POST",
      template: "/**",
      status: 200,
      sentBytes: 9,
    },
  ]);
});

it("has a placeholder taken for the credential where it belongs, and only there", async () => {
  const told = await mesh.gives(destinationOf(upstream));
  const base = told["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
  const placeholder = told["OTTO_CREDENTIAL_TOKEN"] ?? "";
  expect(placeholder.startsWith(placeholderPrefix)).toBe(true);
  expect(await ask(base, "GET /", [`authorization: Bearer ${placeholder}`])).toContain("200 OK");
  expect(upstream.seen[0]?.headers.authorization).toBe(`Bearer ${canary}`);
  const length = `content-length: ${placeholder.length}`;
  for (const answer of [
    await ask(base, "GET /", [`x-key: ${placeholder}`]),
    await ask(base, `GET /?key=${placeholder}`),
    await ask(base, `GET /${placeholder}`),
    await ask(base, "POST /", [length], placeholder),
  ])
    expect(answer).toMatch(/^HTTP\/1.1 403 .*placeholder of a credential/su);
  expect(mesh.uses.filter(({ template }) => template === "misplaced")).toHaveLength(4);
  expect(upstream.seen.slice(1).every(({ body }) => !body.includes(placeholder))).toBe(true);
});

it("finds no placeholder in a body however it is cut into pieces", async () => {
  const told = await mesh.gives(destinationOf(upstream));
  const base = told["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
  const pieces = (told["OTTO_CREDENTIAL_TOKEN"] ?? "")
    .split("")
    .map((letter) => `1\r\n${letter}\r\n`)
    .join("");
  const answer = await ask(base, "POST /", ["transfer-encoding: chunked"], `${pieces}0\r\n\r\n`);
  expect(answer).toContain("403 Forbidden");
});

describe("path and host tricks", () => {
  const paths = [
    "/apps/../admin",
    "/apps/%2e%2e/admin",
    "/apps/.%2E/admin",
    "/apps/%2fadmin",
    "/apps//admin",
    "/apps/\\..\\admin",
    "/apps/%5c..%5cadmin",
    "/apps/;/admin",
    "/apps/%00",
    "/apps/%0d%0ax-evil:1",
    "/apps/%252e%252e/admin",
    "/apps/%c0%ae%c0%ae/admin",
    "/apps/%zz",
    "/apps/./x",
    "/apps#/admin",
    "/appsx",
    "/admin",
    "/",
    "*",
  ];
  it.each(paths)("does not get a credential to %s", async (path) => {
    const base = await url(destinationOf(upstream, { paths: ["/apps/**"] }));
    expect(await ask(base, `GET ${path}`)).toMatch(/^HTTP\/1.1 40[03] /u);
    expect(upstream.seen).toEqual([]);
  });

  it("does not get it for a path outside of what the plan names, though the secret would allow it", async () => {
    const base = await url(destinationOf(upstream), { to: `https://localhost:${upstream.port}/acme` });
    expect(base).toMatch(/\/acme$/u);
    expect(await ask(base, "GET /acme/x")).toContain("200 OK");
    expect(await ask(base, "GET /acme-evil/x")).toContain("403 Forbidden");
  });

  it("does not get it to another host, by target or by header", async () => {
    const base = await url(destinationOf(upstream));
    const { host } = new URL(base);
    const evil = "evil.example.org";
    expect(await ask(base, `GET http://${evil}/`)).toContain("403 Forbidden");
    expect(await ask(base, `GET //${evil}/`)).toContain("403 Forbidden");
    expect(await ask(base, `GET @${evil}/`)).toMatch(/40[03]/u);
    expect(await raw(base, `GET / HTTP/1.1\r\nhost: ${evil}\r\nconnection: close\r\n\r\n`)).toContain(
      "403 Forbidden",
    );
    expect(
      await raw(base, `GET / HTTP/1.1\r\nhost: ${host}\r\nhost: ${evil}\r\nconnection: close\r\n\r\n`),
    ).toMatch(/40[03]/u);
    expect(await raw(base, `CONNECT ${evil}:443 HTTP/1.1\r\nhost: ${evil}:443\r\n\r\n`)).not.toContain("200");
    expect(upstream.seen).toEqual([]);
    expect(await ask(base, `GET http://${host}/here`)).toContain("200 OK");
    expect(upstream.seen).toMatchObject([{ url: "/here", headers: { host: `localhost:${upstream.port}` } }]);
  });

  it("does not have another method or path served by a header that some servers obey", async () => {
    const base = await url(destinationOf(upstream, { methods: ["GET"] }));
    expect(await ask(base, "DELETE /")).toContain("403 Forbidden");
    for (const header of [
      "x-http-method-override: DELETE",
      "X-Original-URL: /admin",
      "x-rewrite-url: /admin",
    ])
      expect(await ask(base, "GET /", [header])).toContain("403 Forbidden");
    expect(upstream.seen).toEqual([]);
  });
});

describe("smuggling", () => {
  const smuggled = "GET /admin HTTP/1.1\r\nhost: x\r\n\r\n";
  const heads: readonly (readonly [string, readonly string[]])[] = [
    ["its length in two ways", [`content-length: ${smuggled.length + 5}`, "transfer-encoding: chunked"]],
    ["its length twice", ["content-length: 0", `content-length: ${smuggled.length}`]],
    ["a length that is no number", ["content-length: +0"]],
    ["a coding that is nearly chunked", ["transfer-encoding: xchunked"]],
    ["two codings", ["transfer-encoding: gzip, chunked"]],
    ["a header behind a bare line feed", ["x: a\nx-evil: 1"]],
    ["a space before the colon", ["content-length : 5"]],
  ];
  it.each(heads)("does not get a second request through by saying %s", async (_what, headers) => {
    const base = await url(destinationOf(upstream));
    const answer = await ask(base, "POST /", headers, `0\r\n\r\n${smuggled}`);
    expect(answer).toMatch(/^HTTP\/1.1 40[03] /u);
    expect(answer.match(/HTTP\/1.1 /gu)).toHaveLength(1);
    expect(upstream.seen).toEqual([]);
  });

  it("does not keep what the client says is for one hop from being judged", async () => {
    const base = await url(destinationOf(upstream));
    await ask(base, "GET /", ["connection: authorization, x-tenant", "x-tenant: 1", "authorization: mine"]);
    expect(upstream.seen[0]?.headers).toMatchObject({ authorization: `Bearer ${canary}` });
    expect(upstream.seen[0]?.headers["x-tenant"]).toBeUndefined();
  });
});

describe("what comes back", () => {
  it("does not have the secret, in whatever of these ways the host reflects it", async () => {
    const base = await url(destinationOf(upstream));
    for (const form of formsOf(canary)) {
      upstream.answering = (_request, response) => {
        response.setHeader("x-reflected", form);
        response.write(`before ${form.slice(0, 7)}`);
        setImmediate(() => response.end(`${form.slice(7)} after`));
      };
      const answer = await ask(base, "GET /");
      expect(answer).toContain("200 OK");
      expect(answer).toContain("before ");
      expect(answer).toContain(" after");
      for (const leaked of formsOf(canary)) expect(answer.toLowerCase()).not.toContain(leaked.toLowerCase());
    }
  });

  it("does not have it when the host compresses what it reflects", async () => {
    upstream.answering = (request, response) => {
      response.setHeader("content-encoding", "gzip");
      response.end(gzipSync(`you said ${request.headers.authorization}`));
    };
    const answer = await ask(await url(destinationOf(upstream)), "GET /", ["accept-encoding: gzip"]);
    expect(answer).toMatch(/you said Bearer (\r\n17\r\n)?\*{23}/u);
    upstream.answering = (_request, response) => {
      response.setHeader("content-encoding", "zstd");
      response.end(canary);
    };
    expect(await ask(await url(destinationOf(upstream)), "GET /")).toMatch(/^HTTP\/1.1 502/u);
  });

  it("does not have it, nor what is made of it, where it goes as a password", async () => {
    upstream.answering = (request, response) => void response.end(request.headers.authorization);
    const slot = { header: "authorization", before: "Basic ", user: "deployer" };
    const answer = await ask(await url(destinationOf(upstream, { slot })), "GET /");
    expect(upstream.seen[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from(`deployer:${canary}`).toString("base64")}`,
    );
    expect(answer).toContain("Basic ***");
    expect(answer).not.toContain(Buffer.from(`deployer:${canary}`).toString("base64").slice(4, 20));
  });
});

describe("redirects", () => {
  it("does not take the credential to another host", async () => {
    const evil = await Upstream.start({ tls: false });
    try {
      upstream.answering = (_request, response) =>
        void response.writeHead(307, { location: `http://127.0.0.1:${evil.port}/steal` }).end();
      const base = await url(destinationOf(upstream));
      await run("curl", ["-sS", "-L", `${base}/go`]);
      expect(evil.seen).toHaveLength(1);
      expect(evil.seen[0]?.headers.authorization).toBeUndefined();
    } finally {
      await evil.stop();
    }
  });

  it("comes back to the broker when it stays at the host", async () => {
    upstream.answering = (request, response) => {
      if (request.url === "/there") return void response.end("arrived\n");
      response.writeHead(302, { location: `https://localhost:${upstream.port}/there` }).end();
    };
    const { stdout } = await run("curl", ["-sS", "-L", `${await url(destinationOf(upstream))}/go`]);
    expect(stdout).toBe("arrived\n");
  });
});

describe("names that lead elsewhere", () => {
  it("does not reach this machine, or a network inside, that the secret does not name", async () => {
    const places = [
      "127.0.0.1",
      "169.254.169.254",
      "10.1.2.3",
      "::1",
      "fe80::1",
      "::ffff:127.0.0.1",
      "0.0.0.0",
    ];
    for (const address of places) {
      mesh.resolve = () => Promise.resolve([{ address, family: address.includes(":") ? 6 : 4 }]);
      const answer = await ask(await url(destinationOf(upstream, { networks: [] })), "GET /");
      expect(answer).toMatch(/403 Forbidden.*in no network that the secret names/su);
    }
    expect(upstream.seen).toEqual([]);
  });

  it("does not follow a name that changes its mind: what was judged is dialled", async () => {
    let asked = 0;
    mesh.resolve = () => {
      asked += 1;
      return Promise.resolve([{ address: asked === 1 ? "127.0.0.1" : "127.0.0.2", family: 4 }]);
    };
    const base = await url(destinationOf(upstream, { networks: ["127.0.0.1/32"] }));
    expect(await ask(base, "GET /")).toContain("200 OK");
    expect(asked).toBe(1);
    // One of two answers that may not be dialled: none is.
    mesh.resolve = () =>
      Promise.resolve([
        { address: "127.0.0.1", family: 4 },
        { address: "169.254.169.254", family: 4 },
      ]);
    mesh.broker.close();
    expect(await ask(base, "GET /")).toContain("403 Forbidden");
  });

  it("does not get it from another machine: its listener is this machine's own", async () => {
    const base = await url(destinationOf(upstream));
    expect(new URL(base).hostname).toBe("127.0.0.1");
    // Whoever listens at every address of the machine listens here, too.
    const elsewhere = base.replace("127.0.0.1", "127.0.0.2");
    await expect(raw(elsewhere, requestOf(base, "GET /"))).rejects.toThrow("ECONNREFUSED");
  });

  it("does not get it to a server that cannot show that it is the host", async () => {
    const other = await Upstream.start();
    try {
      const base = await url(destinationOf(upstream, { port: other.port }));
      expect(await ask(base, "GET /")).toMatch(/^HTTP\/1.1 502/u);
      expect(other.seen).toEqual([]);
    } finally {
      await other.stop();
    }
  });
});

describe("a client whose host is fixed", () => {
  const curl = (told: Readonly<Record<string, string>>, ...words: string[]) =>
    run("curl", ["-sS", "--proxy", told["OTTO_CREDENTIAL_PROXY"] ?? "", ...words], {
      env: { PATH: process.env["PATH"] ?? "", CURL_CA_BUNDLE: told["CURL_CA_BUNDLE"] ?? "" },
    });

  it("is answered in the host's name, with the credential that it never sees", async () => {
    const told = await mesh.gives(destinationOf(upstream, { paths: ["/apps/**"] }));
    const origin = `https://localhost:${upstream.port}`;
    expect((await curl(told, `${origin}/apps/x`)).stdout).toBe("hello\n");
    expect(upstream.seen).toMatchObject([{ url: "/apps/x", headers: { authorization: `Bearer ${canary}` } }]);
    expect((await curl(told, "--path-as-is", `${origin}/apps/../admin`)).stdout).toContain(
      "has a dot segment",
    );
    expect((await curl(told, "-H", "host: evil.example.org", `${origin}/apps/x`)).stdout).toContain(
      "names another host",
    );
    expect(upstream.seen).toHaveLength(1);
  });

  it("is connected to no other host or port, and by nothing but CONNECT", async () => {
    const evil = await Upstream.start();
    try {
      const told = await mesh.gives(destinationOf(upstream));
      await expect(curl(told, `https://localhost:${evil.port}/`)).rejects.toThrow(/403/u);
      await expect(curl(told, "https://evil.example.org/")).rejects.toThrow(/403/u);
      await expect(curl(told, `https://evil.example.org:${upstream.port}/`)).rejects.toThrow(/403/u);
      expect((await curl(told, `http://localhost:${upstream.port}/`)).stdout).toContain(
        "connects to no other",
      );
      const base = told["OTTO_CREDENTIAL_PROXY"] ?? "";
      const early = `CONNECT localhost:${upstream.port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n`;
      expect(await raw(base, early)).toContain("403 Forbidden");
      expect([upstream.seen, evil.seen]).toEqual([[], []]);
    } finally {
      await evil.stop();
    }
  });

  it("has no key with which it could sign for others", async () => {
    const told = await mesh.gives(destinationOf(upstream));
    const bundle = readFileSync(told["SSL_CERT_FILE"] ?? "", "utf8");
    expect(bundle).toContain("BEGIN CERTIFICATE");
    expect(bundle).not.toContain("PRIVATE KEY");
  });
});
