import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { scheduleOf } from "../../simulations/generate.ts";
import { readKept } from "../../simulations/kept.ts";
import { Recording } from "../../simulations/recording.ts";
import { reportOf } from "../../simulations/report.ts";
import type { Schedule } from "../../simulations/schedule.ts";

async function pageOf(schedule: Schedule): Promise<string> {
  const { html } = await reportOf(schedule, { title: "a <b>world</b>", replay: "again & again" });
  return html;
}

describe("the report of a world", () => {
  it("is one document that asks for nothing, with a lane for each peer and a band for each fault", async () => {
    const schedule = scheduleOf(6);
    const html = await pageOf(schedule);
    expect(html).toMatch(/^<!doctype html>\n<html lang="en">/u);
    expect(html).toContain("default-src 'none'");
    expect(html).not.toMatch(/(?:src|href)=|url\(|@import|https?:/u);
    for (const { name } of schedule.peers) expect(html).toContain(`<li>${name}</li>`);
    const bands = html.match(/<rect class="fault"/gu) ?? [];
    expect(bands.length).toBeGreaterThanOrEqual(schedule.faults.length);
    for (const kind of ["reign", "step", "mark grant", "mark result", "mark closed"])
      expect(html).toContain(`class="${kind}"`);
    expect(html).toContain('<span class="verdict passed">Passed</span>');
    expect(html).not.toContain('class="violation"');
    expect(html).toMatch(/Faults of other kinds<\/dt><dd>.*crash/u);
  });

  it("takes no name for markup", async () => {
    const html = await pageOf(scheduleOf(2));
    expect(html).toContain("a &lt;b&gt;world&lt;/b&gt;");
    expect(html).toContain("again &amp; again");
  });

  it("has every tag closed that it opens", async () => {
    const html = (await pageOf(scheduleOf(7))).replaceAll(/<(style|script)>.*?<\/\1>/gsu, "");
    const open: string[] = [];
    for (const [, end, name = "", rest = ""] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>/gu)) {
      if (name === "meta" || rest.endsWith("/")) continue;
      if (end === "") open.push(name);
      else expect(open.pop()).toBe(name);
    }
    expect(open).toEqual([]);
  });

  it("stays small, and tells of what it leaves out", () => {
    const recording = new Recording((id) => id);
    for (let atUs = 0; atUs < 5_000; atUs += 1)
      recording.observe({ atUs, peer: "control0", kind: "refused", because: "late", from: null });
    recording.over(5_000);
    expect([recording.marks.length, recording.dropped]).toEqual([3_000, 2_000]);
    expect(recording.last.length).toBeLessThanOrEqual(40);
  });

  it("is the same each time", async () => {
    const kept = readKept(
      readFileSync(new URL("../../simulations/kept/offered-too-early.json", import.meta.url), "utf8"),
    );
    if (!kept.ok) throw new Error(kept.problem);
    expect(await pageOf(kept.value.schedule)).toBe(await pageOf(kept.value.schedule));
  });
});
