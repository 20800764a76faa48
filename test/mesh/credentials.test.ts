/** Steps that use credentials which they never see, on a mesh of real processes, with real clients against real servers. */

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRemoteJWKSet, jwtVerify, type JWTPayload } from "jose";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { limits } from "../../protocol/limits.ts";
import { canary, Upstream } from "../security/brokered.ts";
import { Mesh } from "./mesh.ts";
import { searched, treeOf } from "./process-memory.ts";
import { eventually } from "./program.ts";

let mesh: Mesh;
let upstream: Upstream;

beforeAll(async () => {
  upstream = await Upstream.start();
  mesh = await Mesh.found({ controls: 1, workers: [[]] });
});
afterAll(async () => {
  await mesh?.end();
  await upstream?.stop();
});
beforeEach(() => {
  upstream.seen.length = 0;
  upstream.answering = (_request, response) => void response.end("released\n");
});

const node = (): string[] => ["--node", mesh.controls[0]?.folder ?? ""];

/** Sets the secret `api`, for the server of this test unless told otherwise. */
async function set(more: readonly string[] = [], to = `https://localhost:${upstream.port}`): Promise<void> {
  const file = join(mesh.folder, "value");
  writeFileSync(file, `${canary}\n`);
  const { stdout } = await mesh.succeed([
    "secret",
    "set",
    "api",
    ...node(),
    "--from",
    file,
    "--to",
    to,
    "--network",
    "127.0.0.0/8",
    "--authority",
    join(upstream.folder, "ca.pem"),
    ...more,
  ]);
  expect(stdout).toMatch(/^Secret api is set, version \d+\.$/mu);
}

/** Without what the worker says before: that these workers shut no step in. */
function said(output = ""): string {
  return output.replace(/^\[otto\] Isolation of this worker ends at S0: .*\n/u, "");
}

function repository(name: string, run: string): string {
  const credentials = `{ api: { http: "https://localhost:${upstream.port}" } }`;
  return mesh.repository(
    name,
    `  deploy:\n    run: ${JSON.stringify(run)}\n    credentials: ${credentials}\n`,
  );
}

it("lets a step deploy with a token that it never sees", async () => {
  await set(["--method", "POST", "--path", "/apps/{}/releases"]);
  const run = await mesh.submit(
    repository(
      "deploys",
      'curl -sSf --data v1 "$OTTO_CREDENTIAL_API_URL/apps/shop/releases"; env; curl -sS "$OTTO_CREDENTIAL_API_URL/keys"',
    ),
    mesh.workers[0] ?? [],
  );
  const watch = mesh.controls[0]?.watch(run);
  expect(await watch?.closed()).toBe("passed");
  expect(upstream.seen).toMatchObject([
    {
      method: "POST",
      url: "/apps/shop/releases",
      body: "v1",
      headers: { authorization: `Bearer ${canary}` },
    },
  ]);
  const output = watch?.output("deploy") ?? "";
  expect(output).toContain("released\n");
  expect(output).toContain(
    "otto: The credential api is not used for this request: the credential is not for GET.",
  );
  expect(output).not.toContain(canary);

  const audit = await eventually(
    "the uses are in the book",
    async () =>
      (await mesh.succeed(["secret", "audit", "api", "--json", ...node()])).stdout.trim().split("\n"),
    (lines) => lines.length === 2,
  );
  const member = { secret: "api", run, step: "deploy", attempt: 1, worker: mesh.workers[0]?.peer };
  expect(audit.map((line) => JSON.parse(line) as unknown)).toMatchObject([
    {
      ...member,
      what: "used",
      method: "POST",
      template: "/apps/{}/releases",
      status: 200,
      sentBytes: 2,
      receivedBytes: 9,
    },
    { ...member, what: "refused", method: "GET", template: "method" },
  ]);
});

it("says whether the book of uses is whole, and where it is not", async () => {
  const verify = () => mesh.otto(["secret", "audit", "--verify", ...node()]);
  expect(await verify()).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^12D3\w+ {2}whole: \d+ uses\n$/u) as string,
  });
  const book = join(mesh.controls[0]?.folder ?? "", "audit.jsonl");
  const written = readFileSync(book, "utf8");
  writeFileSync(book, written.replace('"method":"GET"', '"method":"PUT"'));
  expect(await verify()).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^12D3\w+ {2}not whole: (line \d|its end)/u) as string,
  });
  writeFileSync(book, written);
  expect(await verify()).toMatchObject({ code: 0 });
});

