/** `otto provenance`: what an output of a run was made of and by whom, signed by the control peers of its domain, as a file. */

import { callFor } from "../../node/edge/client.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { encodeBundles } from "../../protocol/provenance/bundle.ts";
import { findTarget, type TargetOptions } from "../target.ts";
import { shellWord, shortId } from "../words.ts";
import { writeNamed } from "../named-files.ts";

export type ProvenanceOptions = TargetOptions & { readonly output?: string };

export async function provenance(
  run: string,
  step: string,
  output: string,
  options: ProvenanceOptions,
): Promise<ExitCode> {
  const target = await findTarget(options);
  try {
    const request = { call: "provenance", run, step, output, all: true } as const;
    const { certificate } = target;
    for await (const item of callFor(await target.open(), { ...request, certificate })) {
      if (item.kind !== "provenance") continue;
      const path = options.output ?? `${run}.${output}.sigstore.jsonl`;
      writeNamed(path, encodeBundles(item));
      const { signatures, absent } = item;
      const of = signatures.length + absent.length;
      process.stdout.write(
        `Wrote ${path}, signed by ${signatures.length} of ${of} control peers. Verify it anywhere with: otto verify ${shellWord(path)} --artifact PATH\n`,
      );
      for (const { peer, why } of absent)
        process.stderr.write(`otto: control peer ${shortId(peer)} did not sign: ${why}\n`);
      return exitCodes.passed;
    }
    throw new OttoError("OTTO_UNREACHABLE", {
      what: "The node ended the call without an answer.",
      next: "Ask again, or ask another peer.",
    });
  } finally {
    await target.close();
  }
}
