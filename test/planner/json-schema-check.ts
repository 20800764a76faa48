/** Checks a value by a schema, as far as Otto's own schemas go (`planner/json-schema.ts`). */

import type { JsonSchema, JsonType } from "../../planner/json-schema.ts";

/**
 * Where the value is not what the schema says, as `place: why`; empty when it is.
 *
 * @param options.closed objects have no other fields than those described.
 */
export function problemsBy(schema: JsonSchema, value: unknown, options: { closed?: boolean } = {}): string[] {
  const closed = options.closed === true;
  const definitions = schema.definitions ?? {};
  const check = (by: JsonSchema, found: unknown, at: string): string[] => {
    if (by.$ref !== undefined) {
      const target = definitions[by.$ref.replace("#/definitions/", "")];
      if (target === undefined) throw new Error(`${by.$ref} is not defined`);
      return check(target, found, at);
    }
    const problems = ownProblems(by, found).map((why) => `${at}: ${why}`);
    if (by.anyOf !== undefined) {
      const each = by.anyOf.map((other) => check(other, found, at));
      if (each.every((some) => some.length > 0)) problems.push(`${at}: none of anyOf`, ...each.flat());
    }
    if (Array.isArray(found)) {
      const { items } = by;
      if (items !== undefined)
        problems.push(...found.flatMap((item, index) => check(items, item, `${at}/${index}`)));
    } else if (typeof found === "object" && found !== null) {
      for (const [key, member] of Object.entries(found)) {
        const known = Object.hasOwn(by.properties ?? {}, key) ? by.properties?.[key] : undefined;
        const other = by.additionalProperties ?? (closed && by.properties !== undefined ? false : {});
        const place = `${at}/${key}`;
        if (by.propertyNames !== undefined) problems.push(...check(by.propertyNames, key, place));
        if (known !== undefined) problems.push(...check(known, member, place));
        else if (other === false) problems.push(`${place}: not known`);
        else problems.push(...check(other, member, place));
      }
    }
    return problems;
  };
  return check(schema, value, "");
}

function ownProblems(by: JsonSchema, found: unknown): string[] {
  const problems: string[] = [];
  const need = (holds: boolean, why: string): void => void (holds || problems.push(why));
  const types = by.type === undefined ? [] : [by.type].flat();
  need(types.length === 0 || types.some((type) => isOf(type, found)), `not ${types.join(" or ")}`);
  need(by.const === undefined || found === by.const, `not ${by.const}`);
  need(by.enum === undefined || by.enum.some((one) => one === found), `not one of ${by.enum?.join(", ")}`);
  if (typeof found === "string") {
    need(by.pattern === undefined || new RegExp(by.pattern, "u").test(found), `not ${by.pattern}`);
    need(found.length >= (by.minLength ?? 0) && found.length <= (by.maxLength ?? Infinity), "length");
  } else if (typeof found === "number") {
    need(found >= (by.minimum ?? -Infinity) && found <= (by.maximum ?? Infinity), "size");
  } else if (Array.isArray(found)) {
    need(found.length >= (by.minItems ?? 0) && found.length <= (by.maxItems ?? Infinity), "count of items");
    need(by.uniqueItems !== true || new Set(found).size === found.length, "items not unique");
  } else if (typeof found === "object" && found !== null) {
    const keys = Object.keys(found);
    need(keys.length >= (by.minProperties ?? 0) && keys.length <= (by.maxProperties ?? Infinity), "count");
    for (const key of by.required ?? []) need(keys.includes(key), `${key} is missing`);
  }
  return problems;
}

function isOf(type: JsonType, found: unknown): boolean {
  switch (type) {
    case "null":
      return found === null;
    case "array":
      return Array.isArray(found);
    case "object":
      return typeof found === "object" && found !== null && !Array.isArray(found);
    case "integer":
      return Number.isInteger(found);
    case "boolean":
    case "number":
    case "string":
      return typeof found === type;
  }
}