it("hands on a book of uses that proves itself without a node, and no other domain's in its place", async () => {
  const file = join(mesh.folder, "uses.json");
  await mesh.succeed(["secret", "audit", "--export", file, ...node()]);
  const [, id = ""] =
    /id +([0-9a-f]{32})/u.exec((await mesh.succeed(["domain", "show", ...node()])).stdout) ?? [];
  const verify = (...words: readonly string[]) =>
    mesh.otto(["secret", "audit", "--verify", file, ...words], { home: "auditor" });
  const proven = await verify("--domain", id);
  expect(proven, proven.stderr).toMatchObject({ code: 0 });
  expect(proven.stdout).toMatch(/^12D3\w+ {2}signed \d+ uses on \S+, all of them here, none changed$/mu);
  expect((await verify()).stdout).toContain("That it is the domain that you mean is not proven");
  expect(await verify("--domain", "f".repeat(32))).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("proves nothing: it is of domain dev") as string,
  });
  writeFileSync(file, readFileSync(file, "utf8").replace('\\"method\\":\\"GET\\"', '\\"method\\":\\"PUT\\"'));
  expect(await verify("--domain", id)).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("not proven: ") as string,
  });
});

it("keeps the value out of every file of every node, and out of everything that a command prints", async () => {
  await set();
  const said = await Promise.all([
    mesh.succeed(["secret", "ls", ...node()]),
    mesh.succeed(["secret", "ls", "--json", ...node()]),
    mesh.succeed(["secret", "audit", ...node()]),
  ]);
  for (const { stdout, stderr } of said) expect(stdout + stderr).not.toContain(canary);
  const files = [mesh.controls[0], mesh.workers[0]].flatMap((peer) => filesIn(peer?.folder ?? ""));
  expect(files.length).toBeGreaterThan(10);
  const forms = [
    canary,
    Buffer.from(canary).toString("hex"),
    Buffer.from(canary).toString("base64").slice(0, 20),
  ];
  for (const file of files) {
    const text = readFileSync(file, "latin1");
    for (const form of forms) expect(text.includes(form), file).toBe(false);
  }
});

it.skipIf(process.getuid?.() !== 0)(
  "has it in no memory of the worker, which root there searches while the step uses it (skipped for others than root)",
  async () => {
    await set();
    const gate = mesh.gate();
    let isAsked = false;
    let answer = (): void => undefined;
    upstream.answering = ({ headers }, response) => {
      isAsked = true;
      answer = () => void response.end("done\n");
      response.write(`you said ${headers.authorization}\n`.repeat(50));
    };
    const step = `curl -sSN "$OTTO_CREDENTIAL_API_URL/x"; read -r _ < ${gate.path}`;
    const run = await mesh.submit(repository("searched", step), mesh.workers[0] ?? []);
    const watch = mesh.controls[0]?.watch(run);
    await eventually(
      "the host was asked",
      async () => isAsked,
      (asked) => asked,
    );
    const forms = [
      canary,
      Buffer.from(canary).toString("hex"),
      Buffer.from(canary).toString("base64").slice(0, 20),
    ];
    const [broker, worker] = [mesh.controls[0], mesh.workers[0]].map((node) => node?.program.pid ?? 0);
    const ofBroker = treeOf(broker ?? 0).flatMap((pid) => searched(pid, forms).found);
    // The search finds what is there: the broker has it in the request that is open.
    expect(ofBroker).toContain(canary);
    const ofWorker = treeOf(worker ?? 0);
    const isCurl = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "latin1").startsWith("curl");
    expect(ofWorker.some(isCurl)).toBe(true);
    for (const pid of ofWorker) {
      const { bytes, found } = searched(pid, forms);
      expect(bytes).toBeGreaterThan(100_000);
      expect(found, readFileSync(`/proc/${pid}/cmdline`, "latin1")).toEqual([]);
    }
    answer();
    gate.open();
    expect(await watch?.closed()).toBe("passed");
  },
);

/** In the folder of a mesh, and in that of its worker's slot there. */
const agentPath = join(tmpdir(), "otto-mesh-abcdef", "worker-1/work/1/temporary/credentials/agent-0");

