/** The decoders of what a peer or a file says, each with something valid of its kind: what made-up bytes are made from. */

import { openAnnouncements, sealAnnouncements } from "../protocol/announcement.ts";
import { sealAnswer, openAnswer } from "../protocol/answers.ts";
import { encodeItem, decodeItem, encodeRequest } from "../protocol/calls.ts";
import { decodePart, encodePart } from "../protocol/backup.ts";
import { PushReader } from "../protocol/credentials/git.ts";
import { decodeAnswer, decodeHello, encodeAnswer, encodeHello } from "../protocol/credentials/hello.ts";
import { decodeHeader, encodeHeader, plaintextOf, valueIn } from "../protocol/credentials/sealed-secret.ts";
import { decodeIssuer, encodeIssuer } from "../protocol/credentials/issuer.ts";
import {
  decodeAgentRequest,
  decodeLogin,
  decodePair,
  decodeSshSignature,
  encodeNamed,
  encodePair,
} from "../protocol/credentials/ssh-agent.ts";
import { openDocument, sealDocument } from "../protocol/documents.ts";
import { sealEnvelope, type Signer } from "../protocol/envelope.ts";
import { OttoError } from "../protocol/errors.ts";
import { FrameDecoder, encodeFrame } from "../protocol/frames.ts";
import { openFork } from "../protocol/fork.ts";
import { openEntry } from "../protocol/log.ts";
import { bundleOfRelease, nameBundle, openBundle, planOfBundle } from "../protocol/manifest.ts";
import { openCertificate } from "../protocol/certificate.ts";
import { openInvite, sealInvite } from "../protocol/invite.ts";
import { openCharter, sealCharter } from "../protocol/membership.ts";
import { decodeMessage, encodeMessage } from "../protocol/messages.ts";
import { openPermit } from "../protocol/permits.ts";
import { decodeBundles, encodeBundles } from "../protocol/provenance/bundle.ts";
import { decodeStatement } from "../protocol/provenance/statement.ts";
import { sealQuorum } from "../protocol/quorum.ts";
import { openOutcome, openRelease, sealOutcome } from "../protocol/release.ts";
import { openRenewal, sealRenewal } from "../protocol/renewal.ts";
import { revocationIn } from "../protocol/revocation.ts";
import { decodeExport, encodeExport } from "../protocol/run-export.ts";
import { decodeRequest } from "../protocol/requests.ts";
import { parseSignedResult } from "../protocol/report-check.ts";
import { encodeTree, parseTree } from "../protocol/tree.ts";
import { decodeUntrusted, encodeValue } from "../protocol/values.ts";
import { readPolicy } from "../planner/policy/read-policy.ts";
import type { Target } from "./fuzz-target.ts";
import { trustTargets } from "./fuzz-trust-targets.ts";
import { imageTargets } from "./fuzz-image-targets.ts";
import { simulatedKeys } from "./keys.ts";
import { Chance } from "./random.ts";
import { certificateOf, charterOf, randomPlan, runOf, startWallMs } from "./workload.ts";

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
    invite: sealInvite(domain, invite, { keys: owner, certificate: null }),
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

export function targets(): readonly Target[] {
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
    ...moreTargets(all),
    ...brokersTargets(run),
    ...imageTargets(),
    { name: "trees", valid: [encodeTree([])], decode: parseTree },
    {
      name: "policies",
      valid: [all.policy],
      decode: (bytes) => readPolicy(Buffer.from(bytes).toString()),
    },
  ];
}

