/** What a step is told of secrets that it is given itself: in a file of its own, or in a variable where the pipeline asks for one. */

import { Buffer } from "node:buffer";
import type { StepCredential } from "../plan.ts";
import { type Told, variableOf } from "./variables.ts";

export type ExposedValue = { readonly credential: StepCredential; readonly value: Uint8Array };

/** @param folder where the files will be. */
export function toldOfExposed(exposed: readonly ExposedValue[], folder: string): Told {
  const variables: Record<string, string> = {};
  const files: Record<string, string> = {};
  for (const [at, { credential, value }] of exposed.entries()) {
    const own = variableOf(credential.name);
    const text = Buffer.from(value).toString("latin1");
    if (credential.expose === "variable") {
      variables[own] = text;
      continue;
    }
    files[`exposed-${at}`] = text;
    variables[`${own}_FILE`] = `${folder}/exposed-${at}`;
  }
  return { variables, files };
}
