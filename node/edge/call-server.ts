/**
 * Answers calls: checks who asks, then does what is asked here, or hands it to a peer that can.
 *
 * Over the local socket the rights on its file say who may ask. Over libp2p the caller shows a certificate of the
 * domain; a stranger may only ask to join. What only the home knows is relayed to it, item by item.
 */

import {
  type AnswerItem,
  decodeItem,
  encodeItem,
  encodeRequest,
  errorItem,
  type Item,
  type PeerSeen,
} from "../../protocol/calls.ts";
import { OttoError, unreachable } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { openCertificate } from "../../protocol/certificate.ts";
import { isFormed, isListed } from "../../protocol/membership.ts";
import { decodeRequest, type Request } from "../../protocol/requests.ts";
import { joinOverNetwork, nothingToBackUp } from "./answer-words.ts";
import { receiveBlobs, sendBlobs } from "./blob-transfer.ts";
import { attributed, isTrespass, whyReserved } from "./call-roles.ts";
import type { CallActions, ControlActions, RequestOf } from "./call-actions.ts";
import type { Channel } from "./channel.ts";
import { realClock } from "./clock.ts";
import { endOf, rollOf } from "./membership.ts";
import { namesKept, type NodeHost } from "./node-host.ts";

/** What control peers of trusted domains may ask: to take a released step, with the files that it needs, and what came of it. */
const neighboursCalls: ReadonlySet<Request["call"]> = new Set([
  "release",
  "missing-blobs",
  "put-blobs",
  "get-blobs",
] as const);

/** Calls that only a control peer answers. */
type ControlCall = Exclude<
  Request["call"],
  "submit" | "peers" | "missing-blobs" | "put-blobs" | "get-blobs" | "bundle" | "stop"
>;

export class CallServer {
  readonly #host: NodeHost;
  readonly #actions: CallActions;
  readonly #open = new Set<Channel>();
  readonly #followers = new Set<AbortController>();

  constructor(host: NodeHost, actions: CallActions) {
    this.#host = host;
    this.#actions = actions;
  }

  /** Calls that are being answered. */
  get open(): number {
    return this.#open.size;
  }

