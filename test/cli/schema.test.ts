/** `otto schema` prints JSON Schemas that editors can read. */

import { describe, expect, it } from "vitest";
import { schema } from "../../cli/commands/schema.ts";
import { explainSchema } from "../../planner/explain-schema.ts";
import { pipelineSchema } from "../../planner/language.ts";
import { OttoError } from "../../protocol/errors.ts";

async function printed(subject: string): Promise<unknown> {
  let text = "";
  expect(await schema(subject, { write: (more) => (text += more) })).toBe(0);
  return JSON.parse(text);
}

describe("otto schema", () => {
  it("prints the schema of the pipeline file, and of an explanation", async () => {
    expect(await printed("pipeline")).toEqual(pipelineSchema());
    expect(await printed("explain")).toEqual(explainSchema());
    expect(pipelineSchema().$schema).toBe("http://json-schema.org/draft-07/schema#");
  });

  it("says what there is when asked for something else", async () => {
    const error: unknown = await schema("explian", { write: () => expect.fail() }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(OttoError);
    expect(error).toMatchObject({ code: "OTTO_USAGE", next: "Ask for explain: otto schema explain" });
  });
});