it.skipIf(!existsSync("/usr/bin/ssh-add") || agentPath.length > limits.socketPathBytesMax)(
  "lets a step log in by a key that it never sees (skipped where OpenSSH's client is not installed, or the path is too long for a socket)",
  async () => {
    const key = join(mesh.folder, "id_deploy");
    const make = (file: string, words: string): void =>
      void execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", words, "-f", file]);
    make(key, "");
    make(`${key}_locked`, "a passphrase");
    const [, publicKey = ""] = readFileSync(`${key}.pub`, "utf8").split(" ");
    const purpose = ["--kind", "ssh", "--to", "deploy@host.example.org"];
    const hostKey = ["--host-key", `ssh-ed25519 ${publicKey}`];
    const setting = (file: string): string[] =>
      ["secret", "set", "shell", "--from", file].concat(node(), purpose, hostKey);
    const locked = await mesh.otto(setting(`${key}_locked`));
    expect(locked).toMatchObject({ code: 2, stderr: expect.stringContaining("passphrase") as string });
    await mesh.succeed(setting(key));
    expect((await mesh.succeed(["secret", "ls", ...node()])).stdout).toContain("deploy@host.example.org");
    const step =
      "  deploy:\n    run: ssh-add -L\n    credentials: { shell: { ssh: deploy@host.example.org } }\n";
    const run = await mesh.submit(mesh.repository("logs-in", step), mesh.controls[0] ?? []);
    const watch = mesh.controls[0]?.watch(run);
    expect(await watch?.closed()).toBe("passed");
    expect(said(watch?.output("deploy"))).toBe(`ssh-ed25519 ${publicKey} otto: shell\n`);
  },
);

it("lets a step act by a token of the domain, which others verify by the public files", async () => {
  const files = join(mesh.folder, "public");
  const site = createServer((request, response) => {
    const path = join(files, request.url ?? "");
    response.writeHead(existsSync(path) ? 200 : 404).end(existsSync(path) ? readFileSync(path) : "");
  }).listen(0, "127.0.0.1");
  await once(site, "listening");
  const issuer = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  const audience = "https://cloud.example.org";
  const seen: JWTPayload[] = [];
  const verify = async (token: string): Promise<string> => {
    const found = await fetch(`${issuer}/.well-known/openid-configuration`);
    const { jwks_uri: keys } = (await found.json()) as { jwks_uri: string };
    const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(keys)), { issuer, audience });
    seen.push(payload);
    return `welcome ${token}\n`;
  };
  upstream.answering = (request, response) => {
    const token = request.headers.authorization?.replace("Bearer ", "") ?? "";
    verify(token).then(
      (words) => response.end(words),
      (error: unknown) => response.writeHead(401).end(String(error)),
    );
  };
  const owner = ["--owner-key", join(mesh.controls[0]?.folder ?? "", "owner.key")];
  const oidc = ["domain", "oidc", "--out", files, ...node(), ...owner];
  expect((await mesh.otto(oidc)).stderr).toContain("Say --issuer");
  await mesh.succeed([...oidc, "--issuer", issuer]);
  const to = ["--to", `https://localhost:${upstream.port}`, "--network", "127.0.0.0/8"];
  const trusted = ["--authority", join(upstream.folder, "ca.pem"), "--audience", audience];
  await mesh.succeed(["secret", "set", "cloud", ...node(), "--kind", "oidc", ...to, ...trusted]);
  expect((await mesh.succeed(["secret", "ls", ...node()])).stdout).not.toContain("rotate it");
  const step = `  deploy:\n    run: curl -sSf "$OTTO_CREDENTIAL_CLOUD_URL/"\n    credentials: { cloud: { oidc: "${audience}" } }\n`;
  const deploys = async (name: string): Promise<void> => {
    const run = await mesh.submit(mesh.repository(name, step), mesh.controls[0] ?? []);
    const watch = mesh.controls[0]?.watch(run);
    expect(await watch?.closed(), watch?.output("deploy")).toBe("passed");
    expect(said(watch?.output("deploy"))).toMatch(/^welcome \*+\n$/u);
    expect(seen.at(-1)).toMatchObject({
      aud: audience,
      run,
      step: "deploy",
      pipeline: name,
      attempt: 1,
      artifacts: {},
    });
    expect(seen.at(-1)?.["plan_digest"]).toMatch(/^bafyrei/u);
  };
  await deploys("token");
  const before = readFileSync(join(files, "jwks.json"), "utf8");
  await mesh.succeed(oidc);
  expect(readFileSync(join(files, "jwks.json"), "utf8")).toBe(before);
  await mesh.succeed([...oidc, "--rotate"]);
  const { keys } = JSON.parse(readFileSync(join(files, "jwks.json"), "utf8")) as { keys: { kid: string }[] };
  expect(keys).toHaveLength(2);
  expect(before).toContain(keys[1]?.kid);
  await deploys("token-by-another-key");
  site.close();
});

