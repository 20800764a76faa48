/**
 * The part of JSON Schema that Otto publishes: draft-07, which every editor's YAML support understands.
 *
 * A `$ref` stands alone: draft-07 ignores what is written beside it.
 */

export type JsonSchema = {
  readonly $schema?: string;
  readonly $ref?: string;
  readonly title?: string;
  readonly description?: string;
  readonly definitions?: Readonly<Record<string, JsonSchema>>;
  readonly type?: JsonType | readonly JsonType[];
  readonly const?: string | number | boolean;
  readonly enum?: readonly (string | number | boolean)[];
  readonly anyOf?: readonly JsonSchema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: JsonSchema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly uniqueItems?: boolean;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly propertyNames?: JsonSchema;
  readonly additionalProperties?: JsonSchema | false;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly examples?: readonly unknown[];
};

export type JsonType = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";

export const draft = "http://json-schema.org/draft-07/schema#";

/** One text out of these. */
export function oneOf(values: readonly string[]): JsonSchema {
  return { type: "string", enum: values };
}

/** A value or null. */
export function orNull(schema: JsonSchema): JsonSchema {
  return { anyOf: [{ type: "null" }, schema] };
}

export function listOf(items: JsonSchema): JsonSchema {
  return { type: "array", items };
}

export function mapOf(values: JsonSchema): JsonSchema {
  return { type: "object", additionalProperties: values };
}

type OptionalKeys<Value> = {
  [Key in keyof Value]-?: undefined extends Value[Key] ? Key : never;
}[keyof Value];

/**
 * An object that has all of these, one for each field of a type: the compiler sees that none is forgotten. Fields that
 * may be missing in the type are not required.
 */
export function record<Value>(
  properties: Readonly<Record<keyof Value & string, JsonSchema>>,
  ...optional: readonly (OptionalKeys<Value> & string)[]
): JsonSchema {
  const known: readonly string[] = optional;
  return {
    type: "object",
    properties,
    required: Object.keys(properties).filter((key) => !known.includes(key)),
  };
}
