/** What becomes of the steps of a worker that is stopped past its lease when there is no home, either. */

import { expect, it } from "vitest";
import { reofferAfterMs } from "../../node/core/leases.ts";
import { Mesh } from "./mesh.ts";

/**
 * A home is back, and linked to its workers, before this is over: what they hold stays theirs. Workers dial one that was away
 * again after seven seconds and a half at the latest.
 */
const leaseSeconds = 10;

it("a worker that is stopped past its lease, with nobody there to tell it: what reaches outside is killed in time, and only that", async () => {
  const mesh = await Mesh.found({
    controls: 1,
    workers: [
      ["--slots", "1"],
      ["--slots", "1"],
    ],
    leaseSeconds,
  });
  try {
    const [control] = mesh.controls;
    if (control === undefined) throw new Error("The mesh has no control peer.");
    const gate = mesh.gate();
    const mailbox = mesh.mailbox();
    const wait = `echo $OTTO_STEP > ${mailbox.path}; read -r _ < ${gate.path}`;
    const steps = `  deploy:\n    environment: production\n    run: "${wait}"\n  plain:\n    run: "${wait}"\nenvironments: { production: {} }\n`;
    const run = await mesh.submit(mesh.repository("outside", steps), control);
    const watch = control.watch(run);
    const isOf = (name: string) => (event: { readonly step: string }) => event.step === name;
    const { worker: outside } = await watch.event("attempt-started", isOf("deploy"));
    const { worker: inside } = await watch.event("attempt-started", isOf("plain"));
    await mailbox.line(/deploy/u);
    await mailbox.line(/plain/u);
    const [deploys, plain] = [outside, inside].map((peer) => mesh.workers.find((node) => node.peer === peer));
    deploys?.pause();
    await control.kill();
    // Before a home would have offered the step to another.
    const pausedMs = performance.now();
    await deploys?.stepsAreGone();
    expect(performance.now() - pausedMs).toBeLessThan(reofferAfterMs(leaseSeconds * 1_000));
    expect(plain?.stepProcesses).not.toEqual([]);
    deploys?.resume();
    await control.restart();
    gate.open();
    const after = control.watch(run);
    expect(await after.event("attempt-ended", isOf("plain"))).toMatchObject({
      attempt: 1,
      cause: "finished",
    });
    expect(await after.event("attempt-ended", isOf("deploy"))).toMatchObject({
      attempt: 1,
      cause: "lost",
      final: true,
    });
    expect(await after.closed()).toBe("failed");
  } finally {
    await mesh.end();
  }
});
