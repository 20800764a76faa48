/** What a node can do for a caller: the part of a call that `call-server.ts` hands on once it knows who asks. */

import type {
  AnswerItem,
  FoundPlan,
  GateSeen,
  Item,
  ProvenanceSeen,
  ScheduleSeen,
  UsesSeen,
} from "../../protocol/calls.ts";
import type { Fork } from "../../protocol/fork.ts";
import type { Request, WantedPlan } from "../../protocol/requests.ts";
import type { OutputName } from "../verify/provenance.ts";
import type { AttemptName } from "./outputs.ts";

export type RequestOf<Call extends Request["call"]> = Extract<Request, { call: Call }>;

export type CallActions = {
  /** The peer that answers for the whole domain: null when it is this one, or nobody can be reached. */
  relayTo(request: Request): string | null;
  /** Stores a submission and says which run it is. Throws what the submitter must know. */
  submit(bundle: Uint8Array): Promise<string>;
  bundle(run: string): Promise<Uint8Array | null>;
  home(): string | null;
  /** True for a control peer of a domain that this one trusts. */
  isNeighbour(peer: string): boolean;
  forks(): readonly Fork[];
  /** The rest needs a control peer; a worker that reaches none says so. */
  control: ControlActions | null;
  stop(): void;
};

export type ControlActions = {
  watch(request: RequestOf<"watch">, signal: AbortSignal): AsyncIterable<Item>;
  /** A chunk of what is kept of an attempt's output, from `offset` on; empty at its end. */
  keptOutput(name: AttemptName, offset: number): Uint8Array;
  runs(): Promise<Extract<AnswerItem, { kind: "runs" }>["runs"]>;
  findPlan(wanted: WantedPlan): Promise<FoundPlan>;
  cancel(run: string, by: string): Promise<void>;
  answer(bytes: Uint8Array, said: RequestOf<"answer">["said"]): Promise<void>;
  export(run: string): Promise<Uint8Array>;
  schedules(): readonly ScheduleSeen[];
  removeSchedule(pipeline: string, by: string): Promise<void>;
  useInvite(nonce: string, peer: string): Promise<void>;
  controls(): Promise<Extract<AnswerItem, { kind: "control" }>>;
  recharter(charter: Uint8Array): Promise<void>;
  putDocument(document: Uint8Array): Promise<void>;
  /** A step of another domain's, which is taken or was. */
  release(bundle: Uint8Array): Promise<Extract<AnswerItem, { kind: "released" }>>;
  gates(): readonly GateSeen[];
  documents(topic: string): Promise<readonly { readonly version: number; readonly bytes: Uint8Array }[]>;
  /** Who used which credential for what, the newest last; `all`: through whatever control peer. */
  /** @param verify whether each book is whole is said, too. */
  uses(all: boolean, verify: boolean): AsyncIterable<UsesSeen>;
  provenance(name: OutputName, all: boolean): Promise<ProvenanceSeen>;
  /** All that this peer keeps but its keys, in pieces of at most a frame. */
  backup(): AsyncIterable<Uint8Array>;
  /** The certificate that follows another one. */
  renew(renewal: Uint8Array): Promise<Uint8Array>;
  /** What this control peer signs of that, for itself. */
  certify(request: RequestOf<"certify">): Promise<readonly Uint8Array[]>;
  join(request: RequestOf<"join">, peer: string): Promise<Extract<AnswerItem, { kind: "joined" }>>;
};
