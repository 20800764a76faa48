/**
 * A step with credentials in a sandbox: real clients reach what the credentials are for, through ports that nobody else finds, and
 * nothing else of the network. The attacker is the step, or another one beside it.
 */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { Server } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Gateway, OpenedCredentials } from "../../node/edge/broker/gateway.ts";
import type { Assignment } from "../../node/ports.ts";
import type { SandboxLevel, StepCredential } from "../../protocol/plan.ts";
import type { StepReport } from "../../protocol/report.ts";
import { storeTree, type Surroundings } from "../node/execution/surroundings.ts";
import { canary, destinationOf, Mesh, Upstream } from "./brokered.ts";
import { serveGit } from "./git-backend.ts";
import { isolated, missing } from "./isolated.ts";
import { serveSsh } from "./ssh-server.ts";

let upstream: Upstream;
let mesh: Mesh;
/** Every listener that was handed out of a sandbox. */
const listeners: Server[] = [];

beforeAll(async () => {
  upstream = await Upstream.start({ streams: true });
  mesh = await Mesh.start();
});
afterAll(async () => {
  await mesh?.end();
  await upstream?.stop();
});
beforeEach(() => {
  mesh.reset();
  listeners.length = 0;
  upstream.answering = (request, response) => void response.end(`served ${request.url}\n`);
});

/** A worker that reaches the level, and isolates no step that asks for nothing. */
function workerAt(level: SandboxLevel): { readonly at: Surroundings } {
  const worker = {} as { at: Surroundings };
  beforeAll(async () => {
    const open = async (...words: Parameters<Gateway["open"]>): Promise<OpenedCredentials> => {
      const opened = await mesh.gateway().open(...words);
      const accept: OpenedCredentials["accept"] = (port, server) => {
        listeners.push(server);
        opened.accept(port, server);
      };
      return { ...opened, accept };
    };
    const openSocket: Gateway["openSocket"] = (...words) => mesh.gateway().openSocket(...words);
    worker.at = await isolated(level, { credentials: { open, openSocket } }, { byDefault: "S0" });
  });
  afterAll(async () => worker.at?.close());
  return worker;
}

type Run = (
  credential: StepCredential,
  commands: readonly string[],
  more?: Partial<Assignment>,
) => Promise<StepReport>;

function runner(worker: { readonly at: Surroundings }): Run {
  return async (credential, commands, more = {}) =>
    worker.at.run(commands, { ...mesh.leases([credential]), ...more });
}

const http = (): Promise<StepCredential> => mesh.sets(destinationOf(upstream));

describe.skipIf(missing("S2") !== null)("a real client in a sandbox (skipped without bubblewrap)", () => {
  const worker = workerAt("S2");

  const run = runner(worker);

  it("of http reaches by base URL and by proxy what the credential is for, with the first command there is", async () => {
    const report = await run(await http(), [
      'curl -sS "$OTTO_CREDENTIAL_TOKEN_URL/one"',
      `curl -sS --proxy "$OTTO_CREDENTIAL_PROXY" https://localhost:${upstream.port}/two`,
      `curl -sS --proxy "$OTTO_CREDENTIAL_PROXY" https://api.example.org/ || echo refused`,
    ]);
    expect(report).toMatchObject({ outcome: "passed" });
    expect(report.tail).toMatch(/^served \/one\nserved \/two\n(.|\n)*refused\n$/u);
    expect(report.tail).not.toContain(canary);
    expect(mesh.uses.map(({ what }) => what)).toEqual(["used", "used"]);
  });

  it("of git clones and pushes to what it may", async () => {
    const served = join(worker.at.folder, "served");
    const git = (...words: string[]): string =>
      execFileSync("git", words, { encoding: "utf8", stdio: "pipe" });
    git("init", "-q", "--bare", "-b", "main", join(served, "shop.git"));
    git("-C", join(served, "shop.git"), "config", "http.receivepack", "true");
    upstream.answering = (request, response) => serveGit(served, request, response);
    const slot = { header: "authorization", before: "Basic ", user: "x-access-token" };
    const to = `https://localhost:${upstream.port}/`;
    const destination = destinationOf(upstream, { methods: [], slot });
    const credential = await mesh.sets(destination, { kind: "git", to, pushRefs: ["refs/heads/release"] });
    const report = await run(credential, [
      `git clone -q ${to}shop.git clone 2>&1`,
      "git -C clone -c user.name=ada -c user.email=ada@example.org commit -q --allow-empty -m made-inside",
      "git -C clone push -q origin HEAD:release",
      "! git -C clone push -q origin HEAD:other",
    ]);
    expect(report.outcome, report.tail).toBe("passed");
    expect(git("-C", join(served, "shop.git"), "log", "--format=%s", "release")).toBe("made-inside\n");
  });

  it.skipIf(!["/usr/sbin/sshd", "/usr/bin/ssh-keygen"].every((path) => existsSync(path)))(
    "of SSH logs in where its key is for (skipped without OpenSSH's client and server)",
    async () => {
      const file = join(worker.at.folder, "key");
      execFileSync("ssh-keygen", ["-q", "-N", "", "-t", "ed25519", "-f", file]);
      const served = await serveSsh(join(worker.at.folder, "sshd"), readFileSync(`${file}.pub`, "utf8"));
      try {
        const { username: user } = userInfo();
        const login = { user, host: "127.0.0.1", port: served.port, hostKeys: [served.line] };
        const credential = await mesh.setsLogin(login, { key: readFileSync(file, "utf8") });
        const report = await run(credential, ['ssh -F "$OTTO_SSH_CONFIG" 127.0.0.1 echo logged in']);
        expect(report).toMatchObject({ outcome: "passed", tail: "logged in\n" });
      } finally {
        served.process.kill("SIGKILL");
      }
    },
  );
});

