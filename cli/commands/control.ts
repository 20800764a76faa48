/**
 * `otto control`: which control peers a domain has, and others in their place while it runs; backups, and a domain from
 * one of them when every control peer is lost.
 */

import { createWriteStream, existsSync, renameSync, rmSync } from "node:fs";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { askFor, callFor } from "../../node/edge/client.ts";
import { DataFolder } from "../../node/edge/data-folder.ts";
import type { Signer } from "../../protocol/envelope.ts";
import type { ControlSeen } from "../../protocol/calls.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { type Charter, type ControlPeer, sealCharter, successorOf } from "../../protocol/membership.ts";
import { sizeWords } from "../../protocol/sizes.ts";
import { controlsOf } from "../domain-documents.ts";
import { keepStanding, person } from "../person.ts";
import { controlsTable } from "../render/controls.ts";
import { visible } from "../render/sanitize.ts";
import { wantsColor } from "../render/renderer.ts";
import { ownerOf, type OwnerOptions, signsAlone } from "../owner.ts";
import { type Target, type TargetOptions, withTarget } from "../target.ts";
import { shellWord, shortId } from "../words.ts";
import { configOf, type NodeOptions } from "./up.ts";

export type ControlOptions = TargetOptions & { readonly json?: boolean };
export type BackupOptions = TargetOptions & { readonly output?: string };
export type RestoreOptions = NodeOptions &
  Pick<OwnerOptions, "ownerKey"> & { readonly othersAreLost?: boolean };

type Known = Awaited<ReturnType<typeof controlsOf>>;

/** Members get their tables within moments; a command does not wait for one that is away. */
const settlesWithinMs = 15_000;
const lookAgainMs = 200;
const ownersWord = {
  what: "Only the domain's owner says who its control peers are",
  state: "The domain's control peers are who they were.",
};

export async function listControls(options: ControlOptions): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    const seen = await controlsOf(target);
    const { opened, controls } = seen;
    const { stdout } = process;
    if (options.json === true) {
      const { name, domain, configuration } = opened;
      const rows = controls.map((control) => ({ ...control, standing: standingOf(control, opened) }));
      stdout.write(`${JSON.stringify({ domain: name, domainId: domain, configuration, controls: rows })}\n`);
      return;
    }
    const style = { color: wantsColor(stdout), columns: stdout.isTTY ? stdout.columns : null };
    const rows = controls.map((control) => ({ ...control, standing: standingOf(control, opened) }));
    const { size } = opened;
    const lines = [
      `Domain ${opened.name}, configuration ${opened.configuration}: ${size} control ${size === 1 ? "peer" : "peers"}`,
      ...controlsTable(rows, style),
    ];
    stdout.write(`${lines.join("\n")}\n`);
  });
}

export function addControl(named: string, options: OwnerOptions): Promise<ExitCode> {
  return change(options, (seen) => {
    const peer = find(named, seen);
    if (isMember(peer, seen.opened)) throw usage(`${nameOf(peer)} is a control peer of the domain already.`);
    return [...seen.opened.controls, memberOf(peer)];
  });
}

export function removeControl(named: string, options: OwnerOptions): Promise<ExitCode> {
  return change(options, (seen) => {
    const { peer } = member(named, seen);
    return seen.opened.controls.filter((control) => control.peer !== peer);
  });
}

/** Without another name: the same peer with the database that it has now, since its own was lost. */
export function replaceControl(
  named: string,
  by: string | undefined,
  options: OwnerOptions,
): Promise<ExitCode> {
  return change(options, (seen) => {
    const old = member(named, seen);
    const next = memberOf(by === undefined ? old : find(by, seen));
    const others = seen.opened.controls.filter(({ peer }) => peer !== old.peer);
    if (others.some(({ peer }) => peer === next.peer))
      throw usage(`${shortId(next.peer)} is a control peer of the domain already.`);
    return seen.opened.controls.map((control) => (control.peer === old.peer ? next : control));
  });
}

export async function backUp(options: BackupOptions): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    const { opened } = await controlsOf(target);
    const path = options.output ?? `${opened.name}.otto-backup`;
    let bytes = 0;
    await whole(path, async (write) => {
      for await (const item of callFor(await target.open(), {
        call: "backup",
        certificate: target.certificate,
      })) {
        if (item.kind === "done") return true;
        if (item.kind !== "chunk") continue;
        bytes += item.bytes.length;
        await write(item.bytes);
      }
      return false;
    });
    process.stdout.write(
      `Wrote ${path}, ${sizeWords(bytes)}. It holds no key: keep the owner's key apart from it.\n`,
    );
  });
}

