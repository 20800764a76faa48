/**
 * Output that is kept is the beginning of what its attempt wrote, byte by byte, brought by the worker that ran it and by
 * nobody else; what a worker was told is kept survives that worker, and the process of whoever keeps it.
 */

import { equals } from "uint8arrays/equals";
import { type Checker, type PeerName, Violation } from "../observation.ts";

export function outputsChecker(): Checker {
  const ranAt = new Map<string, PeerName>();
  const written = new Map<string, Uint8Array>();
  /** By keeper and attempt: how much its worker was told is kept. */
  const promised = new Map<string, { readonly peer: PeerName; readonly id: string; readonly end: number }>();
  return {
    name: "outputs",
    looksAt: ["step-started", "step-wrote", "outputs-gone", "sent output-kept", "output-kept"],
    observe: (observation) => {
      if (observation.kind === "step-started") ranAt.set(observation.assignment.id, observation.peer);
      if (observation.kind === "step-wrote") {
        const { assignment, bytes } = observation;
        written.set(assignment, Buffer.concat([written.get(assignment) ?? new Uint8Array(), bytes]));
      }
      if (observation.kind === "outputs-gone")
        for (const [key, { peer }] of promised) if (peer === observation.peer) promised.delete(key);
      // Whoever says so may have lost its disk by the time that it is heard.
      if (observation.kind === "sent" && observation.message.kind === "output-kept") {
        const { peer, message } = observation;
        const { run, index, attempt, end } = message;
        const id = `${run}-${index}-${attempt}`;
        promised.set(`${peer} ${id}`, { peer, id, end });
      }
      if (observation.kind !== "output-kept") return;
      const { peer, id, by, bytes } = observation;
      if (ranAt.get(id) !== by)
        throw new Violation(
          "outputs",
          `${peer} keeps output of ${id}, which ran at ${ranAt.get(id)}, from ${by}`,
        );
      const all = written.get(id) ?? new Uint8Array();
      if (bytes.length > all.length || !equals(bytes, all.subarray(0, bytes.length)))
        throw new Violation("outputs", `${peer} keeps of ${id} what it did not write`);
    },
    finish: ({ finished, controls }) => {
      if (!finished) return;
      for (const { peer, id, end } of promised.values()) {
        const keeper = controls.find((one) => one.peer === peer);
        if (keeper !== undefined && keeper.output(id).length < end)
          throw new Violation(
            "outputs",
            `${peer} had ${end} bytes of ${id}, and has ${keeper.output(id).length}`,
          );
      }
    },
  };
}
