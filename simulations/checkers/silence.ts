/**
 * Beyond what the design bears, for worlds of `scheduleBeyond`: promises may be broken there, but not in silence. Of
 * each breach that an outsider sees, somebody who asks the honest control peers that are left sees a trace: verifying the
 * run finds something, they disagree or call a log forked, or the run has not come to its end.
 *
 * Breaches that are looked for: two results of one step were accepted; a run was closed in two ways; a run that was
 * said to be admitted is known to nobody.
 */

import { verifyRun } from "../../node/verify/verify.ts";
import { openEnvelope } from "../../protocol/envelope.ts";
import { acksIn, type SignedResult } from "../../protocol/messages.ts";
import { verifySimulated } from "../keys.ts";
import { type Checker, type Ending, type Observation, Violation } from "../observation.ts";
import { KnownLiars } from "./known-liars.ts";

type Sent = Extract<Observation, { kind: "sent" }>;

export function silenceChecker(): Checker {
  const liars = new KnownLiars();
  /** By run, step and token: a result that says that the step passed. */
  const passing = new Set<string>();
  /** By run and step: the tokens under which such a result was accepted, and whose it was. */
  const accepted = new Map<string, Set<string>>();
  const closed = new Map<string, Set<string>>();
  const admitted = new Set<string>();

  const heard = ({ peer, to, message }: Sent): void => {
    if (message.kind === "result") {
      const result = resultIn(message.envelope);
      if (result?.report.outcome === "passed") passing.add(`${result.run} ${result.index} ${result.token}`);
    }
    if (liars.has(peer)) return;
    if (message.kind === "announced" && message.state === "admitted") admitted.add(message.run);
    for (const { lease, verdict } of acksIn(message)) {
      const { run, index, token } = lease;
      if (verdict === "accepted" && passing.has(`${run} ${index} ${token}`))
        add(accepted, `${run} ${index}`, `${token} at ${to}`);
    }
  };

  return {
    name: "silence",
    looksAt: ["fault", "sent result", "sent announced", "sent ack", "sent grant", "recorded"],
    observe: (observation) => {
      liars.observe(observation);
      if (observation.kind === "sent") heard(observation);
      if (observation.kind !== "recorded" || liars.has(observation.peer)) return;
      for (const event of observation.events)
        if (event.kind === "run-closed") add(closed, event.run, event.outcome);
    },
    finish: (ending) => {
      const honest = ending.controls.filter(({ peer }) => !liars.has(peer));
      for (const [step, tokens] of accepted) {
        const [run = ""] = step.split(" ");
        if (tokens.size > 1 && !isTraced(run, honest))
          throw new Violation(
            "silence",
            `results of ${step} were accepted under ${[...tokens].join(" and ")}`,
          );
      }
      for (const [run, outcomes] of closed)
        if (outcomes.size > 1 && !isTraced(run, honest))
          throw new Violation("silence", `${run} was closed as ${[...outcomes].join(" and ")}`);
      for (const run of admitted)
        if (
          ending.finished &&
          honest.length > 0 &&
          honest.every(({ exported }) => knowsNothing(exported(run)))
        )
          throw new Violation("silence", `${run} was said to be admitted, and nobody knows of it`);
    },
  };
}

function add<Value>(sets: Map<string, Set<Value>>, key: string, value: Value): void {
  sets.set(key, (sets.get(key) ?? new Set<Value>()).add(value));
}

function resultIn(envelope: Uint8Array): SignedResult | null {
  const opened = openEnvelope(envelope, { kind: "result", domain: null }, { verify: verifySimulated });
  return opened.ok ? (opened.value.value as SignedResult) : null;
}

function knowsNothing({ entries, bundle }: ReturnType<Ending["controls"][number]["exported"]>): boolean {
  return entries.length === 0 && bundle === null;
}

/** What a person finds who asks each of them for the run and verifies it. */
function isTraced(run: string, honest: Ending["controls"]): boolean {
  if (new Set(honest.map(({ heads }) => JSON.stringify(heads))).size !== 1) return true;
  return honest.some(({ exported, forks }) => {
    const { findings, state } = verifyRun(exported(run), "dev", { verify: verifySimulated });
    return forks.length > 0 || findings.length > 0 || state === "open";
  });
}
