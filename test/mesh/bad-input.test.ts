/** Whatever is wrong outside Otto is one clear sentence with what to do next, and leaves nothing half done. */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { freeAddress } from "../ports.ts";
import { Mesh, type MeshNode } from "./mesh.ts";
import type { Ended } from "./program.ts";

let mesh: Mesh;
let control: MeshNode;
/** Asked first of all, since it takes so long until it is given up. */
let frozen: { readonly answer: Promise<Ended> };

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 1, workers: [] });
  const [only] = mesh.controls;
  if (only === undefined) throw new Error("The mesh has no control peer.");
  control = only;
  const node = await mesh.up("frozen", ["--control", "--listen", await freeAddress()]);
  node.pause();
  frozen = { answer: mesh.otto(["status", "--node", node.folder]) };
});
afterAll(() => mesh?.end());

/** One sentence, the state, the next action and the code, and no trace of where in Otto it was thrown. */
function expectClear(ended: Ended, code: string, exitCode: number, words: string | RegExp): void {
  expect(ended, ended.stderr).toMatchObject({ code: exitCode, stdout: "" });
  expect(ended.stderr).toMatch(words);
  expect(ended.stderr).toMatch(/^otto: /u);
  expect(ended.stderr).toMatch(new RegExp(`^Next: .+\\nCode: ${code}\\n$`, "mu"));
  expect(ended.stderr).not.toMatch(/^\s+at |node:internal|This is a bug/mu);
}

/** As somebody who has used Otto never before. */
const fresh = { home: "fresh" };

function nothingIsLeft(): void {
  expect(existsSync(join(mesh.folder, "fresh", "local"))).toBe(false);
  expect(existsSync(join(mesh.folder, "fresh", "node"))).toBe(false);
}

function folderWith(name: string, pipeline: string | null): string {
  const folder = join(mesh.folder, "folders", name);
  mkdirSync(folder, { recursive: true });
  if (pipeline !== null) writeFileSync(join(folder, "otto.yaml"), pipeline);
  return folder;
}

describe("otto run", () => {
  const pipelines: readonly (readonly [string, string | null, string, number, string])[] = [
    ["nothing to detect", null, "OTTO_NO_PIPELINE", 2, "nothing there shows how to test it"],
    [
      "cyclic needs",
      "a: { needs: b, run: x }\n  b: { needs: a, run: x }",
      "OTTO_PIPELINE_INVALID",
      2,
      "need each other in a circle",
    ],
    ["unknown names", "a: { needs: zz, run: x }", "OTTO_PIPELINE_INVALID", 2, "no step called `zz`"],
    [
      "a condition of the wrong type",
      "a: { when: git.branch, run: x }",
      "OTTO_PIPELINE_INVALID",
      2,
      "must be true or false",
    ],
    ["a file of 10 MB", `a: { run: ${"x".repeat(10_000_000)} }`, "OTTO_FILE_TOO_LARGE", 2, "at most 1048576"],
  ];

  it.each(pipelines)("refuses %s and starts nothing", async (name, steps, code, exitCode, words) => {
    const folder = folderWith(name, steps === null ? null : `otto: 1\npipeline: p\nsteps:\n  ${steps}\n`);
    const ended = await mesh.otto(["run"], { ...fresh, folder });
    expectClear(ended, code, exitCode, words);
    expect(ended.stderr).toContain("Nothing was started.");
    nothingIsLeft();
  });

  it("refuses a commit where there is no repository", async () => {
    const folder = folderWith("no repository", "otto: 1\npipeline: p\nsteps:\n  a: { run: x }\n");
    const ended = await mesh.otto(["submit", "--commit", "HEAD", "--node", control.folder], { folder });
    expectClear(ended, "OTTO_NO_REPOSITORY", 2, "is not in a git repository");
    expectClear(await mesh.otto(["run"], { folder }), "OTTO_NO_REPOSITORY", 2, "is not in a git repository");
  });

  it("refuses a folder in no repository and starts nothing", async () => {
    const folder = folderWith("outside", "otto: 1\npipeline: p\nsteps:\n  a: { run: x }\n");
    const ended = await mesh.otto(["run"], { ...fresh, folder });
    expectClear(ended, "OTTO_NO_REPOSITORY", 2, "is not in a git repository");
    nothingIsLeft();
  });

  it("refuses a commit that the repository does not have", async () => {
    const folder = mesh.repository("commits", "  a: { run: x }\n");
    const ended = await mesh.otto(["submit", "--commit", "none", "--node", control.folder], { folder });
    expectClear(ended, "OTTO_USAGE", 2, 'no commit called "none"');
  });
});

