/** A credential in the two schemas: as a pipeline file says it, and as `otto explain --json` does. */

import { credentialKinds, exposures, type StepCredential } from "../protocol/plan.ts";
import { type JsonSchema, oneOf, record } from "./json-schema.ts";

type Kind = StepCredential["kind"];

const credentialWords: Readonly<Record<Kind, string>> = {
  http: "The base address of requests that it may be sent with.",
  git: "The address of repositories that it may be used for.",
  npm: "The address of an npm registry.",
  pip: "The address of a Python package index.",
  oci: "The host of a container registry.",
  ssh: "Whom it may log in as, and where, as `USER@HOST`.",
  oidc: "The audience of a token that the domain makes.",
};

/** @param place a text that is not empty. */
export function credentialKeys(place: JsonSchema): Readonly<Record<Kind | "expose", JsonSchema>> {
  const kinds = credentialKinds.map((kind) => [kind, { description: credentialWords[kind], ...place }]);
  return {
    ...(Object.fromEntries(kinds) as Record<Kind, JsonSchema>),
    expose: {
      description:
        "Gives the step the value itself, in a file, or in a variable. The domain's policy must name it.",
      enum: [true, "variable"],
    },
  };
}

export function explainedCredential(text: JsonSchema): JsonSchema {
  const keys = { name: text, kind: oneOf(credentialKinds), to: text, expose: oneOf(exposures) };
  return record<StepCredential>(keys, "expose");
}
