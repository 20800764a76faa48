/** A manifest goes in at any peer, its steps run wherever there is room, and every peer tells the same story. */

import { afterAll, beforeAll, expect, it } from "vitest";
import { freeAddress } from "../ports.ts";
import { Mesh, type MeshNode } from "./mesh.ts";

let mesh: Mesh;
let everyone: readonly MeshNode[];

beforeAll(async () => {
  mesh = await Mesh.found({
    controls: 3,
    workers: [
      ["--label", "place=here", "--slots", "1"],
      ["--label", "place=there", "--slots", "1"],
    ],
  });
  everyone = [...mesh.controls, ...mesh.workers];
});
afterAll(() => mesh?.end());

it("runs what is submitted to any peer, or over the network with the person's own key", async () => {
  const repository = mesh.repository("anywhere", "  one:\n    run: cat greeting\n", { greeting: "hello\n" });
  const addresses = mesh.controls.map(({ address }) => address);
  const runs = await Promise.all([
    ...everyone.map((node) => mesh.submit(repository, node)),
    mesh.submit(repository, ["--peer", addresses[1] ?? ""]),
  ]);
  expect(new Set(runs).size).toBe(6);
  const watches = runs.map((run) => mesh.controls[0]?.watch(run));
  for (const watch of watches) {
    expect(await watch?.closed()).toBe("passed");
    expect(watch?.output("one")).toBe("hello\n");
  }
});

it("spreads steps over workers, hands outputs from one to another, and tells the same from every peer", async () => {
  const gate = mesh.gate();
  const mailbox = mesh.mailbox();
  const meet = `echo $OTTO_STEP > ${mailbox.path}; read -r _ < ${gate.path}`;
  const repository = mesh.repository(
    "spread",
    `  left:
    run: "${meet}"
  right:
    run: "${meet}"
  make:
    labels: place=here
    needs: [left, right]
    run: mkdir -p out && echo "made by $OTTO_STEP" > out/file && echo making
    outputs: { files: out/** }
  use:
    labels: place=there
    needs: make
    inputs: { files: make.files }
    run: cat out/file
`,
  );
  const run = await mesh.submit(repository, mesh.workers[0] ?? []);
  const watches = everyone.map((node) => node.watch(run));
  const following = everyone.map((node) => mesh.start(["logs", "-f", run, "use", "--node", node.folder]));
  // With one slot each, both can only be here at once on two workers.
  await Promise.all([mailbox.line(/left/u), mailbox.line(/right/u)]);
  gate.open(2);
  for (const watch of watches) expect(await watch.closed()).toBe("passed");
  const worker = async (step: string): Promise<string | undefined> => {
    const { worker: peer } =
      (await watches[0]?.event("attempt-started", (event) => event.step === step)) ?? {};
    return mesh.workers.find((node) => node.peer === peer)?.name;
  };
  expect([await worker("left"), await worker("right")].toSorted()).toEqual(["worker-1", "worker-2"]);
  expect([await worker("make"), await worker("use")]).toEqual(["worker-1", "worker-2"]);
  for (const program of following)
    expect(await program.ended).toMatchObject({ code: 0, stdout: "made by make\n", stderr: "" });
  for (const watch of watches) expect(watch.events).toEqual(watches[0]?.events);
  const told = await Promise.all(everyone.map((node) => mesh.otto(["status", run, "--node", node.folder])));
  for (const { stdout, code } of told) expect({ stdout, code }).toEqual({ stdout: told[0]?.stdout, code: 0 });
  expect(told[0]?.stdout).toContain("spread passed: 4 passed");
});

it("finds the plan of a run for whoever compares with it, through any peer", async () => {
  const repository = mesh.repository("compared", "  one:\n    run: cat greeting\n", { greeting: "hello\n" });
  const run = await mesh.submit(repository, mesh.workers[0] ?? []);
  await mesh.controls[0]?.watch(run).closed();
  for (const node of everyone) {
    const words = ["explain", "--diff", "last", "--exit-code", "--node", node.folder];
    expect(await mesh.otto(words, { folder: repository })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`no difference to last (run ${run});`) as string,
    });
  }
});

it("says of a step that no worker fits what it waits for", async () => {
  const repository = mesh.repository("nowhere", "  one:\n    labels: place=moon\n    run: echo never\n");
  const run = await mesh.submit(repository, mesh.controls[0] ?? []);
  await mesh.controls[0]?.watch(run).event("run-admitted");
  const { stdout, code } = await mesh.otto(["status", run, "--node", mesh.workers[0]?.folder ?? ""]);
  expect(stdout).toContain("queued for a worker with the label place=moon");
  expect(code).toBe(8);
  await mesh.succeed(["cancel", run, "--node", mesh.workers[1]?.folder ?? ""]);
  expect(await mesh.controls[2]?.watch(run).closed()).toBe("cancelled");
});

it("takes no fourth control peer by a code that was used", async () => {
  const [code = ""] = /otto1-\S+/u.exec(mesh.controls[0]?.program.stdout ?? "") ?? [];
  const words = ["join", code, "--data", `${mesh.folder}/fourth`, "--listen", await freeAddress()];
  const joined = await mesh.otto(words);
  expect(joined).toMatchObject({ code: 3, stdout: "" });
  expect(joined.stderr).toContain("it was used before");
});

it("takes no run from whoever's clock is hours off, and says until when it could be admitted", async () => {
  const repository = mesh.repository("late", "  one:\n    run: echo never\n");
  const hourMs = 60 * 60_000;
  for (const [hours, node] of [
    [2, mesh.controls[1]],
    [-25, mesh.workers[0]],
  ] as const) {
    const environment = {
      NODE_OPTIONS: `--import=${import.meta.dirname}/clock-ahead-fixture.ts`,
      CLOCK_AHEAD_MS: `${hours * hourMs}`,
    };
    const words = ["submit", "--node", node?.folder ?? ""];
    const ended = await mesh.otto(words, { folder: repository, environment });
    expect(ended).toMatchObject({ code: 3, stdout: "" });
    expect(ended.stderr).toMatch(/^otto: The run could be admitted until 20[-0-9T:.]+Z; for the node/u);
    expect(ended.stderr).toMatch(/Nothing was submitted\.\nNext: .+\nCode: OTTO_SUBMISSION_EXPIRED\n$/u);
  }
});
