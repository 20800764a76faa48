/** The level of SLSA that a step is built at, in SLSA's words and never more than is demanded of its worker. */

import type { PlannedStep } from "../plan.ts";
import { localDomainName } from "../release.ts";

/** Level 2 wants a build platform that steps cannot reach into, and is not the machine of whoever submits. */
export function buildLevel({ sandbox = "S0" }: Pick<PlannedStep, "sandbox">, domainName: string): 1 | 2 {
  return (sandbox === "S2" || sandbox === "S3") && domainName !== localDomainName ? 2 : 1;
}
