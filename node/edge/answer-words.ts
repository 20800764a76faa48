/** What a core has answered, or found, and what a node is not the one to ask for, in words for whoever must act on it. */

import { OttoError } from "../../protocol/errors.ts";
import type { Fork } from "../../protocol/fork.ts";
import { notSupported } from "../../protocol/unsupported.ts";
import type { Answer } from "../core/effects.ts";

export function answerRefused({ reason, detail }: Extract<Answer, { ok: false }>): OttoError {
  if (reason === "no-such-run")
    return new OttoError("OTTO_NO_SUCH_RUN", {
      what: "There is no such run, or it is over.",
      state: "The answer counts for nothing.",
      next: "List the runs with `otto status`.",
    });
  if (reason === "stranger")
    return new OttoError("OTTO_NOT_A_MEMBER", {
      what: `The answer does not count: its signature does not hold here (${detail}).`,
      state: "The step waits on.",
      next: "Answer with a key that has joined this domain, or ask for a new token: `otto callback RUN STEP`.",
    });
  if (reason === "closed")
    return new OttoError("OTTO_REFUSED", {
      what: "The step is settled already.",
      state: "The answer came too late and counts for nothing.",
      next: "See how it was settled with `otto status RUN`.",
    });
  if (reason === "refused")
    return new OttoError("OTTO_REFUSED", {
      what: `The answer does not count: ${detail}.`,
      state: "The step waits on.",
      next: "See what it waits for with `otto status RUN`.",
    });
  return new OttoError("OTTO_UNREACHABLE", {
    what: "The domain cannot decide now: no more than half of its control peers can be reached.",
    state: "The step waits on.",
    next: "Try again when they are back.",
  });
}

export function removalRefused(pipeline: string, answer: Extract<Answer, { ok: false }>): OttoError {
  if (answer.reason === "no-such-schedule")
    return new OttoError("OTTO_NO_SUCH_SCHEDULE", {
      what: `There is no schedule of a pipeline called ${pipeline}.`,
      state: "Nothing was removed.",
      next: "List the schedules with `otto schedule ls`.",
    });
  return new OttoError("OTTO_UNREACHABLE", {
    what: "The domain cannot decide now: no more than half of its control peers can be reached.",
    state: "The schedule is as it was.",
    next: "Try again when they are back.",
  });
}

export function documentRefused({ reason, detail }: Extract<Answer, { ok: false }>): OttoError {
  if (reason === "stale")
    return new OttoError("OTTO_REFUSED", {
      what: "Somebody else has changed it meanwhile.",
      state: "What they said counts, and nothing else was changed.",
      next: "Look at what it is now, and say it again.",
    });
  if (reason === "stranger")
    return new OttoError("OTTO_NOT_A_MEMBER", {
      what: `The domain does not take it: its signature does not hold here (${detail}).`,
      state: "Nothing was changed.",
      next: "Sign it with the key that may: the owner's for a policy or a revocation, a member's for a secret.",
    });
  if (reason === "refused")
    return new OttoError("OTTO_REFUSED", {
      what: `The domain does not take it: ${detail}.`,
      state: "Nothing was changed.",
      next: "Correct that, and say it again.",
    });
  return new OttoError("OTTO_UNREACHABLE", {
    what: "The domain cannot decide now: no more than half of its control peers can be reached.",
    state: "Nothing was changed.",
    next: "Try again when they are back.",
  });
}

export function cancelRefused(run: string, answer: Extract<Answer, { ok: false }>): OttoError {
  if (answer.reason === "closed")
    return new OttoError("OTTO_NO_SUCH_RUN", {
      what: `Run ${run} is over; there is nothing to cancel.`,
      next: `Look at it with \`otto status ${run}\`.`,
    });
  if (answer.reason === "no-such-run")
    return new OttoError("OTTO_NO_SUCH_RUN", {
      what: `There is no run ${run} to cancel: it was never admitted, not yet, or is long over.`,
      next: "List the runs with `otto status`.",
    });
  return new OttoError("OTTO_UNREACHABLE", {
    what: "The domain cannot decide now: no more than half of its control peers can be reached.",
    state: "The run goes on.",
    next: "Try again when they are back.",
  });
}

/** For the node whose log it is. */
export function signedElsewhere({ log, seq }: Fork): OttoError {
  return new OttoError("OTTO_LOG_FORKED", {
    what: `There are two entries ${seq} of this peer's log ${log}, both signed with its key: something else signs as this peer.`,
    state:
      "The other control peers take nothing more of that log, and keep the proof. This node has stopped.",
    next: "Find out who else has its data folder or its key, and replace this control peer if that is not known.",
  });
}

export function submissionRefused({ reason, detail }: Extract<Answer, { ok: false }>): OttoError {
  if (reason === "unsupported") return notSupported(detail);
  if (reason === "forbidden")
    return new OttoError("OTTO_FORBIDDEN", {
      what: `The domain's policy does not admit it: ${detail}.`,
      state: "Nothing was submitted.",
      next: "See all that it demands with `otto explain --policy`, and what it says with `otto policy show`.",
    });
  if (reason === "full")
    return new OttoError("OTTO_TOO_MANY_RUNS", {
      what: `The domain can take no more runs at present: ${detail}.`,
      state: "Nothing was submitted.",
      next: "Submit it again when some of them are over: `otto status`.",
    });
  if (reason === "expired")
    return new OttoError("OTTO_SUBMISSION_EXPIRED", {
      what: `The run could be admitted until ${new Date(Number(detail)).toISOString()}; for the node that was asked that is past, or too far off.`,
      state: "Nothing was submitted.",
      next: "Submit again; where it is refused again, set the clocks of the two machines.",
    });
  return new OttoError("OTTO_REFUSED", {
    what: `The submission was refused (${detail}).`,
    state: "Nothing was submitted.",
    next: "Submit with a key that has joined this domain: `otto join CODE`.",
  });
}

export function notFormed(joined: number, size: number): OttoError {
  return new OttoError("OTTO_REFUSED", {
    what: `The domain is not complete: ${joined} of ${size} control peers have joined.`,
    state: "Nothing was submitted.",
    next: "Let the others join with the control invites that the founder printed.",
  });
}

export function nothingToBackUp(): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: "This node is a worker: it holds nothing that a backup is made of.",
    state: "There is no backup.",
    next: "Ask a control peer, on its own machine, with --node FOLDER: `otto control ls` shows which they are.",
  });
}

export function joinOverNetwork(): OttoError {
  return new OttoError("OTTO_USAGE", {
    what: "Joining goes to a control peer over the network, not over the local socket.",
    next: "Run `otto join CODE` on the machine that is to join.",
  });
}