describe("otto up", () => {
  let taken: Server;
  let address: string;

  beforeAll(async () => {
    address = await freeAddress();
    const [host, port] = address.split(":");
    taken = createServer();
    await new Promise<void>((resolve) => {
      taken.listen(Number(port), host, resolve);
    });
  });
  afterAll(() => taken.close());

  it("founds nothing on a port in use", async () => {
    const data = join(mesh.folder, "busy");
    const ended = await mesh.otto(["up", "--control", "--data", data, "--listen", address], fresh);
    expectClear(ended, "OTTO_PORT_IN_USE", 4, "the address is in use");
    expect(existsSync(data)).toBe(false);
    nothingIsLeft();
  });

  it("uses no invite up on a port in use", async () => {
    const code = await mesh.invite(control);
    const data = join(mesh.folder, "busy-worker");
    const ended = await mesh.otto(["join", code, "--data", data, "--listen", address], fresh);
    expectClear(ended, "OTTO_PORT_IN_USE", 4, "the address is in use");
    expect(existsSync(data)).toBe(false);
    await mesh.succeed(["join", code, "--data", data, "--no-start"]);
  });

  it("says when a node that is there cannot listen, and takes another address", async () => {
    const data = join(mesh.folder, "moved");
    await mesh.up("moved", ["--control", "--listen", await freeAddress()]).then((node) => node.kill());
    const ended = await mesh.otto(["up", "--data", data, "--listen", address]);
    expectClear(ended, "OTTO_PORT_IN_USE", 4, "the address is in use");
    const elsewhere = await freeAddress();
    const node = await mesh.up("moved", ["--listen", elsewhere]);
    expect(node.program.stdout).toContain(elsewhere.replace(":", "/tcp/"));
    await node.kill();
  });

  it.each(["/dev/null/folder", "/proc/none/folder"])("cannot use %s as its folder", async (data) => {
    const ended = await mesh.otto(
      ["up", "--control", "--data", data, "--listen", await freeAddress()],
      fresh,
    );
    expectClear(ended, "OTTO_DATA_FOLDER_INVALID", 4, "cannot be made or written to");
  });

  it("needs a node, or to be told to found one", async () => {
    expectClear(await mesh.otto(["up"], fresh), "OTTO_USAGE", 2, "There is no node");
    nothingIsLeft();
  });
});

describe("a node that is asked", () => {
  it("is not running", async () => {
    expectClear(await mesh.otto(["status"], fresh), "OTTO_NO_NODE", 5, "has no Otto node yet");
    const words = ["peers", "--node", join(mesh.folder, "nowhere")];
    expectClear(await mesh.otto(words), "OTTO_NO_NODE", 5, "No Otto node answers");
  });

  it("does not answer at its address", async () => {
    const [host, port] = (await freeAddress()).split(":");
    const peer = `/ip4/${host}/tcp/${port}/p2p/${control.peer}`;
    expectClear(await mesh.otto(["status", "--peer", peer]), "OTTO_UNREACHABLE", 5, "No peer answers at");
  });

  it("has no such run, or the run no such step", async () => {
    const at = ["--node", control.folder];
    for (const words of [
      ["status", "none"],
      ["logs", "none"],
      ["logs", "-f", "none"],
      ["cancel", "none"],
    ])
      expectClear(await mesh.otto([...words, ...at]), "OTTO_NO_SUCH_RUN", 2, "no run none");
    const run = await mesh.submit(mesh.repository("known", "  one:\n    run: x\n"), control);
    expectClear(await mesh.otto(["logs", run, "two", ...at]), "OTTO_NO_SUCH_STEP", 2, 'no step called "two"');
  });

  it("takes the call and is frozen", async () => {
    expectClear(await frozen.answer, "OTTO_TIMED_OUT", 5, "said nothing for 15 s");
  });
});

describe("words that Otto does not know", () => {
  it.each(["bogus", "run --bogus", "status --node", "invite --role king", "up --control --of 2"])(
    "otto %s",
    async (words) => {
      expectClear(await mesh.otto(words.split(" "), fresh), "OTTO_USAGE", 2, /./u);
      nothingIsLeft();
    },
  );
});

describe("a full disk under a worker", () => {
  const [unshare, ...privately] = ["unshare", "--map-root-user", "--mount"] as const;
  const canMount = process.platform === "linux" && spawnSync(unshare, [...privately, "true"]).status === 0;

  async function fillsUp(name: string, command: (data: string) => readonly string[]): Promise<void> {
    const code = await mesh.invite(control);
    const data = join(mesh.folder, name);
    mkdirSync(data);
    const words = ["join", code, "--data", data, "--slots", "1", "--label", name];
    const worker = mesh.start(words, { command: command(data) });
    await worker.said(/ is up\./u);
    const steps = `  talk:
    labels: ${name}
    run: head -c 30000000 /dev/urandom | base64
  after:
    labels: ${name}
    needs: { talk: [failed] }
    run: echo still here
`;
    const run = await mesh.submit(mesh.repository(name, steps), control);
    const watch = control.watch(run);
    expect(await watch.closed()).toBe("failed");
    const ended = await watch.event("attempt-ended", ({ step }) => step === "talk");
    expect(ended.report?.problem).toMatch(
      /^The disk that holds \S+ is full: .* Free some space there, then try again\.$/u,
    );
    expect(watch.output("after")).toBe("still here\n");
    const { stdout, code: exitCode } = await mesh.otto(["status", run, "--node", control.folder]);
    expect(stdout).toContain("is full");
    expect(exitCode).toBe(1);
    await worker.kill();
  }

  it("fails the step that fills it, says so, and the worker goes on", () =>
    // The kernel says of a file that may not grow what it says of a disk that cannot take it.
    fillsUp("limited", () => ["sh", "-c", 'ulimit -f 16384 && exec "$@"', "sh"]));

  it.skipIf(!canMount)("does so on a real small disk, too (skipped where mounting is not allowed)", () =>
    // The worker sees its folder on a disk of its own; nobody else does.
    fillsUp("small", (data) => {
      const script = `mount -t tmpfs -o size=12m none ${data} && exec "$@"`;
      return [unshare, ...privately, "sh", "-c", script, "sh"];
    }),
  );
});