/** What is carried inside of other things, or comes in a file. */
function moreTargets({
  charter,
  charterBytes,
  certificate,
  bundle,
  entry,
  run,
  messages,
}: ReturnType<typeof examples>): readonly Target[] {
  const { domain } = charter;
  const [owner, person] = [simulatedKeys("owner"), simulatedKeys("person")];
  const revocation = sealDocument(
    {
      otto: "document/1",
      topic: "revocation",
      name: person.peer,
      version: 1,
      timeMs: startWallMs,
      body: { name: "ada", because: "" },
    },
    domain,
    { keys: owner, certificate: null },
  );
  const renewal = sealRenewal(startWallMs, domain, { keys: person, certificate });
  const opening = {
    domain,
    keys,
    certified: (shown: Uint8Array) => openCertificate(shown, charter, 0, keys),
  };
  const announced = sealAnnouncements([messages[0] ?? entry], {
    domain,
    signer: person,
    certificate,
    nonce: "n",
  });
  const exported = encodeExport({
    otto: "otto-run/1",
    run,
    charter: charterBytes,
    bundle,
    entries: [entry],
    certificates: [certificate],
  });
  const head = {
    kind: "head",
    otto: "otto-backup/1",
    charter: charterBytes,
    peer: person.peer,
    madeMs: 1,
  } as const;
  const parts = [
    head,
    { kind: "entries", entries: [["k", entry]] },
    { kind: "blob", digest: "d", size: 1 },
  ] as const;
  return [
    ...trustTargets(charter),
    { name: "renewals", valid: [renewal], decode: (bytes) => openRenewal(bytes, charter, startWallMs, keys) },
    {
      name: "revocations",
      valid: [revocation],
      decode: (bytes) => {
        const opened = openDocument(bytes, charter, keys);
        return opened.ok ? revocationIn(opened.value) : null;
      },
    },
    { name: "announcements", valid: [announced], decode: (bytes) => openAnnouncements(bytes, opening) },
    { name: "forks", valid: [entry], decode: (bytes) => openFork([bytes, entry], domain, keys) },
    { name: "exported runs", valid: [exported], decode: decodeExport },
    { name: "parts of backups", valid: parts.map((part) => encodePart(part)), decode: decodePart },
  ];
}

/** What is said to and by a broker, and what proves where an artifact comes from. */
function brokersTargets(run: string): readonly Target[] {
  const place = { run, index: 0, attempt: 1, token: 1, credential: "api", host: "127.0.0.1:40123" };
  const said = [
    encodeHello({ otto: "broker/1", ...place }),
    encodeAnswer({ why: null, hostKeys: ["ssh-ed25519 AAAA"] }),
  ];
  const header = encodeHeader({} as Parameters<typeof encodeHeader>[0]);
  const statement = { payload: Buffer.from('{"_type":"https://in-toto.io/Statement/v1"}'), signatures: [] };
  const signed = encodeBundles({
    ...statement,
    signatures: [{ peer: "12D3KooW", signature: new Uint8Array(64) }],
  });
  const push =
    "00a00000000000000000000000000000000000000000 1111111111111111111111111111111111111111 refs/heads/main\0 report-status\n0000PACK";
  return [
    {
      name: "greetings of a broker",
      valid: said,
      decode: (bytes) => [decodeHello(bytes), decodeAnswer(bytes)],
    },
    {
      name: "sealed secrets",
      valid: [header, plaintextOf(header, Buffer.from("v"))],
      decode: (bytes) => [decodeHeader(bytes), valueIn(bytes, header)],
    },
    { name: "issuers", valid: [issuer()], decode: decodeIssuer },
    {
      name: "pushes of git",
      valid: [Buffer.from(push)],
      decode: (bytes) => new PushReader(["refs/heads/main"]).push(bytes),
    },
    {
      name: "provenance",
      valid: [Buffer.from(signed), statement.payload],
      decode: (bytes) => {
        const opened = decodeBundles(bytes);
        return [decodeStatement(bytes), opened.ok ? decodeStatement(opened.value.payload) : null];
      },
    },
  ];
}

function issuer(): Uint8Array {
  const text = "k".repeat(43);
  const keys = [{ kid: text, x: text, y: text, untilMs: null }];
  return encodeIssuer({ otto: "issuer/1", issuer: "https://ops.example.org/tokens", keys, recipients: [] });
}

/** A bind, a request to sign a login, and the login itself. */
function agentRequests(): readonly Uint8Array[] {
  const field = (value: string | Uint8Array): Buffer => {
    const bytes = Buffer.from(value);
    return Buffer.concat([Buffer.of(0, 0, bytes.length >> 8, bytes.length & 255), bytes]);
  };
  const session = field(new Uint8Array(32));
  const key = field(Buffer.concat([field("ssh-ed25519"), field(new Uint8Array(32))]));
  const signature = field(encodeNamed("ecdsa-sha2-nistp256", encodePair(new Uint8Array(64).fill(200))));
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
