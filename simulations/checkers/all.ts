/** Every checker, new for one world. */

import type { Checker } from "../observation.ts";
import { ballotsChecker } from "./ballots.ts";
import { durabilityChecker } from "./durability.ts";
import { effectsChecker } from "./effects.ts";
import { forksChecker } from "./forks.ts";
import { ledgerChecker } from "./ledger.ts";
import { progressChecker } from "./progress.ts";
import { RegistersChecker } from "./registers.ts";
import { schedulesChecker } from "./schedules.ts";
import { tokensChecker } from "./tokens.ts";
import { valuesChecker } from "./values.ts";
import { verificationChecker } from "./verification.ts";

export function allCheckers(): Checker[] {
  return [
    tokensChecker(),
    ballotsChecker(),
    durabilityChecker(),
    new RegistersChecker(),
    effectsChecker(),
    ledgerChecker(),
    valuesChecker(),
    schedulesChecker(),
    forksChecker(),
    progressChecker(),
    verificationChecker(),
  ];
}
