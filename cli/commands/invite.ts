/** `otto invite`: a code with which one machine or person can join the domain, once. */

import { type Inviter, makeInvite } from "../../node/edge/invite-code.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import type { Allowed } from "../../protocol/allowed.ts";
import { limits } from "../../protocol/limits.ts";
import type { Role } from "../../protocol/membership.ts";
import { sandboxLevels } from "../../protocol/plan.ts";
import { controlsOf } from "../domain-documents.ts";
import { person } from "../person.ts";
import { findTarget, type Target, targetFolder, type TargetOptions } from "../target.ts";
import { ownerOfFolder } from "../../node/edge/owner.ts";

export type InviteOptions = TargetOptions & {
  readonly role?: string;
  readonly minutes?: string;
  readonly label?: readonly string[];
  readonly sandbox?: string;
  readonly machineOnly?: boolean;
};

export async function invite(options: InviteOptions): Promise<ExitCode> {
  const role = options.role ?? "worker";
  if (role !== "control" && role !== "worker" && role !== "person")
    throw new OttoError("OTTO_USAGE", {
      what: `There is no role "${role}".`,
      next: "Choose worker, control or person.",
    });
  const minutes = Number(options.minutes ?? limits.inviteMsDefault / limits.minuteMs);
  if (!(minutes > 0))
    throw new OttoError("OTTO_USAGE", {
      what: `--minutes takes a number, not "${options.minutes}".`,
      next: "Say for how many minutes the invite is good.",
    });
  const bounds = boundsOf(role, options);
  const target = await findTarget(options);
  try {
    const validMs = Math.round(minutes * limits.minuteMs);
    const seen = await controlsOf(target);
    const code = makeInvite(inviter(target, options), seen, { role, validMs, ...bounds });
    process.stdout.write(`${code}\n`);
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}

/** The person at this command line; where there is none of the domain, its owner. */
function inviter(target: Target, options: TargetOptions): Inviter {
  try {
    return { keys: person(), certificate: target.standing().certificate };
  } catch (error) {
    const folder = targetFolder(options);
    if (folder?.isOwner === true) return { keys: ownerOfFolder(folder), certificate: null };
    throw error;
  }
}

/** What the invited one may say of itself, and whether the person who joins with it becomes one of the domain. */
function boundsOf(
  role: Role,
  { label, sandbox, machineOnly }: InviteOptions,
): { readonly allowed?: Allowed; readonly machineOnly?: boolean } {
  if (role === "person" && machineOnly === true) throw noMachine("--machine-only");
  if (role !== "worker" && (label !== undefined || sandbox !== undefined))
    throw noMachine(label === undefined ? "--sandbox" : "--label");
  const highest = sandbox === undefined ? sandboxLevels.at(-1) : sandboxLevels.find((one) => one === sandbox);
  if (highest === undefined)
    throw new OttoError("OTTO_USAGE", {
      what: `There is no sandbox level "${sandbox}".`,
      state: "No invite was made.",
      next: `Choose one of ${sandboxLevels.join(", ")}.`,
    });
  const isBound = label !== undefined || sandbox !== undefined;
  return {
    ...(isBound ? { allowed: { labels: label ?? [], sandbox: highest } } : {}),
    ...(machineOnly === true ? { machineOnly } : {}),
  };
}

function noMachine(option: string): OttoError {
  const who = option === "--machine-only" ? "machines" : "workers";
  return new OttoError("OTTO_USAGE", {
    what: `${option} is for invites of ${who}.`,
    state: "No invite was made.",
    next: "Leave it out, or choose another --role.",
  });
}
