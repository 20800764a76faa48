/** `otto peers`: who is in the mesh, as the asked node sees it, and what that node refused. */

import { askFor } from "../../node/edge/client.ts";
import { type ExitCode, exitCodes } from "../../protocol/errors.ts";
import { forkWords, peersTable, revokedWords } from "../render/peers.ts";
import { visible } from "../render/sanitize.ts";
import { wantsColor } from "../render/renderer.ts";
import { findTarget, type TargetOptions } from "../target.ts";

export async function peers(options: TargetOptions & { readonly json?: boolean }): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const { certificate } = target;
    const seen = await askFor(await target.open(), { call: "peers", certificate }, "peers");
    const { node, peers: rows } = seen;
    if (options.json === true) {
      process.stdout.write(`${JSON.stringify({ ...node, peers: rows })}\n`);
      return exitCodes.passed;
    }
    const { stdout } = process;
    const columns = stdout.isTTY ? stdout.columns : null;
    const lines = [
      visible(
        node.formed
          ? `Domain ${node.domainName}, ${node.size} control ${node.size === 1 ? "peer" : "peers"}`
          : `Domain ${node.domainName}, being formed: ${node.controls} of ${node.size} control peers have joined`,
      ),
      ...peersTable(rows, { nowMs: Date.now(), color: wantsColor(stdout), columns }),
    ];
    const reached = rows.filter(({ role, state }) => role === "control" && state !== "unlinked").length;
    if (node.formed && reached * 2 <= node.size)
      lines.push(
        `Only ${reached} of ${node.size} control peers can be reached from here: nothing new is decided until more than half can.`,
      );
    lines.push(...node.revoked.map(revokedWords));
    lines.push(...node.forks.map((fork) => visible(forkWords(fork, rows))));
    const refused = Object.entries(node.refused).map(([because, count]) => `${count} ${because}`);
    if (refused.length > 0)
      lines.push(visible(`Refused by this node since it started: ${refused.join(", ")}`));
    stdout.write(`${lines.join("\n")}\n`);
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}
