/** `otto invite`: a code with which one machine or person can join the domain, once. */

import { askFor } from "../../node/edge/client.ts";
import { inviteCode } from "../../node/edge/joining.ts";
import { type ExitCode, exitCodes, OttoError } from "../../protocol/errors.ts";
import { limits } from "../../protocol/limits.ts";
import { findTarget, type TargetOptions } from "../target.ts";

export type InviteOptions = TargetOptions & { readonly role?: string; readonly minutes?: string };

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
  const target = await findTarget(options);
  try {
    const { certificate } = target;
    const validMs = Math.round(minutes * limits.minuteMs);
    const made = await askFor(await target.open(), { call: "invite", certificate, role, validMs }, "invite");
    process.stdout.write(`${inviteCode(made.invite)}\n`);
    return exitCodes.passed;
  } finally {
    await target.close();
  }
}