export async function restore(file: string, options: RestoreOptions): Promise<ExitCode> {
  if (options.othersAreLost !== true)
    throw usage(
      "While more than half of a domain's control peers live, nothing needs to be restored: a new one joins, and takes the place of the lost one.",
      "Join with a control invite and use `otto control replace`. If all are lost for good, say --others-are-lost.",
    );
  if (options.data === undefined)
    throw usage("The new control peer needs a folder of its own.", "Say --data FOLDER.");
  const { ownerKey = [] } = options;
  const isNew = !existsSync(options.data);
  const folder = new DataFolder(options.data);
  if (folder.isNode) throw usage(`${folder.path} already holds a node.`, "Name another folder with --data.");
  const { restoreDomain } = await import("../../node/edge/restoring.ts");
  const config = configOf("control", options);
  const restoring = { file, folder: folder.path, owner: ownedBy(ownerKey), config, person: person().peer };
  try {
    const { charter, madeMs, entries, blobs, raised } = await restoreDomain(restoring);
    const own = folder.read("person.cert");
    if (own !== null) keepStanding(charter, folder.need("charter"), own);
    const { name, configuration } = charter;
    const lines = [
      `Restored domain ${name} as of ${new Date(madeMs).toISOString()}: ${entries} entries, ${blobs} files.`,
      `Its one control peer is ${config.name}, in configuration ${configuration}. What was decided after the backup is lost.`,
      `The tokens of ${raised} ${raised === 1 ? "step" : "steps"} that were not over were raised above all that were granted.`,
      `Start it with: otto up --data ${shellWord(folder.path)}`,
    ];
    process.stdout.write(`${lines.join("\n")}\n`);
    return exitCodes.passed;
  } catch (error) {
    if (isNew) rmSync(folder.path, { recursive: true, force: true });
    throw error;
  }
}

/** All whom it takes, at once: there is no domain that could take it later. */
function ownedBy(files: readonly string[]): (charter: Charter) => Signer {
  return (charter) => {
    const options = { ownerKey: files, peer: "" };
    const missing = {
      ...ownersWord,
      what: `It takes ${charter.owners?.threshold ?? 1} of the domain's owners here`,
    };
    if (!signsAlone(options, charter, ownersWord))
      throw usage(`${missing.what}.`, "Name each key with --owner-key.");
    return ownerOf(options, charter, ownersWord);
  };
}

/** The owner signs, the domain decides, and the command waits until the members have their tables. */
function change(
  options: OwnerOptions,
  membersOf: (seen: Known) => readonly ControlPeer[],
): Promise<ExitCode> {
  return withTarget(options, async (target) => {
    const seen = await controlsOf(target);
    // Where others sign it later, it counts from the end of their time on: what is signed meanwhile keeps counting.
    const isNow = signsAlone(options, seen.opened, ownersWord);
    const atMs = Date.now() + (isNow ? 0 : limits.ownersSignMsMax);
    const next = successorOf(seen.opened, membersOf(seen), atMs);
    const owner = ownerOf(options, next, ownersWord);
    const { certificate } = target;
    const request = { call: "recharter", certificate, charter: sealCharter(next, owner) } as const;
    await askFor(await target.open(), request, "done");
    const after = await untilInstalled(target, next, seen);
    process.stdout.write(`${changedLines(seen, next, after).map(visible).join("\n")}\n`);
  });
}

async function untilInstalled(target: Target, next: Charter, before: Known): Promise<Known> {
  const deadlineMs = performance.now() + settlesWithinMs;
  for (;;) {
    const seen = await controlsOf(target);
    const isSettled = next.controls.every(({ peer }) =>
      seen.controls.some(
        (control) =>
          control.peer === peer &&
          (control.configuration >= next.configuration || (isAway(peer, before) && isAway(peer, seen))),
      ),
    );
    if (isSettled || performance.now() >= deadlineMs) return seen;
    await sleep(lookAgainMs);
  }
}

function isAway(peer: string, { controls }: Known): boolean {
  return controls.every((control) => control.peer !== peer || control.state === "unlinked");
}

