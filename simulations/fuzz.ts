/**
 * Bytes that somebody made up, for every decoder of what a peer or a file says: `node simulations/fuzz.ts [INPUTS] [SEED]`.
 *
 * Each input is something valid with parts changed, taken out, doubled or taken from something else. Signatures are taken for good,
 * so that what lies behind them is reached, too. A decoder that throws, or takes long over one input, has failed.
 *
 * Exit codes: 0 every decoder held, 1 one did not.
 */

import { sealAnswer, openAnswer } from "../protocol/answers.ts";
import { encodeItem, decodeItem, encodeRequest } from "../protocol/calls.ts";
import {
  decodeAgentRequest,
  decodeLogin,
  decodePair,
  decodeSshSignature,
  encodePair,
  sshSignature,
} from "../protocol/credentials/ssh-agent.ts";
import { openDocument, sealDocument } from "../protocol/documents.ts";
import { sealEnvelope, type Signer } from "../protocol/envelope.ts";
import { OttoError } from "../protocol/errors.ts";
import { FrameDecoder, encodeFrame } from "../protocol/frames.ts";
import { openEntry } from "../protocol/log.ts";
import { bundleOfRelease, nameBundle, openBundle, planOfBundle } from "../protocol/manifest.ts";
import { openCertificate, openCharter, openInvite, sealCharter, sealInvite } from "../protocol/membership.ts";
import { decodeMessage, encodeMessage } from "../protocol/messages.ts";
import { openPermit } from "../protocol/permits.ts";
import { sealQuorum } from "../protocol/quorum.ts";
import { openOutcome, openRelease, sealOutcome } from "../protocol/release.ts";
import { decodeRequest } from "../protocol/requests.ts";
import { parseSignedResult } from "../protocol/report-check.ts";
import { encodeTree, parseTree } from "../protocol/tree.ts";
import { decodeUntrusted, encodeValue } from "../protocol/values.ts";
import { readPolicy } from "../planner/policy/read-policy.ts";
import { simulatedKeys } from "./keys.ts";
import { Chance } from "./random.ts";
import { certificateOf, charterOf, randomPlan, runOf, startWallMs } from "./workload.ts";

/** So long may one input take, on a machine that is busy; most take microseconds. */
const inputMsMax = 2_000;
const changesMax = 6;
const inputBytesMax = 64 * 1024;

type Target = {
  readonly name: string;
  readonly valid: readonly Uint8Array[];
  decode(bytes: Uint8Array): unknown;
};

export type Fuzzed = {
  readonly decoder: string;
  readonly inputs: number;
  readonly slowestMs: number;
  /** What went wrong, with the input in hex; null: nothing. */
  readonly failure: string | null;
};

/** @param inputs how many for each decoder. */
export function* fuzz(inputs: number, seed: number): Generator<Fuzzed> {
  for (const target of targets()) yield fuzzed(target, inputs, seed);
}

function fuzzed(target: Target, inputs: number, seed: number): Fuzzed {
  const chance = new Chance("fuzz", target.name, seed);
  let slowestMs = 0;
  for (let input = 0; input < inputs; input += 1) {
    const bytes = changed(target.valid, chance);
    const beganMs = performance.now();
    try {
      target.decode(bytes);
    } catch (error) {
      const failure = `${String(error)}, for ${Buffer.from(bytes).toString("hex")}`;
      return { decoder: target.name, inputs: input + 1, slowestMs, failure };
    }
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    if (slowestMs > inputMsMax) {
      const failure = `${slowestMs.toFixed(0)} ms, for ${Buffer.from(bytes).toString("hex")}`;
      return { decoder: target.name, inputs: input + 1, slowestMs, failure };
    }
  }
  return { decoder: target.name, inputs, slowestMs, failure: null };
}

function changed(valid: readonly Uint8Array[], chance: Chance): Uint8Array {
  const pick = (): Uint8Array => valid[chance.integer(valid.length)] ?? new Uint8Array();
  let bytes = Buffer.from(pick());
  const count = chance.integer(changesMax + 1);
  for (let change = 0; change < count; change += 1) {
    const at = chance.integer(bytes.length + 1);
    const length = chance.integer(Math.min(40, bytes.length - at + 1));
    switch (chance.integer(7)) {
      case 0:
        if (at < bytes.length) bytes[at] = chance.integer(256);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << chance.integer(8));
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at)]);
        break;
      case 4: {
        const other = pick();
        const from = chance.integer(other.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + 60), bytes.subarray(at)]);
        break;
      }
      case 5:
        // Heads of CBOR that promise much: texts, bytes, lists and maps of 2^32 and 2^53 parts.
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          Buffer.from([((2 + chance.integer(4)) << 5) | (26 + chance.integer(2)), 0, 0x1f, 0xff, 0xff]),
          bytes.subarray(at),
        ]);
        break;
      default:
        bytes = bytes.subarray(0, at);
    }
    if (bytes.length > inputBytesMax) bytes = bytes.subarray(0, inputBytesMax);
  }
  return bytes;
}

