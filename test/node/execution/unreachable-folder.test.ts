/** A worker of root's whose folder is closed to others, where nothing can be put that slots' users reach: it goes on without them. */

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { identityOf } from "../../../node/edge/execution/processes.ts";
import { isolationWords } from "../../../node/edge/execution/sandbox/probe.ts";
import { makeSurroundings } from "./surroundings.ts";

it.skipIf(process.getuid?.() !== 0 || process.platform !== "linux")(
  "reaches no level but S0, says why, and runs steps (skipped where it is not root on Linux)",
  async () => {
    const closed = mkdtempSync(join(tmpdir(), "otto-closed-"));
    const folder = join(closed, "worker");
    mkdirSync(join(folder, "execution"), { recursive: true });
    const inTheWay = join("/var/lib/otto", identityOf(join(folder, "execution")));
    mkdirSync("/var/lib/otto", { recursive: true });
    writeFileSync(inTheWay, "");
    const isolation = { atMost: "S2", byDefault: "S0", visible: [], secrets: [] } as const;
    const worker = await makeSurroundings({ folder, isolation });
    try {
      const { reached, probed } = worker.executor;
      expect(isolationWords(reached, probed)).toBe(
        "Steps run at most at level S0 (as this user, with all that this user can reach); not S1, since what steps of " +
          `other users need cannot be put where they reach it (EEXIST: file already exists, mkdir '${inTheWay}').`,
      );
      expect(await worker.run(["true"])).toMatchObject({ outcome: "passed" });
    } finally {
      await worker.close();
      rmSync(inTheWay);
      rmSync(closed, { recursive: true });
    }
    expect(existsSync(closed)).toBe(false);
  },
);