function changedLines(before: Known, next: Charter, after: Known): string[] {
  const { controls } = after;
  const named = (peer: string) =>
    nameOf([...controls, ...before.controls].find((control) => control.peer === peer) ?? { peer, name: "" });
  const lines = [
    `Domain ${next.name} has configuration ${next.configuration}: ${next.controls.map(({ peer }) => named(peer)).join(", ")}.`,
  ];
  for (const { peer } of next.controls) {
    const configuration = controls.find((control) => control.peer === peer)?.configuration ?? 0;
    if (configuration < next.configuration)
      lines.push(`${named(peer)} does not vote yet: it gets its table as soon as it can be reached.`);
  }
  const gone = before.opened.controls.filter(({ peer }) =>
    next.controls.every((control) => control.peer !== peer),
  );
  for (const { peer } of gone) {
    const leave = isAway(peer, after)
      ? ""
      : " Let it run for a minute more, so that the others have all that it knows; then it can be stopped.";
    lines.push(
      `${named(peer)} has no vote any more.${leave} It signs nothing more that counts, but with an earlier date: if its key may be in other hands, \`otto revoke ${peer}\`.`,
    );
  }
  if (next.size % 2 === 0 && next.size !== 4)
    lines.push(`${next.size} control peers bear no more losses than ${next.size - 1}.`);
  return lines;
}

/** What a control peer is to its domain. */
export type Standing = "home" | "member" | "no table" | "other database" | "unlinked" | "spare";

function standingOf(control: ControlSeen, charter: Charter): Standing {
  const member = charter.controls.find(({ peer }) => peer === control.peer);
  if (member === undefined) return "spare";
  if (control.state === "unlinked") return "unlinked";
  if (control.store !== "" && control.store !== member.store) return "other database";
  if (control.configuration < charter.configuration) return "no table";
  return control.isHome ? "home" : "member";
}

function isMember({ peer }: { readonly peer: string }, charter: Charter): boolean {
  return charter.controls.some((control) => control.peer === peer);
}

function nameOf({ peer, name }: Pick<ControlSeen, "peer" | "name">): string {
  return name === "" ? shortId(peer) : name;
}

/** By its name or the beginning of its id. */
function find(named: string, { controls }: Known): ControlSeen {
  const found = controls.filter(({ peer, name }) => name === named || peer.startsWith(named));
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only;
  throw usage(
    only === undefined
      ? `The node that was asked knows no control peer ${named}.`
      : `${named} is not one control peer: ${found.map(nameOf).join(", ")}.`,
    "Look with `otto control ls`. A new one joins with a code of `otto invite --role control` first.",
  );
}

function member(named: string, seen: Known): ControlSeen {
  const found = find(named, seen);
  if (isMember(found, seen.opened)) return found;
  throw usage(`${nameOf(found)} is no control peer of the domain.`);
}

function memberOf({ peer, name, store, addresses }: ControlSeen): ControlPeer {
  if (store !== "") return { peer, store, addresses: addresses.slice(0, limits.addressesMax) };
  throw new OttoError("OTTO_UNREACHABLE", {
    what: `${nameOf({ peer, name })} cannot be reached from the node that was asked.`,
    state: "The domain's control peers are who they were.",
    next: "Start it, wait until `otto control ls` shows it linked, and try again.",
  });
}

function usage(what: string, next = "Look with `otto control ls`."): OttoError {
  return new OttoError("OTTO_USAGE", { what, state: "Nothing was changed.", next });
}

/** The file is there whole or not at all. */
async function whole(
  path: string,
  fill: (write: (bytes: Uint8Array) => Promise<void>) => Promise<boolean>,
): Promise<void> {
  const partial = `${path}.part`;
  const stream = createWriteStream(partial, { mode: 0o600, flush: true });
  const failed = once(stream, "error").then(([error]) => {
    throw error;
  });
  try {
    const isWhole = await Promise.race([
      failed,
      fill(async (bytes) => {
        if (!stream.write(bytes)) await once(stream, "drain");
      }),
    ]);
    stream.end();
    await Promise.race([failed, once(stream, "close")]);
    if (!isWhole) throw new Error("the node's answer ended early");
    renameSync(partial, path);
  } catch (error) {
    // It may not have been made yet, and would be once it was removed.
    stream.destroy();
    if (!stream.closed) await once(stream, "close").catch(() => undefined);
    rmSync(partial, { force: true });
    if (error instanceof OttoError) throw error;
    throw new OttoError("OTTO_FILE_UNREADABLE", {
      what: `${path} cannot be written: ${error instanceof Error ? error.message : String(error)}.`,
      state: "There is no backup.",
      next: "Name a file that you may write with --output, on a disk with room.",
      cause: error,
    });
  } finally {
    failed.catch(() => undefined);
  }
}