it("gives a step a secret itself where its pipeline, who set it and the owner of the domain say so, and says so for ever", async () => {
  const step = `  deploy:\n    run: mkdir log; touch log/done; cat "$OTTO_CREDENTIAL_LEGACY_FILE"; ls -l "$OTTO_CREDENTIAL_LEGACY_FILE"; env\n    credentials: { legacy: { http: "https://localhost:${upstream.port}", expose: true } }\n    outputs: { log: log }\n  after:\n    needs: deploy\n    inputs: { log: deploy.log }\n    run: cp log/done log/again\n    outputs: { log: log }\n`;
  const folder = mesh.repository("legacy", step);
  expect((await mesh.succeed(["explain"], { folder })).stdout).toContain(
    "EXPOSED     the secret legacy itself, in a file",
  );
  const submit = () => mesh.otto(["submit", ...node()], { folder });
  expect((await submit()).stderr).toContain(
    "deploy wants to be given the secret legacy itself, which the policy does not let steps have",
  );
  const policy = join(mesh.folder, "policy.yaml");
  writeFileSync(policy, "otto-policy: 1\nexpose: [legacy]\n");
  const owner = ["--owner-key", join(mesh.controls[0]?.folder ?? "", "owner.key")];
  await mesh.succeed(["policy", "set", policy, ...node(), ...owner]);
  const value = join(mesh.folder, "value");
  writeFileSync(value, `${canary}\n`);
  const setting = [
    "secret",
    "set",
    "legacy",
    ...node(),
    "--from",
    value,
    "--to",
    `https://localhost:${upstream.port}`,
  ];
  await mesh.succeed(setting);
  const refused = await mesh.submit(folder, mesh.controls[0] ?? []);
  expect(await mesh.controls[0]?.watch(refused).closed()).toBe("failed");
  expect((await mesh.otto(["status", refused, ...node()])).stdout).toContain("--exposable");
  await mesh.succeed([...setting, "--exposable"]);
  const run = await mesh.submit(folder, mesh.controls[0] ?? []);
  const watch = mesh.controls[0]?.watch(run);
  expect(await watch?.closed()).toBe("passed");
  const output = watch?.output("deploy") ?? "";
  expect(output).toMatch(/^\*+-rw-------/u);
  expect(output).not.toContain(canary);
  expect((await mesh.succeed(["status", run, ...node()])).stdout).toContain(
    "exposed: deploy is given the secret legacy itself",
  );
  const [heading = "", ...rows] = (await mesh.succeed(["status", ...node()])).stdout.split("\n");
  expect(heading).toMatch(/TOOK +SECRETS$/u);
  for (const row of rows.filter((one) => one !== "")) {
    const isIt = row.startsWith(run) || row.startsWith(refused);
    expect(row.endsWith("exposed"), row).toBe(isIt);
  }
  const file = join(mesh.folder, "log.sigstore.jsonl");
  await mesh.succeed(["provenance", run, "after", "log", "-o", file, ...node()]);
  expect((await mesh.succeed(["verify", file])).stdout).toContain(
    "Exposed: deploy was given the secret legacy itself.",
  );
  const audit = (await mesh.succeed(["secret", "audit", "legacy", "--json", ...node()])).stdout.trim();
  expect(JSON.parse(audit)).toMatchObject({ what: "used", method: "EXPOSE", template: "file", run });
});

it("refuses a step whose credential is for another place, is burnt, or is none", async () => {
  const failing = async (name: string): Promise<string> => {
    const run = await mesh.submit(
      repository(name, 'curl -sS "$OTTO_CREDENTIAL_API_URL/"; exit 1'),
      mesh.controls[0] ?? [],
    );
    const watch = mesh.controls[0]?.watch(run);
    expect(await watch?.closed()).toBe("failed");
    return watch?.output("deploy") ?? "";
  };
  await mesh.succeed(["secret", "burn", "api", ...node()]);
  expect(await failing("burnt")).toContain("otto: The secret api was burnt");
  expect((await mesh.succeed(["secret", "ls", ...node()])).stdout).toContain("api: burnt: rotate it");
  await set([], "https://other.example.org");
  expect(await failing("elsewhere")).toMatch(
    /otto: The secret api may be sent to https:..other.example.org, and the plan asks for/u,
  );
  await mesh.succeed(["secret", "rm", "api", ...node()]);
  expect(await failing("removed")).toContain("otto: There is no secret api in this domain.");
  expect(upstream.seen).toEqual([]);
  const { code, stderr } = await mesh.otto(["secret", "rotate", "api", ...node(), "--from", "-"]);
  expect({ code, stderr }).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("has no secret api") as string,
  });
});

