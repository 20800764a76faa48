/** A trace as a person reads it: one line for each thing seen, peers by their names. */

import type { Ballot, Position } from "../protocol/registers/ballot.ts";
import type { RegisterValue } from "../protocol/registers/registers.ts";
import type { Message } from "../protocol/messages.ts";
import { decodeUntrusted } from "../protocol/values.ts";
import { unreachable } from "../protocol/errors.ts";
import type { Observation, PeerName } from "./observation.ts";

/** Null for what only fills the page: heartbeats, renewals, output, and frames that arrive. */
export function narrate(observation: Observation, nameOf: (id: string) => PeerName): string | null {
  const said = words(observation, nameOf);
  const seconds = (observation.atUs / 1_000_000).toFixed(6).padStart(11);
  return said === null ? null : `${seconds} ${observation.peer.padEnd(9)} ${said}`;
}

function words(observation: Observation, nameOf: (id: string) => PeerName): string | null {
  switch (observation.kind) {
    case "up":
      return `up as ${observation.life}`;
    case "down":
      return `down: ${observation.why}`;
    case "paused":
    case "resumed":
      return observation.kind;
    case "sent":
    case "received": {
      const message = messageWords(observation.message, nameOf);
      if (message === null) return null;
      return observation.kind === "sent"
        ? `-> ${observation.to}: ${message}`
        : `<- ${observation.from}: ${message}`;
    }
    case "recorded":
      return `recorded ${observation.events.map((event) => plain(event, nameOf)).join(" | ")}`;
    case "revoked":
      return `has ${observation.name} revoked`;
    case "handed":
      return `is handed ${observation.submission.run}`;
    case "submitted":
      return `submitted ${observation.submission.run}`;
    case "asked-to-cancel":
      return `asked to cancel ${observation.run}`;
    case "ordered":
      return `orders ${observation.submission.run}`;
    case "asked-to-remove":
      return `asked to remove the schedule of ${observation.pipeline}`;
    case "answered":
      return `answered ${observation.question}: ${JSON.stringify(observation.answer)}`;
    case "step-started":
      return `starts ${observation.assignment.id} under token ${observation.assignment.token}`;
    case "step-over":
      return `is done with ${observation.assignment}`;
    case "published":
      return `announces ${plain(observation.message, nameOf)}`;
    case "heard-of":
      return null;
    case "lied":
      return `lies to ${observation.to ?? "all"}: ${observation.message === null ? "bytes" : plain(observation.message, nameOf)}`;
    case "unreadable":
      return `cannot read what ${observation.from} says: ${observation.because}`;
    case "refused-start":
      return "refuses to start: its disk is damaged";
    case "refused":
      return `refused ${observation.because} from ${observation.from ?? "nobody"}`;
    case "step-wrote":
    case "outputs-gone":
      return null;
    case "output-kept":
      return `keeps ${observation.bytes.length} bytes of ${observation.id} from ${observation.by}`;
    case "forged":
      return `somebody else signs an entry of log ${observation.log}`;
    case "log-frozen":
      return `freezes ${observation.own ? "its own " : ""}log ${observation.log} at ${observation.kept}`;
    case "configured": {
      const { configuration, members } = observation;
      return `${configuration === 1 ? "votes" : "goes over to"} configuration ${configuration}: ${members.join(" ")}`;
    }
    case "policy-signed":
      return `policy ${observation.version}: ${JSON.stringify(observation.policy.environments)}`;
    case "policy-chosen":
      return `policy ${observation.version} is the domain's`;
    case "asked-to-approve": {
      const { run, step, isBehind, no, question } = observation;
      return `asked ${question}: ${no ? "no" : "yes"} ${isBehind ? "behind" : "before"} ${run}/${step}`;
    }
    case "gates-seen": {
      const words = observation.gates.map(({ step, missing }) => `${step} (${missing.join("; ")})`);
      return `says to wait: ${words.join(", ")}`;
    }
    case "let-use":
      return `lets ${observation.run}/${observation.index} use what its environment has`;
    case "crossed": {
      const { state } = observation.answer;
      const detail = "detail" in observation.answer ? `: ${observation.answer.detail}` : "";
      return `is told by ${observation.to} of another domain: ${state}${detail}`;
    }
    case "fault":
      return observation.text;
    default:
      return unreachable(observation);
  }
}

