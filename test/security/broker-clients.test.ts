/** The real clients use credentials that they never see, and what an attacker would have them do beyond that is refused. */

import { execFile, execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { canary, destinationOf, Mesh, Upstream } from "./brokered.ts";
import { serveGit } from "./git-backend.ts";

const run = promisify(execFile);
let upstream: Upstream;
let mesh: Mesh;
let folder: string;

beforeAll(async () => {
  upstream = await Upstream.start({ streams: true });
  mesh = await Mesh.start();
});
afterAll(async () => {
  await mesh?.end();
  await upstream?.stop();
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "otto-client-"));
});
afterEach(() => {
  mesh.reset();
  rmSync(folder, { recursive: true, force: true });
});

/** A client's surroundings as a step has them. */
function step(told: Readonly<Record<string, string>>): { cwd: string; env: Record<string, string> } {
  const { PATH = "" } = process.env;
  return { cwd: folder, env: { PATH, HOME: folder, GIT_TERMINAL_PROMPT: "0", ...told } };
}

describe("git", () => {
  const basic = { header: "authorization", before: "Basic ", user: "x-access-token" };
  const git = (...words: string[]): string =>
    execFileSync("git", words, { cwd: folder, encoding: "utf8", stdio: "pipe" });

  beforeEach(() => {
    git("init", "-q", "--bare", "served/acme/shop.git");
    git("-C", "served/acme/shop.git", "config", "http.receivepack", "true");
    git("init", "-q", "-b", "main", "work");
    const user = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
    git("-C", "work", ...user, "commit", "-q", "--allow-empty", "-m", "first");
    git("-C", "work", "push", "-q", "../served/acme/shop.git", "main");
    git("-C", "served/acme/shop.git", "symbolic-ref", "HEAD", "refs/heads/main");
    upstream.answering = (request, response) => serveGit(join(folder, "served"), request, response);
  });

  async function told(pushRefs: readonly string[] = []): Promise<ReturnType<typeof step>> {
    const to = `https://localhost:${upstream.port}/acme`;
    const destination = destinationOf(upstream, { methods: [], paths: ["/acme/**"], slot: basic });
    return step(await mesh.gives(destination, { kind: "git", to, pushRefs: [...pushRefs] }));
  }

  const url = (): string => `https://localhost:${upstream.port}/acme/shop.git`;

  it("clones by the address of the host itself, and pushes to nothing by default", async () => {
    const options = await told();
    await run("git", ["clone", "-q", url(), "clone"], options);
    expect(git("-C", "clone", "log", "--format=%s")).toBe("first\n");
    const pushed = run("git", ["-C", "clone", "push", "-q", "origin", "main:other"], options);
    await expect(pushed).rejects.toThrow(/403/u);
    expect(git("-C", "served/acme/shop.git", "for-each-ref", "--format=%(refname)")).toBe(
      "refs/heads/main\n",
    );
    expect(readFileSync(join(folder, "clone/.git/config"), "utf8")).not.toContain(canary);
  });

  it("pushes to refs that are listed, and neither to others nor away", async () => {
    const options = await told(["refs/heads/release"]);
    await run("git", ["clone", "-q", url(), "clone"], options);
    await run("git", ["-C", "clone", "push", "-q", "origin", "main:release"], options);
    for (const [what, words] of [
      ["not for a push to refs/heads/main", ["main:main2"]],
      ["a ref that begins as a listed one does", ["main:release2"]],
      ["another beside a listed one", ["main:release", "main:main3"]],
      ["a removal", [":release"]],
    ] as const)
      await expect(
        run("git", ["-C", "clone", "push", "-q", "origin", ...words], options),
        what,
      ).rejects.toThrow();
    expect(git("-C", "served/acme/shop.git", "for-each-ref", "--format=%(refname)")).toBe(
      "refs/heads/main\nrefs/heads/release\n",
    );
    expect(mesh.uses.filter(({ template }) => template === "ref").length).toBeGreaterThanOrEqual(3);
  });

  it("is not let out of git's own requests", async () => {
    const options = await told(["refs/heads/release"]);
    const base = options.env["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
    for (const path of [
      "/shop.git/HEAD",
      "/shop.git/info/refs",
      "/shop.git/info/refs?service=git-upload-archive",
    ]) {
      const { stdout } = await run("curl", ["-sS", "-o", "/dev/null", "-w", "%{http_code}", base + path]);
      expect(stdout, path).toBe("403");
    }
  });
});

it("curl takes a body up and another down that are larger than all that is kept on the way", async () => {
  const bytes = 24 * 1024 ** 2;
  upstream.answering = (request, response) => {
    let taken = 0;
    request.on("data", (chunk: Buffer) => (taken += chunk.length));
    request.on("end", () => response.end(Buffer.alloc(taken, "x")));
  };
  const base = (await mesh.gives(destinationOf(upstream)))["OTTO_CREDENTIAL_TOKEN_URL"] ?? "";
  const up = `head -c ${bytes} /dev/zero | curl -sS -X POST -T - ${base}/ | wc -c`;
  expect(Number((await run("/bin/sh", ["-c", up])).stdout)).toBe(bytes);
  expect(mesh.uses).toMatchObject([{ status: 200, sentBytes: bytes, receivedBytes: bytes }]);
});

it("npm installs from and publishes to a registry that wants a token", async () => {
  const published: string[] = [];
  mkdirSync(join(folder, "package"));
  writeFileSync(
    join(folder, "package/package.json"),
    JSON.stringify({ name: "@acme/dep", version: "1.0.0" }),
  );
  execFileSync("tar", ["czf", "dep.tgz", "package"], { cwd: folder });
  const archive = readFileSync(join(folder, "dep.tgz"));
  upstream.answering = (request, response) => {
    if (request.headers.authorization !== `Bearer ${canary}`) return void response.writeHead(401).end();
    if (request.method === "PUT") {
      published.push(request.url ?? "");
      request.resume();
      return void request.on("end", () =>
        response.writeHead(201, { "content-type": "application/json" }).end("{}"),
      );
    }
    if (request.url?.endsWith(".tgz") === true) return void response.end(archive);
    if (request.url?.toLowerCase() !== "/npm/@acme%2fdep") return void response.writeHead(404).end("{}");
    const tarball = `https://localhost:${upstream.port}/npm/@acme/dep/-/dep-1.0.0.tgz`;
    const version = { name: "@acme/dep", version: "1.0.0", dist: { tarball } };
    const whole = { name: "@acme/dep", "dist-tags": { latest: "1.0.0" }, versions: { "1.0.0": version } };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(whole));
  };
  const methods = ["GET", "HEAD", "PUT"];
  const to = `https://localhost:${upstream.port}/npm`;
  const told = await mesh.gives(destinationOf(upstream, { methods, paths: ["/npm/**"] }), {
    kind: "npm",
    to,
  });
  const options = step({ ...told, npm_config_cache: join(folder, "cache"), npm_config_audit: "false" });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "app", version: "1.0.0" }));
  await run("npm", ["install", "--no-fund", "@acme/dep"], options);
  expect(existsSync(join(folder, "node_modules/@acme/dep/package.json"))).toBe(true);
  writeFileSync(
    join(folder, "package/package.json"),
    JSON.stringify({ name: "@acme/dep", version: "1.1.0" }),
  );
  await run("npm", ["publish", "--access", "public", "./package"], options);
  expect(published).toEqual(["/npm/@acme%2fdep"]);
  expect(readFileSync(told["npm_config_userconfig"] ?? "", "utf8")).not.toContain(canary);
}, 120_000);