  accept(channel: Channel): void {
    this.#open.add(channel);
    this.#answer(channel)
      .catch((error: unknown) => this.#refuse(channel, error))
      .finally(() => this.#open.delete(channel));
  }

  closeAll(): void {
    for (const channel of this.#open) channel.abort();
  }

  /** Another peer is home: whoever follows a run here asks again, and is handed on to where its output comes in. */
  endFollowing(): void {
    for (const follower of this.#followers) follower.abort();
  }

  async #answer(channel: Channel): Promise<void> {
    const frames = channel.frames();
    const first = await frames.next();
    if (first.done === true) return;
    const request = decodeRequest(first.value);
    if (!request.ok)
      throw new OttoError("OTTO_MESSAGE_INVALID", {
        what: `This node does not understand the call: ${request.problem}.`,
        next: "Check that both sides run compatible versions of Otto.",
      });
    this.#authorize(channel, request.value);
    const asked = attributed(request.value, channel.peer, this.#host.membership.charter);
    if (asked.call === "backup" && this.#actions.control === null) throw nothingToBackUp();
    // A control peer asked because it takes this one for home: two that disagree would hand a call round and round.
    const target = this.#isControl(channel.peer) ? null : this.#actions.relayTo(asked);
    if (target === null) await this.#perform(channel, asked, frames);
    else await this.#relay(channel, asked, target);
    await channel.close();
  }

  #authorize(channel: Channel, request: Request): void {
    if (channel.peer === null || request.call === "join") return;
    if (neighboursCalls.has(request.call) && this.#actions.isNeighbour(channel.peer)) return;
    const { membership, identity } = this.#host;
    const shown = request.certificate;
    const opened =
      shown === null ? null : openCertificate(shown, rollOf(membership), realClock.wallMs(), identity);
    if (opened?.ok === true && opened.value.peer === channel.peer) {
      const refusal = whyReserved(request, opened.value, membership.charter);
      if (refusal === null) return;
      this.#count("role");
      throw refusal;
    } else this.#count(opened === null ? "unsigned" : opened.ok ? "stranger" : opened.problem);
    throw new OttoError("OTTO_NOT_A_MEMBER", {
      what: "This node does not take the call: the caller shows no certificate that allows it.",
      state: "Nothing was done.",
      next: "Join the domain with `otto join CODE`, using a code from `otto invite`.",
    });
  }

  #isControl(peer: string | null): boolean {
    return peer !== null && isListed(this.#host.membership.charter, peer);
  }

  #count(because: Parameters<NodeHost["refused"]["set"]>[0]): void {
    const { refused } = this.#host;
    refused.set(because, (refused.get(because) ?? 0) + 1);
  }

  async #perform(
    channel: Channel,
    request: Request,
    frames: AsyncGenerator<Uint8Array, void, void>,
  ): Promise<void> {
    const { blobs } = this.#host;
    switch (request.call) {
      case "submit":
        return this.#send(channel, { kind: "submitted", run: await this.#actions.submit(request.bundle) });
      case "peers":
        return this.#send(channel, await this.#peers());
      case "missing-blobs":
        return this.#send(channel, { kind: "missing", digests: blobs.missing(request.digests) });
      case "put-blobs":
        await receiveBlobs(decoded(frames), blobs);
        return this.#send(channel, { kind: "done" });
      case "get-blobs":
        await sendBlobs(channel, blobs, request.digests);
        for await (const frame of frames) {
          const more = decodeRequest(frame);
          if (more.ok && more.value.call === "get-blobs") await sendBlobs(channel, blobs, more.value.digests);
        }
        return;
      case "bundle":
        return this.#send(channel, { kind: "bundle", bytes: await this.#actions.bundle(request.run) });
      case "stop":
        await this.#send(channel, { kind: "done" });
        return this.#actions.stop();
      case "status":
      case "find-plan":
      case "watch":
      case "kept-output":
      case "cancel":
      case "answer":
      case "export":
      case "schedules":
      case "remove-schedule":
      case "renew":
      case "certify":
      case "use-invite":
      case "join":
      case "control":
      case "recharter":
      case "put-document":
      case "documents":
      case "gates":
      case "release":
      case "uses":
      case "provenance":
      case "backup":
        return this.#performAsControl(channel, request, frames);
      default:
        return unreachable(request);
    }
  }

  async #performAsControl(
    channel: Channel,
    request: RequestOf<ControlCall>,
    frames: AsyncGenerator<Uint8Array, void, void>,
  ): Promise<void> {
    const { control } = this.#actions;
    if (control === null)
      throw new OttoError("OTTO_UNREACHABLE", {
        what: "No control peer of the domain can be reached from this node.",
        state: "What was submitted here is kept, and announced as soon as one is back.",
        next: "Look with `otto peers`, start the control peers, or ask another node with --peer.",
      });
    switch (request.call) {
      case "status":
        return this.#send(channel, { kind: "runs", runs: await control.runs() });
      case "find-plan":
        return this.#send(channel, { kind: "found-plan", ...(await control.findPlan(request.wanted)) });
      case "watch":
        return this.#watch(channel, request, frames, control);
      case "kept-output":
        return this.#keptOutput(channel, request, control);
      case "cancel":
        await control.cancel(request.run, request.by);
        return this.#send(channel, { kind: "done" });
      case "answer":
        await control.answer(request.answer, request.said);
        return this.#send(channel, { kind: "done" });
      case "export":
        return this.#export(channel, await control.export(request.run));
      case "schedules":
        return this.#send(channel, { kind: "schedules", schedules: control.schedules() });
      case "remove-schedule":
        await control.removeSchedule(request.pipeline, request.by);
        return this.#send(channel, { kind: "done" });
      case "renew":
        return this.#send(channel, {
          kind: "certificate",
          certificate: await control.renew(request.renewal),
        });
      case "certify":
        return this.#send(channel, { kind: "certified", certificates: await control.certify(request) });
      case "use-invite":
        await control.useInvite(request.nonce, request.peer);
        return this.#send(channel, { kind: "done" });
      case "join":
        if (channel.peer === null) throw joinOverNetwork();
        return this.#send(channel, await control.join(request, channel.peer));
      case "control":
        return this.#send(channel, await control.controls());
      case "recharter":
        await control.recharter(request.charter);
        return this.#send(channel, { kind: "done" });
      case "put-document":
        await control.putDocument(request.document);
        return this.#send(channel, { kind: "done" });
      case "release":
        return this.#send(channel, await control.release(request.bundle));
      case "gates":
        return this.#send(channel, { kind: "gates", gates: control.gates() });
      case "documents":
        for (const document of await control.documents(request.topic))
          await this.#send(channel, { kind: "document", ...document });
        return this.#send(channel, { kind: "done" });
      case "uses":
        for await (const seen of control.uses(request.all, request.verify === true))
          await this.#send(channel, { kind: "uses", ...seen });
        return this.#send(channel, { kind: "done" });
      case "provenance": {
        const { run, step, output, all } = request;
        const seen = await control.provenance({ run, step, output }, all);
        return this.#send(channel, { kind: "provenance", ...seen });
      }
      case "backup":
        for await (const bytes of control.backup()) await this.#send(channel, { kind: "chunk", bytes });
        return this.#send(channel, { kind: "done" });
      default:
        return unreachable(request);
    }
  }