describe.skipIf(missing("S2") !== null)("a step that is shut in (skipped without bubblewrap)", () => {
  const worker = workerAt("S2");
  const run = runner(worker);

  it("is any step with credentials, also one that asks for nothing, and it reaches nothing else", async () => {
    const credential = await http();
    const knock = `curl -sS -k -m 20 https://127.0.0.1:${upstream.port}/`;
    expect(await worker.at.run([knock], {})).toMatchObject({ outcome: "passed" });
    const shut = await run(credential, [
      "! " + knock,
      "tail -n +3 /proc/net/dev | cut -d: -f1; ls /proc/self/fd",
    ]);
    expect(shut).toMatchObject({ outcome: "passed" });
    expect(
      shut.tail
        .split("\n")
        .slice(-6)
        .map((line) => line.trim()),
    ).toEqual(["lo", "0", "1", "2", "3", ""]);
  });

  it("finds no port of another step, and no other step finds its own", async () => {
    const credential = await http();
    const holder = worker.at.start(
      ['echo "at=$OTTO_CREDENTIAL_TOKEN_URL"; sleep 600'],
      mesh.leases([credential]),
    );
    await worker.at.witness.text(holder, "at=http");
    const [, url = ""] = /at=(\S+)/u.exec(worker.at.witness.log(holder)) ?? [];
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/u);
    for (const sandbox of ["S0", "S2"] as const) {
      const report = await worker.at.run([`curl -sS ${url}/stolen`], { sandbox });
      expect(report, sandbox).toMatchObject({ outcome: "failed" });
      expect(report.tail).toContain("Failed to connect");
    }
    worker.at.executor.stop(holder, "cancelled");
    await worker.at.witness.report(holder);
    expect(mesh.uses).toEqual([]);
  });

  it("leaves nothing that listens when the step has ended, however it did", async () => {
    const credential = await http();
    const url = '"$OTTO_CREDENTIAL_TOKEN_URL/"';
    expect(await run(credential, [`curl -sS ${url}`])).toMatchObject({ outcome: "passed" });
    const stopped = worker.at.start([`curl -sS ${url}; sleep 600`], mesh.leases([credential]));
    await worker.at.witness.text(stopped, "served");
    worker.at.executor.stop(stopped, "cancelled");
    expect(await worker.at.witness.report(stopped)).toMatchObject({ outcome: "cancelled" });
    expect(listeners.map(({ listening }) => listening)).toEqual([false, false, false, false]);
  });

  it("lets nothing of the step near the channel that its listeners leave by", async () => {
    const thief =
      'if (process.send) require("fs").writeFileSync("stolen", ""); process.stdout.write("woken ");';
    const tree = await storeTree(worker.at.blobs, { "thief.cjs": thief });
    const report = await run(await http(), [`"$NODE" -e 0; ls; curl -sS "$OTTO_CREDENTIAL_TOKEN_URL/"`], {
      source: { kind: "tree", tree },
      variables: {
        NODE_OPTIONS: "--require ./thief.cjs",
        NODE: worker.at.executor.node,
        BASH_ENV: "x",
        OPTIND: "3",
      },
    });
    expect(report).toMatchObject({ outcome: "passed", tail: "woken thief.cjs\nserved /\n" });
  });
});

describe("where no sandbox can be had", () => {
  const worker = workerAt("S0");

  it("a step uses its credentials all the same, and its log says what that means", async () => {
    const report = await worker.at.run(
      ['curl -sS "$OTTO_CREDENTIAL_TOKEN_URL/one"'],
      mesh.leases([await http()]),
    );
    expect(report).toMatchObject({ outcome: "passed" });
    expect(report.tail).toBe(
      "[otto] Isolation of this worker ends at S0: until the step ends, whatever runs on the machine can use its credentials.\nserved /one\n",
    );
  });

  it("a step that asks for one is not run", async () => {
    const report = await worker.at.run(["true"], { ...mesh.leases([await http()]), sandbox: "S2" });
    expect(report).toMatchObject({ outcome: "failed" });
  });
});
