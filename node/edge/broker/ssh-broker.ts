/**
 * The SSH agent of a step, as its control peer has it: it signs logins and nothing else, each while the lease and the permit of
 * the step hold, and writes down each. The key is in the vault, which judges the login once more and signs it there.
 *
 * An agent refuses without a word of why; the book of uses says it.
 */

import { once } from "node:events";
import type { Duplex } from "node:stream";
import {
  type AgentRequest,
  decodeAgentRequest,
  encodeDone,
  encodeIdentities,
  encodeRefusal,
  encodeSignature,
  type SessionBind,
  type SignRequest,
} from "../../../protocol/credentials/ssh-agent.ts";
import { type AgentRefusal, judgeBind } from "../../../protocol/credentials/ssh-judge.ts";
import { sshPlaceWords } from "../../../protocol/credentials/ssh-place.ts";
import type { LoginBinding } from "../../../protocol/credentials/secret.ts";
import { failure, type Result } from "../../../protocol/errors.ts";
import { FrameDecoder } from "../../../protocol/frames.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Audit } from "./audit.ts";
import { GrantLife } from "./grant-life.ts";
import type { Holder } from "./grants.ts";
import type { Vault } from "./vault.ts";
import type { Sealed } from "./vault-messages.ts";

export type SshGrantParts = {
  readonly binding: LoginBinding;
  readonly sealed: Sealed;
  /** The public half. */
  readonly key: Uint8Array;
  readonly vault: Pick<Vault, "sshSignature">;
  /** Whether the attempt may log in at this very moment. */
  readonly mayStill: () => boolean;
};

/** The right of one attempt to have its logins signed. */
export class SshGrant {
  readonly holder: Holder;
  readonly life = new GrantLife();
  readonly #parts: SshGrantParts;

  constructor(holder: Holder, parts: SshGrantParts) {
    this.holder = holder;
    this.#parts = parts;
  }

  get binding(): LoginBinding {
    return this.#parts.binding;
  }

  get key(): Uint8Array {
    return this.#parts.key;
  }

  async sign(bind: SessionBind, request: SignRequest): Promise<Result<Uint8Array, AgentRefusal>> {
    const { sealed, binding, vault, mayStill } = this.#parts;
    if (!mayStill()) return failure("ended");
    const signed = await vault.sshSignature({ ...sealed, place: binding.login, bind, request });
    // What was made meanwhile is not given out.
    return this.life.signal.aborted || !mayStill() ? failure("ended") : signed;
  }

  end(): void {
    this.life.end();
  }
}

/** What is known of the client on the other side of one connection. */
type Connection = {
  bound: SessionBind | null;
  /** Why it was refused a session: it goes on all the same when an agent is forwarded, and then signs for whoever is there. */
  spoilt: AgentRefusal | null;
};

export class SshBroker {
  readonly #audit: Audit;

  constructor(audit: Audit) {
    this.#audit = audit;
  }

  /** Resolves when the client has gone. */
  async accept(stream: Duplex, grant: SshGrant): Promise<void> {
    const decoder = new FrameDecoder(limits.agentFrameBytesMax, limits.agentFrameBytesMax);
    const connection: Connection = { bound: null, spoilt: null };
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      const frames = decoder.push(chunk);
      if (frames === "oversized") {
        this.#refused(grant, "request");
        return void stream.destroy();
      }
      for (const frame of frames) {
        const answer = await this.#answer(grant, decodeAgentRequest(frame), connection);
        if (!stream.write(answer)) await once(stream, "drain", { signal: grant.life.signal });
      }
    }
    stream.end();
  }

  async #answer(grant: SshGrant, request: AgentRequest, connection: Connection): Promise<Uint8Array> {
    const { name, login } = grant.binding;
    switch (request.kind) {
      case "identities":
        return encodeIdentities([grant.key], `otto: ${name}`);
      case "bind": {
        const { bound, spoilt } = connection;
        const judged = spoilt === null ? judgeBind(login, request, bound) : failure(spoilt);
        if (judged.ok) connection.bound = request;
        else connection.spoilt = judged.problem;
        return judged.ok ? encodeDone() : this.#refused(grant, judged.problem);
      }
      case "sign": {
        const { bound, spoilt } = connection;
        if (bound === null || spoilt !== null) return this.#refused(grant, spoilt ?? "unbound");
        const signed = await grant.sign(bound, request);
        if (!signed.ok) return this.#refused(grant, signed.problem);
        const sizes = { sentBytes: request.data.length, receivedBytes: signed.value.length };
        this.#audit.used(grant, { method: "SIGN", template: sshPlaceWords(login), status: 0, ...sizes });
        return encodeSignature(signed.value);
      }
      default:
        return this.#refused(grant, "request");
    }
  }

  #refused(grant: SshGrant, code: AgentRefusal): Uint8Array {
    this.#audit.refused(grant, { method: "SIGN", code });
    return encodeRefusal();
  }
}