const python = ["python3", "python"].find((name) => {
  try {
    execFileSync(name, ["-m", "pip", "--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

it.skipIf(python === undefined)(
  "pip installs from an index that wants a password (skipped where there is no pip)",
  async () => {
    const wheel = "acme_dep-1.0-py3-none-any.whl";
    makeWheel(folder, wheel);
    const bytes = readFileSync(join(folder, wheel));
    upstream.answering = (request, response) => {
      const expected = `Basic ${Buffer.from(`__token__:${canary}`).toString("base64")}`;
      if (request.headers.authorization !== expected) return void response.writeHead(401).end();
      // From the root of the host, as many indexes have it: outside of the path that the step was told.
      const page = `<html><body><a href="/files/${wheel}">${wheel}</a></body></html>`;
      if (request.url === `/files/${wheel}`) return void response.end(bytes);
      if (request.url === "/simple/acme-dep/")
        return void response.writeHead(200, { "content-type": "text/html" }).end(page);
      response.writeHead(404).end();
    };
    const slot = { header: "authorization", before: "Basic ", user: "__token__" };
    const destination = destinationOf(upstream, { methods: [], slot, paths: ["/simple/**", "/files/**"] });
    const told = await mesh.gives(destination, {
      kind: "pip",
      to: `https://localhost:${upstream.port}/simple`,
    });
    const options = step({ ...told, PIP_DISABLE_PIP_VERSION_CHECK: "1" });
    await run(
      python ?? "",
      ["-m", "pip", "install", "--no-cache-dir", "--target", "installed", "acme-dep"],
      options,
    );
    expect(existsSync(join(folder, "installed/acme_dep.py"))).toBe(true);
  },
  120_000,
);

function makeWheel(at: string, name: string): void {
  const info = join(at, "wheel/acme_dep-1.0.dist-info");
  mkdirSync(info, { recursive: true });
  writeFileSync(join(at, "wheel/acme_dep.py"), "");
  writeFileSync(join(info, "METADATA"), "Metadata-Version: 2.1\nName: acme-dep\nVersion: 1.0\n");
  writeFileSync(
    join(info, "WHEEL"),
    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
  );
  writeFileSync(
    join(info, "RECORD"),
    "acme_dep.py,,\nacme_dep-1.0.dist-info/METADATA,,\nacme_dep-1.0.dist-info/WHEEL,,\nacme_dep-1.0.dist-info/RECORD,,\n",
  );
  execFileSync(
    python ?? "",
    ["-m", "zipfile", "-c", join("..", name), "acme_dep.py", "acme_dep-1.0.dist-info"],
    { cwd: join(at, "wheel") },
  );
}

describe("a registry of images", () => {
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: {},
    layers: [],
  });
  const slot = { header: "authorization", before: "Basic ", user: "robot" };
  const password = `Basic ${Buffer.from(`robot:${canary}`).toString("base64")}`;
  const token = "token-of-the-registry-1234";
  const asked: string[] = [];
  let realm = "";

  beforeEach(() => {
    asked.length = 0;
    realm = `https://localhost:${upstream.port}/token`;
    upstream.answering = (request, response) => {
      const url = request.url ?? "";
      const { authorization } = request.headers;
      if (url.startsWith("/token")) {
        asked.push(url);
        return void response
          .writeHead(authorization === password ? 200 : 401)
          .end(JSON.stringify({ token, expires_in: 300 }));
      }
      if (authorization !== `Bearer ${token}`)
        return void response
          .writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="registry"` })
          .end();
      if (url === "/v2/") return void response.end("{}");
      response.writeHead(200, { "content-type": "application/vnd.oci.image.manifest.v1+json" }).end(manifest);
    };
  });

  async function registry(): Promise<string> {
    const destination = destinationOf(upstream, { methods: ["GET", "HEAD"], paths: ["/v2/**"], slot });
    const told = await mesh.gives(destination, { kind: "oci", to: `localhost:${upstream.port}` });
    return told["OTTO_CREDENTIAL_TOKEN_REGISTRY"] ?? "";
  }

  it("is asked with a token that is got for the password, of which the client has neither", async () => {
    const at = await registry();
    for (const tag of ["1", "2"])
      expect((await run("curl", ["-sS", `http://${at}/v2/acme/app/manifests/${tag}`])).stdout).toBe(manifest);
    expect(asked).toEqual(["/token?service=registry&scope=repository%3Aacme%2Fapp%3Apull"]);
  });

  it("does not get the password sent to another host that it names", async () => {
    const evil = await Upstream.start();
    try {
      realm = `https://localhost:${evil.port}/token`;
      const { stdout } = await run("curl", ["-sS", `http://${await registry()}/v2/acme/app/manifests/1`]);
      expect(stdout).toContain("which the secret does not name");
      expect(evil.seen).toEqual([]);
    } finally {
      await evil.stop();
    }
  });

  const skopeo = hasProgram("skopeo");
  it.skipIf(!skopeo)("is read by a tool without a daemon (skipped where skopeo is missing)", async () => {
    const image = `docker://${await registry()}/acme/app:1`;
    const { stdout } = await run("skopeo", ["inspect", "--raw", "--tls-verify=false", image], step({}));
    expect(stdout).toBe(manifest);
  });
});

function hasProgram(name: string): boolean {
  try {
    execFileSync(name, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
