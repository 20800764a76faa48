/** A process of the bare path: what a home, or whoever votes, is in a claim, without anything of Otto's. Started by `bare-path.ts`. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { multiaddr } from "@multiformats/multiaddr";
import { Level } from "level";
import { answered, bareNode, type BareRole, bareProtocol, bytesOf, talk } from "./bare-path.ts";

const role = process.argv[2] as BareRole;
const folder = mkdtempSync(join(tmpdir(), "otto-bare-path-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
process.once("disconnect", () => process.exit());

const database = new Level<string, Uint8Array>(folder, { valueEncoding: "view" });
await database.open();
const node = await bareNode(["/ip4/127.0.0.1/tcp/0"]);
let written = 0;

const write = async (): Promise<void> => {
  written += 1;
  await database.put(`claim/${written}`, bytesOf.entry, { sync: true });
};

if (role === "voter")
  await node.handle(bareProtocol, (stream) =>
    talk(stream, async () => {
      await write();
      stream.send(bytesOf.vote);
    }),
  );
else {
  const voter = await node.dialProtocol(multiaddr(process.argv[3] ?? ""), bareProtocol);
  const vote = answered(voter);
  await node.handle(bareProtocol, (stream) =>
    talk(stream, async () => {
      // As a home does: the other's disk and its own work at once.
      const voted = vote();
      voter.send(bytesOf.round);
      await Promise.all([voted, write()]);
      stream.send(bytesOf.grant);
    }),
  );
}
process.send?.(String(node.getMultiaddrs()[0]));