function messageWords(message: Message, nameOf: (id: string) => PeerName): string | null {
  switch (message.kind) {
    case "heartbeat":
    case "heard":
    case "renew":
    case "renewed":
    case "output":
    case "output-kept":
      return null;
    case "canvass":
    case "willing":
    case "prepare":
      return `${message.kind} ${ballotWords(message.ballot, nameOf)}`;
    case "nack":
      return `nack ${ballotWords(message.ballot, nameOf)}, promised ${ballotWords(message.promised, nameOf)}`;
    case "promise":
      return `promise ${ballotWords(message.ballot, nameOf)}, at ${placeWords(message.at, nameOf)}`;
    case "reign":
      return `reign ${ballotWords(message.ballot, nameOf)} from ${placeWords(message.base, nameOf)}`;
    case "gap": {
      const named = message.names.length === 0 ? "" : ` and of ${message.names.join(" ")}`;
      return `gap ${ballotWords(message.ballot, nameOf)} since ${placeWords(message.since, nameOf)}${named}`;
    }
    case "more":
      return `more ${ballotWords(message.ballot, nameOf)} page ${message.page}`;
    case "repair": {
      const { at, page, last } = message;
      const records = message.records.map(({ name, value }) => `${name}=${valueWords(value)}`).join(" ");
      return `repair to ${placeWords(at, nameOf)} page ${page}${last ? ", the last" : ""} {${records}}`;
    }
    case "accept": {
      const records = message.records
        .map(({ names, value }) => `${names.join()}=${valueWords(value)}`)
        .join(" ");
      return `accept ${placeWords(message, nameOf)} {${records}}`;
    }
    case "accepted":
      return `accepted ${ballotWords(message.ballot, nameOf)} #${message.round}`;
    default:
      return plain(message, nameOf);
  }
}

function ballotWords({ epoch, incarnation }: Ballot, _nameOf: (id: string) => PeerName): string {
  return `${epoch}@${incarnation}`;
}

function placeWords({ ballot, round }: Position, nameOf: (id: string) => PeerName): string {
  return `${ballotWords(ballot, nameOf)} #${round}`;
}

function valueWords(bytes: Uint8Array): string {
  const decoded = decodeUntrusted(bytes);
  if (!decoded.ok) return "?";
  const value = decoded.value as RegisterValue;
  if (value.kind === "run") return value.outcome ?? (value.cancelledBy === null ? "open" : "cancelling");
  if (value.kind === "invite") return "used";
  if (value.kind === "charter") return `configuration ${value.configuration}`;
  if (value.kind === "fence") return String(value.token);
  if (value.kind === "document") return `version ${value.version}`;
  if (value.kind === "retired") return `through ${value.throughMs}`;
  if (value.kind === "schedule")
    return `${value.order?.id ?? "removed"}/${value.revision}, settled ${value.settledMs}, fired ${value.fired?.run ?? "none"}`;
  return value.state === "done" ? `${value.outcome}/${value.token}` : `${value.state}/${value.token}`;
}

function plain(value: object, nameOf: (id: string) => PeerName): string {
  return JSON.stringify(value, (key, item: unknown) => {
    if (item instanceof Uint8Array) return `<${item.length}>`;
    if (key === "report" || key === "timeMs" || key === "manifest" || key === "plan" || key === "bundle")
      return undefined;
    return typeof item === "string" ? nameOf(item) : item;
  }).replaceAll('"', "");
}