it("says what must be rotated since a control peer was removed, until it is", async () => {
  const three = await Mesh.found({ controls: 3, workers: [] });
  try {
    const [home, , leaving] = three.controls;
    const target = ["--node", home?.folder ?? ""];
    const file = join(three.folder, "value");
    writeFileSync(file, canary);
    await eventually(
      "all three have said what to seal for",
      async () => {
        await three.succeed([
          "secret",
          "set",
          "api",
          ...target,
          "--from",
          file,
          "--to",
          "https://api.example.org",
        ]);
        return (await three.succeed(["secret", "ls", ...target])).stdout;
      },
      (listed) => !listed.includes("rotate it"),
    );
    const [first] = (await three.succeed(["secret", "ls", "--json", ...target])).stdout.split("\n");
    expect((JSON.parse(first ?? "") as { recipients: unknown[] }).recipients).toHaveLength(3);
    const owner = ["--owner-key", join(home?.folder ?? "", "owner.key")];
    const oidc = ["domain", "oidc", "--out", join(three.folder, "public"), ...target, ...owner];
    const kids = (): number => {
      const text = readFileSync(join(three.folder, "public/jwks.json"), "utf8");
      return (JSON.parse(text) as { keys: unknown[] }).keys.length;
    };
    await three.succeed([...oidc, "--issuer", "https://ops.example.org"]);
    await three.succeed([...oidc, "--rotate"]);
    expect(kids()).toBe(2);
    await three.succeed(["control", "remove", leaving?.peer ?? "", ...target, ...owner]);
    const listed = await eventually(
      "the list says so",
      async () => (await three.succeed(["secret", "ls", ...target])).stdout,
      (text) => text.includes("rotate it"),
    );
    expect(listed).toContain(
      `api: rotate it: ${leaving?.peer} could open it, and is no control peer any more`,
    );
    const rotated = await three.succeed(["secret", "rotate", "api", ...target, "--from", file]);
    expect(rotated.stderr).toMatch(/^otto: api may be sent to https?:\S+, as \S+ said on /u);
    expect((await three.succeed(["secret", "ls", ...target])).stdout).not.toContain("rotate it");
    expect(listed).toContain(
      `rotate the key that signs tokens with \`otto domain oidc\`: ${leaving?.peer} could open it`,
    );
    // Whoever is gone could sign on, by any key that others still take.
    expect((await three.succeed(oidc)).stdout).toContain("Tokens by earlier keys count there no more.");
    expect(kids()).toBe(1);
    expect((await three.succeed(["secret", "ls", ...target])).stdout).not.toContain("rotate the key");
    await three.succeed([...oidc, "--burn"]);
    expect(kids()).toBe(1);

    const key = join(three.folder, "recovery.key");
    await three.succeed(["secret", "recovery", "-o", key, ...target, ...owner]);
    expect(statSync(key).mode & 0o077).toBe(0);
    expect((await three.succeed(["secret", "ls", ...target])).stdout).toContain(
      "api: rotate it: recovery cannot open it",
    );
    await three.succeed(["secret", "rotate", "api", ...target, "--from", file]);
    expect((await three.succeed(["secret", "ls", ...target])).stdout).not.toContain("rotate it");

    const recovered = await three.succeed(["secret", "recover", "--key", key, ...target]);
    expect(recovered.stdout).toBe("1 secret sealed anew for the control peers of now.\n");
    writeFileSync(file, `AGE-SECRET-KEY-1${"Q".repeat(58)}`);
    const other = await three.succeed(["secret", "recover", "--key", file, ...target]);
    expect(other).toMatchObject({
      stdout: "0 secrets sealed anew for the control peers of now.\n",
      stderr: "otto: api is not sealed for this key: set it anew.\n",
    });
  } finally {
    await three.end();
  }
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === true);
}