/** Every signature holds: what a stranger could not sign is reached as well. */
const keys = { verify: () => true };

/** Something valid of each kind. */
function examples() {
  const controls = [simulatedKeys("control0"), simulatedKeys("control1")];
  const charter = charterOf(controls, 10_000);
  const { domain } = charter;
  const owner = simulatedKeys("owner");
  const person: Signer = simulatedKeys("person");
  const certificate = certificateOf(charter, person.peer, "person");
  const { bundle, submission } = runOf(
    randomPlan(new Chance("plan", 7), { nonce: "n1", steps: 5 }),
    charter,
    { nonce: "n1" },
  );
  const charterBytes = sealCharter(charter, owner);
  const { run, manifestCid: manifest } = submission;
  const place = { run, manifest, index: 0, step: "a", fromMs: startWallMs, untilMs: startWallMs + 1 };
  const given = { inputs: [{ name: "o", tree: "a".repeat(64) }], values: [{ name: "v", value: 1 }] };
  const quorum = (kind: "permit" | "release" | "outcome", value: object): Uint8Array =>
    sealQuorum(controls.map((own) => sealEnvelope(kind, domain, value, own)));
  const permit = quorum("permit", { otto: "permit/1", ...place, given: "0", approvedBy: [person.peer] });
  const release = quorum("release", { otto: "release/1", ...place, ...given, outcomes: { b: "passed" } });
  const ended = { outcome: "passed", detail: "", outputs: [], values: {} };
  const outcome = sealOutcome(
    quorum("outcome", { otto: "outcome/1", domain, run, index: 0, ...ended }),
    charterBytes,
  );
  const answer = {
    otto: "answer/1",
    run,
    manifest,
    step: "a",
    verdict: "passed",
    detail: "",
    given: "0",
  } as const;
  const document = {
    otto: "document/1",
    topic: "policy",
    name: "domain",
    version: 1,
    timeMs: 1,
    body: null,
  } as const;
  const invite = {
    otto: "invite/1",
    nonce: "n",
    role: "worker",
    expiresMs: 1,
    addresses: ["/ip4/1.2.3.4"],
  } as const;
  const entry = sealEnvelope("log-entry", domain, { log: "0".repeat(32), seq: 1, events: [] }, owner);
  const released = bundleOfRelease(bundle, { release, charter: charterBytes });
  const messages = [
    encodeMessage({ kind: "endorse", what: "permit", statement: permit, evidence: [certificate] }),
    encodeMessage({ kind: "hello", certificate, charter: charterBytes }),
    encodeMessage({ kind: "renew", session: "s", sentMs: 1, held: [{ run, index: 0, token: 1 }] }),
  ];
  const text =
    "otto-policy: 1\nteams: { a: [b] }\nadmit: [{ require: 'git.branch == \"main\"', because: x }]\n";
  return {
    charter,
    bundle,
    charterBytes,
    certificate,
    run,
    messages,
    permit,
    release,
    outcome,
    released,
    entry,
    policy: Buffer.from(text),
    request: encodeRequest({ call: "submit", certificate, bundle }),
    invite: sealInvite(domain, invite, owner),
    answer: sealAnswer(answer, domain, { keys: person, certificate }),
    document: sealDocument(document, domain, { keys: owner, certificate: null }),
    result: encodeValue({
      otto: "result/1",
      run,
      index: 0,
      token: 1,
      step: "a",
      attempt: 1,
      inputs: "",
      report: {},
    }),
  };
}

