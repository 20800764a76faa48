/**
 * A world as one HTML file that needs nothing else: its verdict and the cause in a sentence, how to run it again, a lane
 * for each peer over virtual time, and what never happened in it. Dark and light as the reader's system is; the arrow
 * keys go from one mark to the next, + and - zoom.
 */

import { messageKinds } from "../protocol/messages.ts";
import { allCheckers } from "./checkers/all.ts";
import { simulatedKeys } from "./keys.ts";
import { faultKinds } from "./read-schedule.ts";
import { type Mark, Recording, type Span } from "./recording.ts";
import { reportScript, reportStyle } from "./report-page.ts";
import type { Schedule } from "./schedule.ts";
import { runWorld, type WorldResult } from "./world.ts";

const laneHeight = 34;
const labelsHeight = 24;

type Reported = {
  readonly result: WorldResult;
  readonly recording: Recording;
  readonly title: string;
  /** The command that runs it again. */
  readonly replay: string;
};

/** Runs the schedule once more, and writes down what is worth showing. */
export async function reportOf(
  schedule: Schedule,
  words: Pick<Reported, "title" | "replay">,
): Promise<{ readonly result: WorldResult; readonly html: string }> {
  const names = new Map(schedule.peers.map(({ name }) => [simulatedKeys(name).peer, name]));
  const recording = new Recording((id) => names.get(id) ?? id);
  const observers = [recording, ...allCheckers()];
  const result = await runWorld({ schedule, checkers: observers, encoded: false });
  recording.over(result.virtualUs);
  return { result, html: reportHtml({ result, recording, ...words }) };
}

