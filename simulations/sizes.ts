/**
 * How much a process holds: every list, map and set that is in it, by where it is, with how much is in there.
 *
 * Read as a debugger reads, private fields too, so that no collection of a core can be left out of it, and a core needs
 * nothing for it. What is in a collection is looked into as well (`#runs[].#states`), in some of its members, and counted
 * for all of them.
 */

import { type Runtime, Session } from "node:inspector";
import { assert } from "../protocol/errors.ts";

/** By path, such as `#submissions.#known`: the members of all collections that are there, together. */
export type Sizes = ReadonlyMap<string, number>;

/** Members of a collection that are looked into. */
const lookedIntoMax = 20;
const depthMax = 6;

/** Where an inspected thing is for a moment, so that the debugger can be given it. */
const inspected: { thing: unknown } = { thing: null };
(globalThis as Record<string, unknown>)["ottoInspected"] = inspected;

type Remote = Runtime.RemoteObject;
type Property = { readonly name: string; readonly value?: Remote };
type Properties = {
  readonly result: readonly Property[];
  readonly privateProperties: readonly Property[];
  readonly internalProperties: readonly Property[];
};

export function sizesOf(thing: object): Sizes {
  const session = new Session();
  session.connect();
  inspected.thing = thing;
  try {
    const asked = { expression: "ottoInspected.thing" };
    const { result } = post(session, "Runtime.evaluate", asked) as Runtime.EvaluateReturnType;
    const walk = new Walk(session);
    walk.into(result, "", 1, 0);
    return walk.sizes;
  } finally {
    inspected.thing = null;
    session.disconnect();
  }
}

class Walk {
  readonly sizes = new Map<string, number>();
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** @param weight how many things this one stands for. */
  into(value: Remote, path: string, weight: number, depth: number): void {
    if (value.objectId === undefined || value.type !== "object" || depth > depthMax) return;
    const size = sizeOf(value);
    if (size === null) return this.#fields(value, path, weight, depth);
    this.sizes.set(path, (this.sizes.get(path) ?? 0) + size * weight);
    const members = this.#members(value).filter(({ objectId }) => objectId !== undefined);
    const looked = members.slice(0, lookedIntoMax);
    for (const member of looked)
      this.into(member, `${path}[]`, (weight * members.length) / looked.length, depth + 1);
  }

  #fields(value: Remote, path: string, weight: number, depth: number): void {
    if (value.subtype !== undefined || isOutside(value)) return;
    const { result, privateProperties } = this.#properties(value);
    for (const { name, value: field } of [...privateProperties, ...result]) {
      if (field === undefined || name === "__proto__") continue;
      this.into(field, path === "" ? name : `${path}.${name}`, weight, depth + 1);
    }
  }

  #members(value: Remote): Remote[] {
    if (value.subtype === "array")
      return this.#properties(value).result.flatMap(({ name, value: item }) =>
        item === undefined || name === "length" || name === "__proto__" ? [] : [item],
      );
    const { internalProperties } = this.#properties(value);
    const entries = internalProperties.find(({ name }) => name === "[[Entries]]")?.value;
    if (entries === undefined) return [];
    return this.#members(entries).flatMap((entry) =>
      this.#properties(entry).result.flatMap(({ name, value: item }) =>
        item !== undefined && name === "value" ? [item] : [],
      ),
    );
  }

  #properties({ objectId }: Remote): Properties {
    const asked = { objectId, ownProperties: true };
    const got = post(this.#session, "Runtime.getProperties", asked) as Partial<Properties>;
    return { result: [], privateProperties: [], internalProperties: [], ...got };
  }
}

/** Null for what is no collection. */
function sizeOf({ subtype, description = "" }: Remote): number | null {
  if (subtype !== "map" && subtype !== "set" && subtype !== "array") return null;
  return Number(/\((\d+)\)$/u.exec(description)?.[1] ?? 0);
}

/** What belongs to the world around a process, and not to it. */
function isOutside({ className = "" }: Remote): boolean {
  return className === "Agenda" || className === "Peer" || className === "Life" || className === "World";
}

function post(session: Session, method: string, parameters: object): object {
  let answer: object | undefined;
  session.post(method, parameters, (error: Error | null, result?: object) => {
    if (error !== null) throw error;
    answer = result;
  });
  assert(answer !== undefined, "a session of the same thread answers at once");
  return answer;
}