function targets(): readonly Target[] {
  const all = examples();
  const { charter, bundle, charterBytes, certificate, run, messages, released } = all;
  const frames = messages.map((message) => encodeFrame(message));
  return [
    { name: "values", valid: [bundle, charterBytes], decode: decodeUntrusted },
    { name: "messages", valid: messages, decode: decodeMessage },
    { name: "frames", valid: frames, decode: (bytes) => new FrameDecoder().push(bytes) },
    {
      name: "requests",
      valid: [all.request],
      decode: decodeRequest,
    },
    { name: "items", valid: [encodeItem({ kind: "submitted", run })], decode: orOttoError(decodeItem) },
    { name: "charters", valid: [charterBytes], decode: (bytes) => openCharter(bytes, null, keys) },
    {
      name: "certificates",
      valid: [certificate],
      decode: (bytes) => openCertificate(bytes, charter, 0, keys),
    },
    {
      name: "invites",
      valid: [all.invite],
      decode: (bytes) => openInvite(bytes, keys),
    },
    {
      name: "bundles",
      valid: [bundle, released],
      decode: (bytes) => openBundle(bytes, charter, startWallMs, keys),
    },
    { name: "names of bundles", valid: [bundle, released], decode: nameBundle },
    { name: "plans of bundles", valid: [bundle, released], decode: planOfBundle },
    {
      name: "entries of logs",
      valid: [all.entry],
      decode: (bytes) => openEntry(bytes, charter.domain, keys),
    },
    {
      name: "answers",
      valid: [all.answer],
      decode: (bytes) => openAnswer(bytes, charter, startWallMs, keys),
    },
    {
      name: "documents",
      valid: [all.document],
      decode: (bytes) => openDocument(bytes, charter, keys),
    },
    { name: "permits", valid: [all.permit], decode: (bytes) => openPermit(bytes, charter, keys) },
    {
      name: "releases",
      valid: [all.release],
      decode: (bytes) => openRelease({ release: bytes, charter: charterBytes }, keys),
    },
    { name: "outcomes", valid: [all.outcome], decode: (bytes) => openOutcome(bytes, keys) },
    {
      name: "results",
      valid: [all.result],
      decode: (bytes) => {
        const decoded = decodeUntrusted(bytes);
        return decoded.ok ? parseSignedResult(decoded.value) : decoded;
      },
    },
    {
      name: "requests to SSH agents",
      valid: agentRequests(),
      decode: (bytes) => [
        decodeAgentRequest(bytes),
        decodeLogin(bytes),
        decodeSshSignature(bytes),
        decodePair(bytes, 32),
      ],
    },
    { name: "trees", valid: [encodeTree([])], decode: parseTree },
    {
      name: "policies",
      valid: [all.policy],
      decode: (bytes) => readPolicy(Buffer.from(bytes).toString()),
    },
  ];
}

/** A bind, a request to sign a login, and the login itself. */
function agentRequests(): readonly Uint8Array[] {
  const field = (value: string | Uint8Array): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.of(0, 0, bytes.length >> 8, bytes.length & 255), bytes]);
  };
  const session = field(new Uint8Array(32));
  const key = field(Buffer.concat([field("ssh-ed25519"), field(new Uint8Array(32))]));
  const signature = field(sshSignature("ecdsa-sha2-nistp256", encodePair(new Uint8Array(64).fill(200))));
  const bind = [Buffer.of(27), field("session-bind@openssh.com"), key, session, signature, Buffer.of(0)];
  const method = field("publickey-hostbound-v00@openssh.com");
  const who = [Buffer.of(50), field("deploy"), field("ssh-connection"), method, Buffer.of(1)];
  const login = Buffer.concat([session, ...who, field("ssh-ed25519"), key, key]);
  const sign = [Buffer.of(13), key, field(login), Buffer.of(0, 0, 0, 0)];
  return [Buffer.concat(bind), Buffer.concat(sign), login, signature.subarray(4), Buffer.of(11)];
}

function orOttoError(decode: (bytes: Uint8Array) => unknown): (bytes: Uint8Array) => unknown {
  return (bytes) => {
    try {
      return decode(bytes);
    } catch (error) {
      if (error instanceof OttoError) return null;
      throw error;
    }
  };
}

if (import.meta.main) {
  const [inputs = "1000000", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
  console.log(`seed ${seed}`);
  for (const { decoder, inputs: count, slowestMs, failure } of fuzz(Number(inputs), Number(seed))) {
    console.log(
      `${decoder}: ${count} inputs, slowest ${slowestMs.toFixed(1)} ms${failure === null ? "" : `, FAILED: ${failure}`}`,
    );
    if (failure !== null) process.exitCode = 1;
  }
}
