/** Step libraries as a worker runs them. */

import { lstatSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LibraryCall } from "../../../node/ports.ts";
import { encodeTree, type TreeFile } from "../../../protocol/tree.ts";
import { makeSurroundings, type Surroundings } from "./surroundings.ts";

let around: Surroundings;

beforeAll(async () => {
  around = await makeSurroundings();
});

afterAll(() => around.close());

async function library(
  texts: Readonly<Record<string, string>>,
  more: Partial<LibraryCall> & { readonly mode?: TreeFile["mode"] } = {},
): Promise<LibraryCall> {
  const { mode = "executable", ...call } = more;
  const files: TreeFile[] = [];
  for (const [path, text] of Object.entries(texts)) {
    const digest = await around.blobs.writeBytes(Buffer.from(text));
    files.push({ path, mode, size: Buffer.byteLength(text), digest });
  }
  const tree = await around.blobs.writeBytes(encodeTree(files));
  return { name: "acme", tree, entry: { any: Object.keys(texts)[0] ?? "" }, with: {}, ...call };
}

async function run(call: LibraryCall): Promise<Awaited<ReturnType<Surroundings["run"]>>> {
  return around.run([], { library: call });
}

it("runs a program in any language, in the workspace, with what it is given as JSON", async () => {
  const call = await library(
    {
      "bin/hello": '#!/bin/sh\nbasename "$PWD"\ncat "$OTTO_WITH"\ncat "$OTTO_LIBRARY/data/text"',
      "data/text": "of the library",
    },
    { with: { name: "it's", count: 3, flag: true } },
  );
  const { outcome, tail } = await run(call);
  expect({ outcome, tail }).toMatchObject({ outcome: "passed" });
  expect(tail).toMatch(/^workspace\n/);
  expect(tail).toMatch(/of the library$/);
  const json: unknown = JSON.parse(tail.slice(tail.indexOf("{"), tail.lastIndexOf("}") + 1));
  expect(json).toEqual({
    otto: "with/1",
    with: { name: "it's", count: 3, flag: true },
    run: "run-1",
    step: "step",
    attempt: 1,
  });
});

it("runs a program for Node with the worker's own, typed or not", async () => {
  for (const name of ["step.js", "step.mjs", "step.ts", "step.mts"]) {
    const text = `const a${name.endsWith("ts") ? ": string" : ""} = process.version;\nconsole.log(a);`;
    const call = await library({ [name]: text }, { mode: "file" });
    expect(await run(call)).toMatchObject({ outcome: "passed", tail: `${process.version}\n` });
  }
});

it("ends as its program does, and names the library", async () => {
  expect(await run(await library({ x: "#!/bin/sh\nexit 3" }))).toMatchObject({
    outcome: "failed",
    problem: "`acme` exited with 3",
  });
});

it("takes the program of its platform, and says when there is none", async () => {
  const texts = { here: "#!/bin/sh\necho here", other: "#!/bin/sh\necho other" };
  const own = await library(texts, { entry: { any: "other", [process.platform]: "here" } });
  expect(await run(own)).toMatchObject({ outcome: "passed", tail: "here\n" });
  const foreign = await library(texts, { entry: { win32: "other" } });
  expect((await run(foreign)).problem).toContain(
    `The step library acme has no program for ${process.platform}.`,
  );
  const gone = await library(texts, { entry: { any: "gone" } });
  expect((await run(gone)).problem).toContain("does not have its program gone");
  const plain = await library(texts, { mode: "file" });
  expect((await run(plain)).problem).toContain("has a program that is not executable: here");
});

it("is read-only, and no attempt sees what another one did to it", async () => {
  const call = await library({
    x: '#!/bin/sh\n[ -w "$0" ] && [ "$(id -u)" != 0 ] && echo writable\nls "$OTTO_LIBRARY"\nchmod -R u+w "$OTTO_LIBRARY"; echo evil > "$OTTO_LIBRARY/x"; echo more > "$OTTO_LIBRARY/y"',
  });
  expect(await run(call)).toMatchObject({ outcome: "passed", tail: "x\n" });
  expect(await run(call)).toMatchObject({ outcome: "passed", tail: "x\n" });
});

it("has modes that nobody may write", async () => {
  const call = await library({ x: '#!/bin/sh\necho "$OTTO_LIBRARY"; sleep 600' });
  const id = around.start([], { library: call });
  await around.witness.text(id, "otto-library\n");
  const folder = around.witness.log(id).trim();
  const modes = [folder, `${folder}/x`].map((path) => lstatSync(path).mode & 0o777);
  around.executor.stop(id, "cancelled");
  await around.witness.report(id);
  expect(modes).toEqual([0o555, 0o555]);
});
