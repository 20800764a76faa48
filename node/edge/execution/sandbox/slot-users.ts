/**
 * Users of their own for the slots of a worker that runs as root: numbers that nobody else has, so that one slot's
 * processes and files are closed to the others, to the rest of the machine and to the worker's own.
 *
 * They need no entry in `/etc/passwd`. The numbers follow from the executor's identity, so that a worker finds what an
 * earlier start of it left behind, and two workers on one machine do not meet.
 */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

/** User and group have the same number. */
export type SlotUser = { readonly id: number };

const slotsMax = 1_000;
/** Beyond what distributions, systemd and tables of subordinate users give away. */
const firstChoice = 2 ** 30;
/** Where a container maps only a few ten thousand users. */
const secondChoice = 20_000;
const secondChoices = 40;

/** Also in place of what this process has open itself: what runs as the slot's user may be looked into by it. */
const nothing = Array.from({ length: 6 }, () => "ignore" as const);

export type UserPicker = (slot: number) => SlotUser | null;

/** Null when this process cannot become another user. */
export function pickSlotUsers(identity: string): UserPicker | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return null;
  const mapped = readFileSync("/proc/self/uid_map", "utf8");
  const lot = Number.parseInt(identity.slice(0, 5), 16);
  const choices = [firstChoice + lot * (slotsMax + 24), secondChoice + (lot % secondChoices) * slotsMax];
  const first = choices.find((id) => isMapped(mapped, id, slotsMax));
  if (first === undefined) return null;
  return (slot) => (slot < slotsMax ? { id: first + slot } : null);
}

/** The dead that nobody has collected hold nothing but their number, of which a user has so many. */
const deadMax = 32;

/**
 * Kills every process of the user, whatever it did to its group, session, environment or parents. Says whether there was one;
 * then it is to be asked again. "Crowded": none, but so many dead that the next step of this user could start none.
 */
export function killUser({ id }: SlotUser): "none" | "living" | "crowded" {
  const { living, dead } = processesOf(id);
  if (living === 0) return dead > deadMax ? "crowded" : "none";
  // One by one they could fork faster than they are found; this is one act of the kernel over all of them.
  spawnSync("/bin/sh", ["-c", "kill -9 -1"], { uid: id, gid: id, env: {}, cwd: "/", stdio: nothing });
  return "living";
}

function processesOf(id: number): { readonly living: number; readonly dead: number } {
  const [own, dead] = [new RegExp(`^Uid:\\t${id}\\t`, "m"), /^State:\t[ZX]/m];
  const states = readdirSync("/proc").flatMap((name) => {
    const text = /^\d+$/.test(name) ? readStatus(name) : "";
    return own.test(text) ? [dead.test(text)] : [];
  });
  return { living: states.filter((isDead) => !isDead).length, dead: states.filter(Boolean).length };
}

function readStatus(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "latin1");
  } catch {
    // It has ended since.
    return "";
  }
}

/** Whether a table of `/proc/PID/uid_map` holds all of the numbers. */
function isMapped(table: string, first: number, count: number): boolean {
  return table.split("\n").some((line) => {
    const [inside = 0, , length = 0] = line.trim().split(/\s+/).map(Number);
    return first >= inside && first + count <= inside + length;
  });
}
