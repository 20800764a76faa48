/**
 * Provenance as a control peer signs it, and has others sign it: each from the records that it has itself, and only when
 * these show that the run kept to its plan.
 */

import { OttoError } from "../../protocol/errors.ts";
import type { ProvenanceSeen } from "../../protocol/calls.ts";
import { limits } from "../../protocol/limits.ts";
import { encodeStatement, toBeSigned } from "../../protocol/provenance/statement.ts";
import { decodeExport } from "../../protocol/run-export.ts";
import { parseTree } from "../../protocol/tree.ts";
import { type OutputName, provenanceOf } from "../verify/provenance.ts";
import { askFor } from "./client.ts";
import { wordsOf } from "./error-words.ts";
import { exportRun } from "./exporting.ts";
import type { NodeHost } from "./node-host.ts";

/**
 * @param policy as the domain's owner signed it; undefined: there is none.
 * @param all also by the other control peers, of whom some may be away or see it otherwise.
 */
export async function signProvenance(
  host: NodeHost,
  name: OutputName,
  { policy, all }: { readonly policy: Uint8Array | undefined; readonly all: boolean },
): Promise<ProvenanceSeen> {
  const { identity, membership, network } = host;
  const payload = await statementBytes(host, name, policy);
  const signatures = [{ peer: identity.peer, signature: identity.sign(toBeSigned(payload)) }];
  const absent: { peer: string; why: string }[] = [];
  if (!all) return { payload, signatures, absent };
  const { certificate, charter } = membership;
  const others = charter.controls.map(({ peer }) => peer).filter((peer) => peer !== identity.peer);
  const asked = others.map(async (peer) => {
    const request = { call: "provenance", certificate, ...name, all: false } as const;
    try {
      const said = await askFor(await network.openCall(peer), request, "provenance");
      const own = said.signatures.find((one) => one.peer === peer);
      const isSame = Buffer.from(payload).equals(said.payload);
      if (own !== undefined && isSame && identity.verify(peer, toBeSigned(payload), own.signature))
        signatures.push({ peer, signature: own.signature });
      else absent.push({ peer, why: "it says something else" });
    } catch (error) {
      absent.push({ peer, why: wordsOf(error) });
    }
  });
  await Promise.all(asked);
  return { payload, signatures, absent };
}

async function statementBytes(
  host: NodeHost,
  name: OutputName,
  policy: Uint8Array | undefined,
): Promise<Uint8Array> {
  const { identity, fetching, blobs } = host;
  const exported = decodeExport(await exportRun(host, name.run, policy));
  if (!exported.ok) throw refused("The records of the run cannot be read.");
  const provenance = provenanceOf(exported.value, name, identity);
  if (!provenance.ok) throw refused(provenance.problem);
  const { tree: digest, statement } = provenance.value;
  await fetching.blobs([digest]);
  const tree = parseTree(await blobs.readBytes(digest, limits.sourceBytesMax));
  if (!tree.ok) throw refused(`The output "${name.output}" is no tree of files: ${tree.problem}.`);
  const payload = encodeStatement(statement(tree.value.files));
  return payload.length <= limits.provenanceBytesMax ? payload : encodeStatement(statement([]));
}

function refused(what: string): OttoError {
  return new OttoError("OTTO_NO_PROVENANCE", {
    what,
    state: "Nothing was signed.",
    next: "Look at the run with `otto verify RUN`, and at its steps with `otto status`.",
  });
}