  async #watch(
    channel: Channel,
    request: RequestOf<"watch">,
    frames: AsyncGenerator<Uint8Array, void, void>,
    control: ControlActions,
  ): Promise<void> {
    const over = new AbortController();
    channel.onClosed(() => over.abort());
    // The caller says nothing more; reading on is how its leaving is noticed.
    const gone = frames.next().then(
      () => over.abort(),
      () => over.abort(),
    );
    if (request.follow) this.#followers.add(over);
    try {
      for await (const item of control.watch(request, over.signal)) {
        if (over.signal.aborted) break;
        await channel.send(encodeItem(item));
      }
    } finally {
      this.#followers.delete(over);
    }
    await channel.close();
    await gone;
  }

  async #keptOutput(
    channel: Channel,
    { offset, ...name }: RequestOf<"kept-output">,
    control: ControlActions,
  ): Promise<void> {
    let at = offset;
    for (let bytes = control.keptOutput(name, at); bytes.length > 0; bytes = control.keptOutput(name, at)) {
      await this.#send(channel, { kind: "chunk", bytes });
      at += bytes.length;
    }
    await this.#send(channel, { kind: "done" });
  }

  async #export(channel: Channel, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += limits.blobChunkBytes)
      await this.#send(channel, { kind: "chunk", bytes: bytes.subarray(at, at + limits.blobChunkBytes) });
    await this.#send(channel, { kind: "done" });
  }

  /** Asks another peer in this one's name and hands its items on. */
  async #relay(channel: Channel, request: Request, target: string): Promise<void> {
    const { network, membership } = this.#host;
    const onward = await network.openCall(target);
    channel.onClosed(() => onward.abort());
    try {
      await onward.send(encodeRequest({ ...request, certificate: membership.certificate }));
      for await (const frame of onward.frames()) await channel.send(frame);
    } finally {
      onward.abort();
    }
  }

  async #peers(): Promise<Extract<AnswerItem, { kind: "peers" }>> {
    const { membership, network, identity, config, refused } = this.#host;
    const { charter } = membership;
    const names = await namesKept(
      this.#host,
      charter.controls.map(({ peer }) => peer),
    );
    const home = this.#actions.home();
    const { links } = network;
    const self: PeerSeen = {
      peer: identity.peer,
      name: config.name,
      role: config.role,
      state: "self",
      isHome: home === identity.peer,
      addresses: network.addresses,
      sinceMs: null,
      untilMs: endOf(membership, identity),
    };
    const seen = new Map<string, PeerSeen>([[identity.peer, self]]);
    for (const { peer, addresses } of charter.controls) {
      if (peer === identity.peer) continue;
      const link = links.get(peer);
      const state = link === undefined ? "unlinked" : "linked";
      const rest = {
        name: link?.name ?? names.get(peer) ?? "",
        isHome: home === peer,
        sinceMs: link?.sinceMs ?? null,
        untilMs: link?.untilMs ?? null,
      };
      seen.set(peer, { peer, role: "control", state, addresses, ...rest });
    }
    for (const [peer, { role, name, ...when }] of links)
      if (!seen.has(peer))
        seen.set(peer, { peer, role, name, state: "linked", isHome: false, addresses: [], ...when });
    const node = {
      domain: charter.domain,
      domainName: charter.name,
      formed: isFormed(charter),
      controls: charter.controls.length,
      size: charter.size,
      refused: Object.fromEntries(refused),
      forks: this.#actions.forks(),
      revoked: [...(membership.revoked?.values() ?? [])],
    };
    return { kind: "peers", node, peers: [...seen.values()] };
  }

  #send(channel: Channel, item: Item): Promise<void> {
    return channel.send(encodeItem(item));
  }

  /** The caller is told what went wrong, if it is still there. */
  async #refuse(channel: Channel, error: unknown): Promise<void> {
    if (error instanceof OttoError && error.code === "OTTO_MESSAGE_INVALID") this.#count("malformed");
    const told =
      error instanceof OttoError
        ? error
        : new OttoError("OTTO_STORAGE_FAILED", {
            what: `The node could not answer: ${error instanceof Error ? error.message : String(error)}.`,
            next: "Look at the node's own output, and ask again.",
            cause: error,
          });
    try {
      await channel.send(encodeItem(errorItem(told)));
      await channel.close();
    } catch {
      channel.abort();
    }
    if (channel.peer !== null && isTrespass(told)) this.#host.network.refusedCall(channel.peer);
  }
}

async function* decoded(frames: AsyncIterable<Uint8Array>): AsyncGenerator<Item, void, void> {
  for await (const frame of frames) yield decodeItem(frame);
}