function reportHtml({ result, recording, title, replay }: Reported): string {
  const { violation, verdict, virtualUs, messages, schedule } = result;
  const cause =
    violation === null
      ? `Every promise held for ${secondsOf(virtualUs)} of virtual time.`
      : violation.message;
  const [sentence = ""] = cause.split("\n", 1);
  const word = { passed: "Passed", violated: "Violated", undecided: "Undecided" }[verdict];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${escaped(`${word}: ${title}`)}</title>
<style>${reportStyle}</style>
</head>
<body>
<header>
<h1><span class="verdict ${verdict}">${word}</span> ${escaped(title)}</h1>
<p class="cause">${escaped(sentence.slice(0, 600))}</p>
<p>Run it again: <code>${escaped(replay)}</code></p>
<p class="figures">${figures(result)}</p>
</header>
<main>
<h2>Lanes over virtual time</h2>
<p id="told" role="status" aria-live="polite">Left and right: from one mark to the next. Plus and minus: zoom. Home: all of it.</p>
<div class="scroll" tabindex="0" aria-label="Lanes of the peers">${lanes(recording, violation !== null)}</div>
<ul class="legend">${legend(violation !== null)}</ul>
${recording.dropped > 0 ? `<p>${recording.dropped} more marks and spans are not shown.</p>` : ""}
<h2>${violation === null ? "The end" : "Before it happened"}</h2>
<pre>${escaped(recording.last.join("\n"))}</pre>
<h2>What was never hit</h2>
<dl>
${never(
  "Faults of other kinds",
  faultKinds.filter((kind) => !recording.faults.has(kind)),
)}
${never(
  "Messages of other kinds",
  messageKinds.filter((kind) => !recording.messages.has(kind)),
)}
${never("What happens now and then", recording.never)}
</dl>
<h2>What was</h2>
<dl>
<dt>Faults</dt><dd>${counted(recording.faults)}</dd>
<dt>Messages (${messages})</dt><dd>${counted(recording.messages)}</dd>
<dt>Lost for good</dt><dd>${escaped(schedule.lost.join(", ") || "nobody")}</dd>
</dl>
</main>
<script>${reportScript}</script>
</body>
</html>
`;
}

function figures({ seed, messages, happened, virtualUs, peers, schedule }: WorldResult): string {
  const steps = schedule.runs.reduce((sum, { plan }) => sum + plan.steps.length, 0);
  return [
    `seed ${seed}`,
    counting(peers, "peer"),
    `${counting(schedule.runs.length, "run")} with ${counting(steps, "step")}`,
    counting(schedule.faults.length, "fault"),
    `${messages} messages`,
    `${happened} happenings`,
    `${secondsOf(virtualUs)} of virtual time`,
  ].join(" · ");
}

function counting(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function lanes(recording: Recording, isBroken: boolean): string {
  const { endUs, spans, marks } = recording;
  const peers = recording.peers.toSorted();
  const height = peers.length * laneHeight + labelsHeight;
  const at = (us: number): string => ((100 * us) / Math.max(1, endUs)).toFixed(3);
  const top = (peer: string): number => Math.max(0, peers.indexOf(peer)) * laneHeight;
  const rows = peers.map(
    (peer) =>
      `<line class="base" x1="0" x2="100%" y1="${top(peer) + laneHeight - 1}" y2="${top(peer) + laneHeight - 1}"/>`,
  );
  const order: readonly Span["kind"][] = ["fault", "down", "paused", "reign", "step"];
  const drawn = order.flatMap((kind) =>
    spans
      .filter((span) => span.kind === kind)
      .map((span) => {
        const isAll = span.peer === "";
        const [y, tall] = shapeOf(kind);
        const width = Math.max(0.08, Number(at(span.untilUs - span.fromUs)));
        const where = isAll
          ? `y="0" height="${peers.length * laneHeight}"`
          : `y="${top(span.peer) + y}" height="${tall}"`;
        return `<rect class="${kind}" x="${at(span.fromUs)}%" width="${width}%" ${where}><title>${told(span.peer, span.fromUs, span.text)}</title></rect>`;
      }),
  );
  const dots = marks.map(
    (mark) =>
      `<circle class="mark ${mark.kind}" cx="${at(mark.atUs)}%" cy="${top(mark.peer) + markHeight(mark)}" r="3.5"><title>${told(mark.peer, mark.atUs, mark.text)}</title></circle>`,
  );
  const ticks = [0, 20, 40, 60, 80].map(
    (part) => `<text class="tick" x="${part}%" y="${height - 7}">${secondsOf((endUs * part) / 100)}</text>`,
  );
  const red = isBroken
    ? `<line class="violation" x1="99.8%" x2="99.8%" y1="0" y2="${height - labelsHeight}"/>`
    : "";
  const names = peers.map((peer) => `<li>${escaped(peer)}</li>`).join("");
  return `<ul class="names">${names}</ul><div class="view"><svg id="lanes" width="100%" height="${height}" role="img" aria-label="What each peer did">${[...rows, ...drawn, ...dots, ...ticks].join("")}${red}</svg></div>`;
}

/** From the top of a lane, and how tall. */
function shapeOf(kind: Span["kind"]): readonly [number, number] {
  switch (kind) {
    case "fault":
      return [0, laneHeight];
    case "down":
    case "paused":
      return [12, 10];
    case "reign":
      return [4, 6];
    case "step":
      return [22, 8];
    default:
      throw new Error(`Bug: no such span ${String(kind satisfies never)}`);
  }
}

function markHeight({ kind }: Mark): number {
  return kind === "grant" ? 7 : kind === "refused" ? 28 : 17;
}

function legend(isBroken: boolean): string {
  const words = [
    ["reign", "home"],
    ["step", "a step runs"],
    ["down", "down"],
    ["paused", "paused"],
    ["fault", "fault"],
    ["grant", "grant"],
    ["result", "result"],
    ["lost", "lease ran out"],
    ["closed", "run closed"],
    ["refused", "refused"],
    ...(isBroken ? [["broken", "a promise was broken"]] : []),
  ];
  return words.map(([kind, text]) => `<li><i class="${kind}"></i>${text}</li>`).join("");
}

function never(what: string, names: readonly string[]): string {
  return `<dt>${what}</dt><dd>${names.length === 0 ? "all were" : escaped(names.join(", "))}</dd>`;
}

function counted(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].toSorted(([, left], [, right]) => right - left);
  return escaped(sorted.map(([kind, count]) => `${kind} ${count}`).join(", ") || "none");
}

function told(peer: string, atUs: number, text: string): string {
  const short = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return escaped(`${secondsOf(atUs)} ${peer === "" ? "everybody" : peer}: ${short}`);
}

function secondsOf(us: number): string {
  return `${(us / 1_000_000).toFixed(us < 10_000_000 ? 2 : 1)} s`;
}

/** Nothing that a step or a peer is called can become markup. */
function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
