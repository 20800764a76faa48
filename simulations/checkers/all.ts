/** Every checker, new for one world. */

import type { Checker } from "../observation.ts";
import { announcementsChecker } from "./announcements.ts";
import { ballotsChecker } from "./ballots.ts";
import { confinementChecker } from "./confinement.ts";
import { durabilityChecker } from "./durability.ts";
import { effectsChecker } from "./effects.ts";
import { fencesChecker } from "./fences.ts";
import { forksChecker } from "./forks.ts";
import { GatesChecker } from "./gates.ts";
import { HeldLocksChecker } from "./held-locks.ts";
import { ledgerChecker } from "./ledger.ts";
import { logsChecker } from "./logs.ts";
import { plansChecker } from "./plans.ts";
import { linearizabilityChecker } from "./linearizability.ts";
import { outputsChecker } from "./outputs.ts";
import { progressChecker } from "./progress.ts";
import { RegistersChecker } from "./registers.ts";
import { ReleasesChecker } from "./releases.ts";
import { retirementChecker } from "./retirement.ts";
import { revocationsChecker } from "./revocations.ts";
import { schedulesChecker } from "./schedules.ts";
import { silenceChecker } from "./silence.ts";
import { stormsChecker } from "./storms.ts";
import { tablesChecker } from "./tables.ts";
import { tokensChecker } from "./tokens.ts";
import { understandingChecker } from "./understanding.ts";
import { valuesChecker } from "./values.ts";
import { verificationChecker } from "./verification.ts";

/** What must hold also where more goes wrong than the design bears (`scheduleBeyond`). */
export function checkersBeyond(): Checker[] {
  return [
    durabilityChecker(),
    stormsChecker(),
    announcementsChecker(),
    understandingChecker(),
    confinementChecker(),
    silenceChecker(),
  ];
}

/** @param domain its name. */
export function allCheckers(domain = "dev"): Checker[] {
  return [
    tokensChecker(),
    ballotsChecker(),
    durabilityChecker(),
    tablesChecker(),
    new RegistersChecker(),
    retirementChecker(),
    effectsChecker(),
    fencesChecker(),
    new GatesChecker(domain),
    new HeldLocksChecker(),
    revocationsChecker(),
    ...(domain === "dev" ? [new ReleasesChecker()] : []),
    ledgerChecker(),
    valuesChecker(),
    schedulesChecker(),
    forksChecker(),
    stormsChecker(),
    announcementsChecker(),
    understandingChecker(),
    confinementChecker(),
    linearizabilityChecker(),
    outputsChecker(),
    progressChecker(),
    plansChecker(),
    logsChecker(),
    verificationChecker(domain),
  ];
}
