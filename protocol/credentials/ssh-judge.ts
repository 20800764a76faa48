/**
 * The judge of an SSH agent: what a key may sign. Pure; the signature of a host over its session, which takes the host's
 * key, is looked at by whoever signs.
 *
 *   connection --bind: the host is pinned, and signed this session--> bound --sign: a login, into this session, as this user--> signed
 *
 * One connection is one client, and is bound once: a second host on it is one that the agent was handed on to.
 */

import { equals } from "uint8arrays/equals";
import { failure, type Result, success } from "../errors.ts";
import { decodeLogin, type SessionBind, type SignRequest } from "./ssh-agent.ts";
import { hostKeyBytes, type SshLogin } from "./ssh-login.ts";

/** A stable word for the audit. */
export type AgentRefusal =
  | "unbound"
  | "bound"
  | "forwarded"
  | "host"
  | "raw"
  | "user"
  | "key"
  /** Nothing that a signing agent does. */
  | "request"
  /** The lease or the permit. */
  | "ended";

/** @param earlier what the connection was bound to before. */
export function judgeBind(
  { hostKeys }: Pick<SshLogin, "hostKeys">,
  bind: SessionBind,
  earlier: SessionBind | null,
): Result<null, AgentRefusal> {
  if (bind.isForwarding) return failure("forwarded");
  if (earlier !== null) return failure("bound");
  if (!hostKeys.some((known) => equals(hostKeyBytes(known), bind.hostKey))) return failure("host");
  return success(null);
}

/** By which algorithm the login is signed. @param own the public half of the key. */
export function judgeSignature(
  login: Pick<SshLogin, "user" | "hostKeys">,
  { key, data }: SignRequest,
  { bind, own }: { readonly bind: SessionBind | null; readonly own: Uint8Array },
): Result<string, AgentRefusal> {
  if (bind === null) return failure("unbound");
  const bound = judgeBind(login, bind, null);
  if (!bound.ok) return bound;
  const said = decodeLogin(data);
  if (!said.ok) return failure("raw");
  const { session, user, algorithm, key: shown, hostKey } = said.value;
  if (!equals(session, bind.session)) return failure("host");
  if (hostKey !== null && !equals(hostKey, bind.hostKey)) return failure("host");
  if (user !== login.user) return failure("user");
  if (!equals(key, own) || !equals(shown, own)) return failure("key");
  // Whether that is one for this key, and none of old, is known to whoever signs.
  return success(algorithm);
}
