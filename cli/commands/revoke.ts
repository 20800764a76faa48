/** `otto revoke`: a machine or a person is no member any more, from now on and for ever: who is to come back joins with a new key. */

import { askFor } from "../../node/edge/client.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { charterOf, documentsOf, putDocument } from "../domain-documents.ts";
import { ownerOf, type OwnerOptions } from "../owner.ts";
import { findTarget, type Target } from "../target.ts";
import { shortId } from "../words.ts";

export type RevokeOptions = OwnerOptions & { readonly because?: string };

/** @param named a peer's name or id, or a person's key; without it, those that were revoked are listed. */
export async function revoke(named: string | undefined, options: RevokeOptions): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const charter = await charterOf(target);
    if (named === undefined) {
      const known = await documentsOf(target, charter, "revocation");
      const lines = known.map(({ document: { name, body, timeMs } }) => {
        const { because = "" } = (body ?? {}) as { because?: string };
        return `${name}  ${new Date(timeMs).toISOString()}${because === "" ? "" : `  ${because}`}`;
      });
      process.stdout.write(lines.length === 0 ? "Nobody is revoked.\n" : `${lines.join("\n")}\n`);
      return exitCodes.passed;
    }
    const name = await peerOf(target, named);
    if (charter.controls.some(({ peer }) => peer === name))
      throw usage(
        `${named} is a control peer of the domain.`,
        `Take its vote first: otto control remove ${named}, or otto control replace ${named} OTHER.`,
      );
    const owner = ownerOf(options, charter, {
      what: "Only the domain's owner revokes a certificate",
      state: "Nothing was revoked.",
    });
    const document = { topic: "revocation", name, body: { because: options.because ?? "" } } as const;
    await putDocument(target, charter, document, { keys: owner, certificate: null });
    process.stdout.write(
      `${named === name ? shortId(name) : named} is revoked: its links end now, and what it says counts no more.\n`,
    );
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

async function peerOf(target: Target, named: string): Promise<string> {
  const { certificate } = target;
  const { peers } = await askFor(await target.open(), { call: "peers", certificate }, "peers");
  const found = peers.filter(({ peer, name }) => name === named || peer === named);
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only.peer;
  if (found.length > 1)
    throw usage(`${named} is the name of ${found.length} peers.`, "Give the peer's id: otto peers");
  // A person is linked to nobody: the key itself is named.
  if (/^12D3Koo[1-9A-HJ-NP-Za-km-z]{40,}$/u.test(named)) return named;
  throw usage(`No peer ${named} is known here.`, "Look with `otto peers`; a person is named by the key.");
}

function usage(what: string, next: string): OttoError {
  return new OttoError("OTTO_USAGE", { what, state: "Nothing was revoked.", next });
}
