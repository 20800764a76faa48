/**
 * The example `test/examples/webapp`, as its page says: deployed to one environment, approved, deployed to another, and
 * known to be online when a poll or a callback says so; a page that is broken is taken back.
 */

import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Mesh, type MeshNode } from "./mesh.ts";
import type { Watch } from "./watch.ts";

const example = join(import.meta.dirname, "../examples/webapp");

let mesh: Mesh;
let node: MeshNode;
let hosting: ChildProcess;
let site: string;

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 1, workers: [["--slots", "2"]] });
  const [control] = mesh.controls;
  if (control === undefined) throw new Error("There is no control peer.");
  node = control;
  hosting = spawn(process.execPath, [join(example, "hosting.mjs"), "0"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (hosting.stdout === null) throw new Error("The hosting says nothing.");
  const [line] = (await once(createInterface(hosting.stdout), "line")) as [string];
  site = /http:\S+/.exec(line)?.[0] ?? "";
});
afterAll(async () => {
  hosting?.kill();
  await mesh?.end();
});

/** A copy of the example whose hosting is at the address that is free here. */
function repository(name: string, page: string): string {
  const folder = mesh.repository(name, "  none:\n    run: 'true'\n");
  cpSync(example, folder, { recursive: true });
  const file = join(folder, "otto.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replaceAll("http://127.0.0.1:8787", site));
  writeFileSync(join(folder, "page.html"), page);
  return folder;
}

/** Submits it and approves what preprod shows. */
async function deploy(name: string, page: string): Promise<{ readonly run: string; readonly watch: Watch }> {
  const run = await mesh.submit(repository(name, page), node);
  const watch = node.watch(run);
  await watch.event("step-waiting", ({ step }) => step === "looks-good");
  expect(await (await fetch(`${site}/preprod`)).text()).toContain("<title>");
  await mesh.succeed(["approve", run, "--node", node.folder]);
  return { run, watch };
}

const settled = async (watch: Watch, name: string) =>
  watch.event("step-settled", ({ step }) => step === name);

it("goes online when the poll sees it, and kept to its plan", async () => {
  const { run, watch } = await deploy("good", "<title>Good</title> VERSION\n");
  expect(await watch.closed()).toBe("passed");
  expect(await settled(watch, "online")).toMatchObject({ cause: "poll", outcome: "passed" });
  expect(await settled(watch, "checks")).toMatchObject({ cause: "members", outcome: "passed" });
  expect(watch.output("checks/spelling (language=en)")).toBe("spelling of en for beta\n");
  expect(await (await fetch(`${site}/production`)).text()).toMatch(/Good<\/title> \d+/);
  const verified = await mesh.succeed(["verify", run, "--node", node.folder]);
  expect(verified.stdout).toContain("kept to its plan");
});

it("goes online when the monitor calls back before the poll sees anything", async () => {
  const { run, watch } = await deploy("slow", "<title>Slow</title> slow VERSION\n");
  await watch.event("step-waiting", ({ step }) => step === "online");
  await mesh.succeed(["settle", run, "online", "passed", "--node", node.folder]);
  expect(await settled(watch, "online")).toMatchObject({ cause: "callback", outcome: "passed" });
  expect(await watch.closed()).toBe("passed");
});

it("goes back when the health check fails, by the branch that was planned for it", async () => {
  const { run, watch } = await deploy("broken", "<title>Broken</title> broken VERSION\n");
  expect(await watch.closed()).toBe("failed");
  expect(await settled(watch, "online")).toMatchObject({ cause: "poll", outcome: "failed" });
  expect(watch.output("roll-back")).toBe("production went back\n");
  expect(await (await fetch(`${site}/production`)).text()).not.toContain("Broken");
  expect((await mesh.succeed(["verify", run, "--node", node.folder])).stdout).toContain("kept to its plan");
});
