/** `--event`: a file that says what happened decides whether and in which context a pipeline is planned. */

import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { explain } from "../../cli/commands/explain.ts";
import { run } from "../../cli/commands/run.ts";
import { submit } from "../../cli/commands/submit.ts";
import { loadPlan } from "../../cli/load-plan.ts";
import { explainSchema } from "../../planner/explain-schema.ts";
import { limits } from "../../protocol/limits.ts";
import { problemsBy } from "../planner/json-schema-check.ts";
import { errorOf } from "./error-of.ts";

let folder = "";

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "otto-event-")));
  write(
    "otto.yaml",
    `otto: 1
pipeline: webapp
parameters: { channel: { type: string, default: beta } }
triggers: [{ push: [main] }, { tag: ["v*"] }]
steps: { a: { run: x, when: 'trigger == "tag"' } }
`,
  );
});

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function write(path: string, text: string): string {
  writeFileSync(join(folder, path), text);
  return join(folder, path);
}

function eventFile(value: object): string {
  return write("event.json", JSON.stringify(value));
}

async function told(command: () => Promise<number>): Promise<{ exitCode: number; text: string }> {
  let text = "";
  vi.spyOn(process.stdout, "write").mockImplementation((chunk, ...rest) => {
    text += String(chunk);
    for (const argument of rest) if (typeof argument === "function") argument(null);
    return true;
  });
  const exitCode = await command();
  vi.restoreAllMocks();
  return { exitCode, text };
}

const commit = "0123456789abcdef0123456789abcdef01234567";

it("plans in the context of the event, and with its parameters; what is typed goes first", async () => {
  const event = eventFile({
    trigger: "tag",
    tag: "v1.2",
    branch: "release",
    commit,
    parameters: { channel: "stable" },
  });
  const { plan, notStarted } = await loadPlan({ folder, event });
  expect(notStarted).toBeNull();
  expect(plan.context).toEqual({
    trigger: "tag",
    tag: "v1.2",
    branch: "release",
    commit,
    parameters: { channel: "stable" },
  });
  expect(plan.steps[0]?.included).toBe(true);
  const typed = await loadPlan({ folder, event, parameters: ["channel=nightly"] });
  expect(typed.plan.context.parameters).toEqual({ channel: "nightly" });
});

it("starts nothing for an event that fits no trigger, and all is well", async () => {
  const event = eventFile({ trigger: "push", branch: "topic" });
  const sentence =
    "webapp is not started: what starts it is a push to main; a tag: v*, and this is a push to topic.\n";
  for (const command of [run, submit, explain])
    expect(await told(() => command({ folder, event }))).toEqual({ exitCode: 0, text: sentence });
});

it("says the same to programs, and explains on", async () => {
  const event = eventFile({ trigger: "push", branch: "topic" });
  const started = await told(() => run({ folder, event, json: true }));
  expect(JSON.parse(started.text)).toMatchObject({ otto: "not-started/1" });
  const { text } = await told(() => explain({ folder, event, json: true }));
  const explanation = JSON.parse(text) as object;
  expect(problemsBy(explainSchema(), explanation, { closed: true })).toEqual([]);
  expect(explanation).toMatchObject({
    otto: "explain/1",
    notStarted: expect.stringContaining("webapp is not started"),
  });
});

it("refuses an event that is none, with what to write", async () => {
  const error = await errorOf(loadPlan({ folder, event: eventFile({ trigger: "pish", branch: "main" }) }));
  expect(error).toMatchObject({ code: "OTTO_USAGE", state: "Nothing was started." });
  expect(error.message).toContain('"pish" is no trigger: did you mean `push`?');
  expect(error.next).toContain("otto schema event");
});

it("refuses an event that is not there, or has no end", async () => {
  expect(await errorOf(loadPlan({ folder, event: join(folder, "absent.json") }))).toMatchObject({
    code: "OTTO_FILE_UNREADABLE",
  });
  const large = write("large.json", " ".repeat(limits.eventBytesMax + 1));
  expect(await errorOf(loadPlan({ folder, event: large }))).toMatchObject({ code: "OTTO_FILE_TOO_LARGE" });
});
