/**
 * What a worker says first on a stream to a broker, and what it is answered. Behind the answer come the bytes of the step
 * and of the broker, as they are.
 */

import * as z from "zod/mini";
import { failure, type Result, success } from "../errors.ts";
import { isPlainName } from "../names.ts";
import { decodeUntrusted, encodeValue } from "../values.ts";

const text = z.string().check(z.maxLength(512));
const count = z.int().check(z.nonnegative());

const hello = z.strictObject({
  otto: z.literal("broker/1"),
  run: text,
  index: count,
  attempt: count,
  /** Of the lease, which must be the newest one of this step. */
  token: count,
  credential: z.string().check(z.refine(isPlainName)),
  /** What the step takes the broker for, such as `127.0.0.1:40123`; null: the destination itself. */
  host: z.nullable(z.string().check(z.regex(/^[a-z0-9.[\]:-]{1,260}$/u))),
});

export type BrokerHello = z.infer<typeof hello>;

export type BrokerAnswer = {
  /** Null: go on. Else why not, as a sentence. */
  readonly why: string | null;
  /** Of a login by SSH: the keys by which the host is known. */
  readonly hostKeys?: readonly string[];
  /** Of a secret that the step is given itself. */
  readonly value?: Uint8Array;
};

export const brokerHelloBytesMax = 2_048;

export function encodeHello(said: BrokerHello): Uint8Array {
  return encodeValue(said);
}

/** What a worker said, or why it is nothing that a broker understands. */
export function decodeHello(frame: Uint8Array): Result<BrokerHello, string> {
  const decoded = decodeUntrusted(frame);
  if (!decoded.ok) return decoded;
  const parsed = hello.safeParse(decoded.value);
  return parsed.success ? success(parsed.data) : failure("not what a broker is told first");
}

export function encodeAnswer(answer: BrokerAnswer): Uint8Array {
  return encodeValue(answer);
}

const answer = z.object({
  why: z.nullable(z.string()),
  value: z.optional(z.instanceof(Uint8Array)),
  hostKeys: z.optional(z.array(z.string().check(z.regex(/^[a-z0-9-]+ [A-Za-z0-9+/=]+$/u)))),
});

/** What cannot be understood is a no. */
export function decodeAnswer(frame: Uint8Array): BrokerAnswer {
  const decoded = decodeUntrusted(frame);
  const parsed = answer.safeParse(decoded.ok ? decoded.value : null);
  if (!parsed.success) return { why: "The broker answered something that this version does not understand." };
  const { why, hostKeys = [], value } = parsed.data;
  return { why, hostKeys, ...(value === undefined ? {} : { value }) };
}
