/** What `otto verify` found, as text: one paragraph when the run kept to its plan, else every deviation. */

import type { Finding } from "../../node/verify/finding.ts";
import type { Verification } from "../../node/verify/verify.ts";
import { countWords, shortId } from "../words.ts";
import { type Line, paint } from "./line.ts";

type Options = {
  readonly color: boolean;
  /** The option that names the expected domain, when none was expected. */
  readonly hint: string | null;
};

/** All of it may come from a file that anybody wrote: `paint` lets none of it reach a terminal as it is. */
export function verificationText(verification: Verification, { color, hint }: Options): string {
  const { findings, findingsLeft, uncertified, domain } = verification;
  const lines: Line[] = [verdictLine(verification), ...findings.flatMap(findingLines)];
  if (findingsLeft > 0)
    lines.push([{ text: `and ${countWords(findingsLeft, "more deviation")}`, style: "dim" }]);
  if (findings.length > 0) lines.push([]);
  lines.push([{ text: factWords(verification) }]);
  if (domain !== null) lines.push([{ text: domainWords(domain, hint) }]);
  for (const { id, name } of verification.others)
    lines.push([
      {
        text: `Domain ${name}, ${id}, signed how its own steps ended. Whether that is the one you trust is for you to compare.`,
      },
    ]);
  const policy = policyWords(verification);
  if (policy !== null) lines.push([{ text: policy }]);
  if (uncertified.length > 0)
    lines.push([
      {
        text:
          `Not shown: certificates of ${uncertified.map(shortId).join(", ")}. ` +
          "That they are workers of the domain is what its control peers say.",
        style: "yellow",
      },
    ]);
  return lines.map((line) => `${paint(line, { width: null, color })}\n`).join("");
}

function verdictLine({ run, planId, state, verdict, findings, findingsLeft }: Verification): Line {
  const plan = planId === null ? "its plan" : `its plan ${planId}`;
  const open = state === "open";
  if (verdict === "kept" && open)
    return [{ text: `Run ${run} has not ended. `, style: "yellow" }, { text: `So far it keeps to ${plan}.` }];
  if (verdict === "kept")
    return [{ text: `Run ${run} kept to ${plan}`, style: "green" }, { text: `; it ended as ${state}.` }];
  const times = countWords(findings.length + findingsLeft, "place");
  const begin = open ? `Run ${run} has not ended, and deviates` : `Run ${run} deviates`;
  return [{ text: `${begin} from ${plan} in ${times}.`, style: "red" }];
}

function findingLines({ code, step, expected, recorded }: Finding): Line[] {
  return [
    [
      { text: "\u2717 ", style: "red" },
      { text: step ?? "the run", style: "bold" },
      { text: ` (${code})`, style: "dim" },
    ],
    [{ text: `  allowed:  ${expected}` }],
    [{ text: `  recorded: ${recorded}` }],
  ];
}

function factWords({ steps, attempts, entries, authors, workers, submitter }: Verification): string {
  const by = submitter === null ? "" : `, submitted by ${submitter.name} (${shortId(submitter.peer)})`;
  return (
    `${countWords(steps, "step")}, ${countWords(attempts, "attempt")} on ${countWords(workers.length, "worker")}; ` +
    `${countWords(entries, "entry", "entries")} signed by ${countWords(authors.length, "control peer")}${by}.`
  );
}

function policyWords({ policy: shown, environments }: Verification): string | null {
  if (shown === null)
    return environments.length === 0
      ? null
      : `No policy of the domain is in the records: what it demanded of ${environments.join(", ")} is not judged.`;
  const { version, signedMs, judged } = shown;
  const policy = `version ${version} of its policy, signed ${new Date(signedMs).toISOString()}`;
  return judged
    ? `Gates are judged by ${policy}.`
    : `What the records show of gates is judged, and not what was demanded: ${policy}, is no older than the run.`;
}

function domainWords(
  { id, name }: { readonly id: string; readonly name: string },
  hint: string | null,
): string {
  const words = `Domain ${name}, ${id}.`;
  return hint === null
    ? words
    : `${words} Whether that is the one you trust is for you to compare (${hint}).`;
}
