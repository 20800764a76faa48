/** `otto schedule`: what is refused before anybody is asked, and how schedules are shown. */

import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addSchedule } from "../../cli/commands/schedule.ts";
import { loadPlan } from "../../cli/load-plan.ts";
import { missedLines, schedulesTable } from "../../cli/render/schedules.ts";
import type { ScheduleSeen } from "../../protocol/calls.ts";
import { limits } from "../../protocol/limits.ts";
import { errorOf } from "./error-of.ts";

const at = (text: string): number => Date.parse(`${text}Z`);

const nightly: ScheduleSeen = {
  kind: "schedule",
  pipeline: "nightly",
  revision: 1,
  order: {
    id: "o",
    digest: "d",
    submitter: "12D3KooWsomebody1234",
    slots: [{ cron: "0 3 * * *", missed: "latest" }],
  },
  removed: null,
  sinceMs: at("2026-11-20T12:00"),
  settledMs: at("2026-11-22T03:00"),
  newest: null,
  fired: { slotMs: at("2026-11-22T03:00"), run: "q4f6rmtw2k7c", validUntilMs: at("2026-11-23T03:00") },
  missed: null,
};
const style = { nowMs: at("2026-11-22T10:00"), color: false, columns: null };

describe("otto schedule add", () => {
  let folder = "";
  beforeEach(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), "otto-schedule-")));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("says what to write when the pipeline has no schedule", async () => {
    writeFileSync(
      join(folder, "otto.yaml"),
      "otto: 1\npipeline: web\ntriggers: [{ push: [main] }]\nsteps: { a: { run: x } }\n",
    );
    const error = await errorOf(addSchedule({ folder }));
    expect(error).toMatchObject({ code: "OTTO_USAGE", message: "The pipeline web has no schedule." });
    expect(error.next).toContain('triggers: [{ schedule: "0 3 * * *" }]');
  });

  it("plans for a schedule, so that conditions can tell", async () => {
    const when = `when: 'trigger == "schedule"'`;
    writeFileSync(join(folder, "otto.yaml"), `otto: 1\nsteps: { a: { run: x, ${when} } }\n`);
    expect((await loadPlan({ folder, trigger: "schedule" })).plan.steps[0]?.included).toBe(true);
    expect((await loadPlan({ folder })).plan.steps[0]?.included).toBe(false);
  });
});

describe("a schedule", () => {
  it("is shown with its next slot and the last that was fired", () => {
    expect(schedulesTable([nightly], style)).toEqual([
      "PIPELINE  SCHEDULE (UTC)  NEXT              LAST              RUN           BY",
      "nightly   0 3 * * *       2026-11-23 03:00  2026-11-22 03:00  q4f6rmtw2k7c  12D3…1234",
    ]);
    expect(schedulesTable([], style)).toEqual(["No schedules. Register one with `otto schedule add`."]);
  });

  it("that missed slots says so, and what was done about them", () => {
    const [fromMs, throughMs] = [at("2026-11-20T03:00"), at("2026-11-22T03:00")];
    const missed = { count: 3, fromMs, throughMs, madeUpByMs: throughMs };
    const lines = (some: Partial<ScheduleSeen>) => missedLines([{ ...nightly, ...some }], style);
    expect(lines({})).toEqual([]);
    expect(lines({ missed })).toEqual([
      "nightly missed 3 slots (2026-11-20 03:00 to 2026-11-22 03:00), when no control peer was there to start it; the run of 2026-11-22 03:00 made up for it",
    ]);
    expect(lines({ missed: { count: 1, fromMs, throughMs: fromMs, madeUpByMs: null } })).toEqual([
      "nightly missed 1 slot (2026-11-20 03:00), when no control peer was there to start it; none was made up for",
    ]);
    expect(lines({ missed: { ...missed, count: limits.missedSlotsCountedMax } })[0]).toContain(
      "1,000 slots or more",
    );
    expect(lines({ missed, order: null })).toEqual([]);
  });

  it("whose submitter is no member any more says so", () => {
    const refused = { slotMs: at("2026-11-22T03:00"), because: "the certificate of ada has expired" };
    const newest = { throughMs: refused.slotMs, fired: null, missed: null, refused };
    expect(missedLines([{ ...nightly, newest }], style)).toEqual([
      "nightly was not started at 2026-11-22 03:00: the certificate of ada has expired",
    ]);
  });

  it("that the domain itself ended says so, though it is none any more", () => {
    const removed = { id: "o", by: "", because: "its submitter was revoked" };
    expect(missedLines([{ ...nightly, order: null, removed }], style)).toEqual([
      "nightly was ended: its submitter was revoked",
    ]);
  });
});
