/**
 * Conditions over the answer to a poll: CEL over `response`, checked when the file is checked, evaluated by the peer
 * that asks. The planner and that peer compile them here.
 *
 * A condition sees `response.status` (a whole number; 0 when nobody answered), `response.body` (text, its first
 * 64 KiB) and `response.json` (what the body is as JSON; null when it is none). What cannot be evaluated, because a
 * field is not there, is false: the next poll may have it.
 */

import { Environment } from "@marcbachmann/cel-js";
import { limits } from "../protocol/limits.ts";
import { type Problem, refusedIn, syntaxProblem } from "./conditions.ts";

type PollResponse = { readonly status: number; readonly body: string };

type ResponseCondition = (response: PollResponse) => boolean;

const environment = new Environment({
  unlistedVariablesAreDyn: false,
  limits: { maxAstNodes: 1_000, maxDepth: 50, maxListElements: 500, maxCallArguments: 8 },
})
  .registerVariable({ name: "response", schema: { status: "int", body: "string", json: "dyn" } })
  // Numbers of JSON are doubles, those written in a condition are ints.
  .registerOperator("double == int", (left: number, right: bigint) => left === Number(right));

/** The condition, or what is wrong with it. */
export function responseCondition(
  text: string,
):
  | { readonly ok: true; readonly holds: ResponseCondition }
  | { readonly ok: false; readonly problem: Problem } {
  let parsed: ReturnType<Environment["parse"]>;
  try {
    parsed = environment.parse(text);
  } catch (error) {
    return { ok: false, problem: syntaxProblem(error, text) };
  }
  const refused = refusedIn(parsed.ast);
  if (refused !== null) return { ok: false, problem: refused };
  const checked = parsed.check();
  if (!checked.valid || (checked.type !== "bool" && checked.type !== "dyn")) {
    const why = checked.valid ? `it is ${checked.type}` : checked.error?.message.split("\n")[0];
    return {
      ok: false,
      problem: {
        code: "pipeline/condition-type",
        message: `this is no condition over an answer: ${why}`,
        help: "ask `response.status`, `response.body` or `response.json`, as in `response.status == 200`",
        range: null,
      },
    };
  }
  return {
    ok: true,
    holds: ({ status, body }) => {
      try {
        const text = body.slice(0, limits.pollBodyBytesMax);
        return parsed({ response: { status: BigInt(status), body: text, json: jsonOf(text) } }) === true;
      } catch {
        return false;
      }
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
