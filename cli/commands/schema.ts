/**
 * `otto schema`: the JSON Schema of the pipeline file or of a step library, for editors, of an event, or of what a command prints as JSON. Reads nothing.
 */

import { explainSchema } from "../../planner/explain-schema.ts";
import { librarySchema, pipelineSchema } from "../../planner/language.ts";
import { triggerEventSchema } from "../../planner/trigger-event.ts";
import { closest } from "../../planner/suggestions.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";

const schemas = {
  pipeline: pipelineSchema,
  library: librarySchema,
  event: triggerEventSchema,
  explain: explainSchema,
} as const;

type Subject = keyof typeof schemas;

function isSubject(word: string): word is Subject {
  return Object.hasOwn(schemas, word);
}

export async function schema(
  subject: string,
  output: { write(text: string): unknown } = process.stdout,
): Promise<ExitCode> {
  if (!isSubject(subject)) {
    const near = closest(subject, Object.keys(schemas));
    throw new OttoError("OTTO_USAGE", {
      what: `There is no schema of "${subject}".`,
      state: "Nothing was printed.",
      next: `Ask for ${near === null ? Object.keys(schemas).join(" or ") : near}: otto schema ${near ?? "pipeline"}`,
    });
  }
  output.write(`${JSON.stringify(schemas[subject](), null, 2)}\n`);
  return exitCodes.passed;
}
