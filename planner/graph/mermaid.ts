/**
 * A plan's graph as Mermaid text, which many places that show Markdown draw. Whatever a file says becomes text of a
 * label: every sign that could mean something to Mermaid, Markdown or HTML is written as a number.
 */

import type { Plan } from "../../protocol/plan.ts";
import { printable } from "../diagnostics.ts";
import { type Box, pictureOf } from "./picture.ts";

/** Of one line of a label, in characters. */
const charactersMax = 60;

export function mermaidOf(plan: Plan, planId: string): string {
  const { boxes, arrows, implied } = pictureOf(plan);
  const lines = [`%% pipeline ${plan.pipeline.replace(/[^\w.-]/g, " ")}, plan ${planId}`, "flowchart LR"];
  if (implied > 0) lines.splice(1, 0, `%% needs that follow from others and are not drawn: ${implied}`);
  for (const [rank, box] of boxes.entries()) lines.push(`  n${rank}["${labelOf(box)}"]`);
  for (const { from, to, kind, words } of arrows) {
    const label = words === "" ? "" : `|"${escaped(words)}"|`;
    lines.push(`  n${from} ${kind === "out" ? "-.->" : "-->"}${label} n${to}`);
  }
  for (const kind of ["effect", "out"] as const) {
    const members = boxes.flatMap((box, rank) => (box.kind === kind ? [`n${rank}`] : []));
    if (members.length > 0) lines.push(`  class ${members.join(",")} ${kind}`);
  }
  lines.push("  classDef effect stroke:#0969da,stroke-width:2px");
  lines.push("  classDef out color:#6e7781,stroke:#8c959f,stroke-dasharray:4 3", "");
  return lines.join("\n");
}

function labelOf({ name, details }: Box): string {
  return [name, ...details].map((line) => escaped(line)).join("<br/>");
}

/** Letters and digits of any script, and signs that mean nothing, stay as they are. */
function escaped(text: string): string {
  const shown = text.length > charactersMax ? `${text.slice(0, charactersMax - 1)}…` : text;
  return printable(shown).replace(
    /\.(?= )|[^\p{L}\p{N} _.,=:()…-]/gu,
    (sign) => `#${sign.codePointAt(0) ?? 0xfffd};`,
  );
}
