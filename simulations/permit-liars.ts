/**
 * What a control peer says that lies about permits: it signs what it must not, asks the others to sign what they must not, and
 * shows again what was signed for something else. Its own key is all that it signs with.
 */

import type { Answer } from "../protocol/answers.ts";
import { sealEnvelope } from "../protocol/envelope.ts";
import { unreachable } from "../protocol/errors.ts";
import { inputsDigest } from "../protocol/attempt-content.ts";
import type { Message } from "../protocol/messages.ts";
import { isPermit, type Permit } from "../protocol/permits.ts";
import { decodeUntrusted, decodeValue, encodeValue, sha256Hex } from "../protocol/values.ts";
import type { Keys } from "../node/ports.ts";
import { simulatedKeys } from "./keys.ts";
import type { Lie, LiarAround } from "./liars.ts";
import type { Chance } from "./random.ts";

export const permitActs = [
  "permit-signed-alone",
  "permit-asked",
  "permit-replayed",
  "permit-forged",
] as const;

/** Members of whom policies name some. */
const voters = ["mia", "noa", "kai"];

export type PermitAct = (typeof permitActs)[number];

export function permitLie(act: PermitAct, around: LiarAround, chance: Chance): readonly Lie[] {
  const { overheard, keys, controls, charter, self } = around;
  const toOthers = (frame: Message): Lie[] =>
    controls.filter((to) => to !== self).map((to) => ({ to, frame }));
  const asked = overheard.endorses.at(-1);
  switch (act) {
    case "permit-signed-alone":
    case "permit-forged": {
      if (asked === undefined) return [];
      const said = saidIn(asked.statement);
      const signer: Keys = act === "permit-forged" ? inAnothersName(around, chance) : keys;
      const envelope = sealEnvelope("permit", charter.domain, said, signer);
      // More than once: it counts once.
      return said === null ? [] : [1, 2, 3].flatMap(() => toOthers(endorsed(said, envelope)));
    }
    case "permit-asked": {
      const { statement, evidence } = unearned(around, chance) ?? { evidence: [] };
      if (statement === undefined) return [];
      return toOthers({ kind: "endorse", what: "permit", statement: encodeValue(statement), evidence });
    }
    case "permit-replayed": {
      if (asked === undefined || overheard.endorsed.length === 0) return [];
      const said = saidIn(asked.statement);
      const own = overheard.endorsed.filter(({ envelope }) => isBy(keys.peer, envelope));
      const { envelope } = chance.pick(own.length > 0 ? own : overheard.endorsed);
      return said === null ? [] : toOthers(endorsed(said, envelope));
    }
    default:
      return unreachable(act);
  }
}

type Unearned = { readonly statement: Permit; readonly evidence: readonly Uint8Array[] };

/** A permit that nobody should sign: of a step that nobody has approved, of other files, or of another time. */
function unearned({ overheard, wallMs }: LiarAround, chance: Chance): Unearned | null {
  if (overheard.submissions.length === 0) return null;
  const { run, manifestCid: manifest, manifest: signed } = chance.pick(overheard.submissions);
  const guarded = signed.plan.steps.flatMap(({ environment }, index) =>
    environment === null ? [] : [index],
  );
  if (guarded.length === 0) return null;
  const index = chance.pick(guarded);
  const step = signed.plan.steps[index]?.name ?? "";
  const said = overheard.approvals.filter(() => chance.percent(70)).map(answerIn);
  // What was said of another run's step of that name, of another step, or of this one.
  const like = said.filter(({ answer }) => answer.step === step || chance.percent(30));
  const fromMs = wallMs + (chance.percent(60) ? 0 : chance.pick([-3_600_000, -30_000, 30_000, 3_600_000]));
  const [first] = like;
  const given = [
    inputsDigest({ inputs: [] }),
    first?.answer.given ?? "",
    sha256Hex(encodeValue(chance.next())),
  ];
  const isNamed = ({ peer }: { readonly peer: string }) =>
    voters.some((name) => simulatedKeys(name).peer === peer);
  const statement: Permit = {
    otto: "permit/1",
    ...(chance.percent(25) ? { phase: "after" } : {}),
    run,
    manifest,
    index,
    step,
    given: chance.pick(given),
    approvedBy: [...new Set(like.filter(isNamed).map(({ peer }) => peer))].toSorted(),
    fromMs,
    untilMs: fromMs + chance.pick([600_000, 600_000, 86_400_000]),
  };
  const evidence = like.map(({ bytes }) => bytes).slice(0, 8);
  const asked = overheard.endorses.filter((one) => saidIn(one.statement)?.run === run).at(-1);
  const earlier = asked === undefined ? null : saidIn(asked.statement);
  if (asked === undefined || earlier === null || chance.percent(40)) return { statement, evidence };
  // As the home has asked for it, but for one thing.
  const { given: other, approvedBy, untilMs } = statement;
  const lie = chance.pick([{ given: other }, { approvedBy }, { fromMs, untilMs }, { approvedBy: [] }]);
  return { statement: { ...earlier, ...lie }, evidence: asked.evidence };
}

function answerIn(bytes: Uint8Array): {
  readonly bytes: Uint8Array;
  readonly answer: Answer;
  readonly peer: string;
} {
  const [envelope] = decodeValue(bytes) as [Uint8Array];
  const [, , peer, payload] = decodeValue(envelope) as [string, string, string, Uint8Array];
  return { bytes, answer: decodeValue(payload) as Answer, peer };
}

function isBy(peer: string, envelope: Uint8Array): boolean {
  return (decodeValue(envelope) as readonly unknown[])[2] === peer;
}

function endorsed({ run, index }: Permit, envelope: Uint8Array): Message {
  return { kind: "endorsed", what: "permit", run, index, envelope };
}

function saidIn(statement: Uint8Array): Permit | null {
  const decoded = decodeUntrusted(statement);
  return decoded.ok && isPermit(decoded.value) ? decoded.value : null;
}

/** Signs as well as somebody can who has not got the key. */
function inAnothersName({ keys, controls, idOf, self }: LiarAround, chance: Chance): Keys {
  const others = controls.filter((name) => name !== self);
  return { ...keys, peer: idOf(chance.pick(others.length > 0 ? others : controls)) };
}
