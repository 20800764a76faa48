/** Mistakes to plant that one kind of fault, or one checker of what goes wrong, is there to reveal (`plantings.ts`). */

import type { Planting } from "./planted.ts";

export const faultPlantings: readonly Planting[] = [
  {
    name: "a message of a later version breaks the link",
    edits: [
      {
        file: "protocol/messages.ts",
        find: '!kinds.has(kind) ? "unknown" : "malformed"',
        replace: '!kinds.has(kind) ? "malformed" : "malformed"',
      },
    ],
    caughtBy: ["understanding"],
    firstSeed: 1,
    seedsMax: 200,
    kinds: ["newer"],
  },
  {
    name: "a field of a later version is refused",
    edits: [
      {
        file: "protocol/messages.ts",
        find: "return compiledObject({ kind: z.literal(name), ...fields });",
        replace: "return z.strictObject({ kind: z.literal(name), ...fields });",
      },
    ],
    caughtBy: ["understanding"],
    firstSeed: 1,
    seedsMax: 200,
    kinds: ["newer"],
  },
  {
    name: "a result is whoever's that brings it",
    edits: [
      {
        file: "protocol/registers/registers.ts",
        find: 'if (command.kind === "finish" && value.worker !== command.worker) return refused("stale");',
        replace: "",
      },
    ],
    caughtBy: ["verification", "ledger", "linearizability"],
    firstSeed: 4,
    seedsMax: 200,
    kinds: ["liar"],
  },
  {
    name: "a result for other inputs than were given counts",
    edits: [
      {
        file: "node/core/reign.ts",
        find: 'if (value?.kind === "step" && !isOfLease(result, run, value))',
        replace: 'if (value?.kind === "step" && result.index < 0)',
      },
    ],
    caughtBy: ["verification"],
    firstSeed: 3,
    seedsMax: 200,
    kinds: ["liar"],
  },
  {
    name: "anybody may give a lease back",
    edits: [
      {
        file: "node/core/reign.ts",
        find: "if (held !== undefined && held.token === ref.token && held.worker === from)",
        replace: "if (held !== undefined && held.token === ref.token)",
      },
    ],
    caughtBy: ["effects", "ledger", "progress"],
    firstSeed: 44,
    seedsMax: 200,
    kinds: ["liar"],
  },
  {
    name: "a session is whoever's that names it",
    edits: [
      {
        file: "node/core/leases.ts",
        find: "return `${peer} ${name}`;",
        replace: "return ` ${name}${peer.slice(0, 0)}`;",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 14,
    seedsMax: 200,
    kinds: ["liar"],
  },
  {
    name: "a failed write counts as done",
    edits: [
      {
        file: "node/core/loop.ts",
        find: "if (failure !== null) this.#fail(failure);",
        replace: "if (failure === 0) this.#fail(failure);",
      },
    ],
    caughtBy: ["durability"],
    firstSeed: 1,
    seedsMax: 200,
    kinds: ["disk-full"],
  },
  {
    name: "leases are counted by the wall clock",
    edits: [
      {
        file: "node/core/control.ts",
        find: "decide(inputs: readonly ControlInput[], now: Now): readonly ControlEffect[] {\n    if (",
        replace:
          "decide(inputs: readonly ControlInput[], at: Now): readonly ControlEffect[] {\n    const now = { monotonicMs: at.wallMs, wallMs: at.wallMs };\n    if (",
      },
    ],
    caughtBy: ["effects", "progress", "linearizability"],
    firstSeed: 34,
    seedsMax: 200,
    kinds: ["clock-jump"],
  },
  {
    name: "an announcement is believed unsigned",
    edits: [
      {
        file: "protocol/announcement.ts",
        find: 'const opened = openEnvelope(envelope, { kind: "announcement", domain }, keys);',
        replace:
          'const opened = openEnvelope(envelope, { kind: "announcement", domain }, { verify: () => true });',
      },
    ],
    caughtBy: ["announcements"],
    firstSeed: 9,
    seedsMax: 200,
    kinds: ["gossip"],
  },
  {
    name: "a signature is taken for good",
    edits: [
      {
        file: "protocol/envelope.ts",
        find: "if (!keys.verify(signer, toBeSigned(expected.kind, domain, payload), signature))",
        replace: "if (signature.length === 1)",
      },
    ],
    caughtBy: ["plans", "verification", "logs", "announcements"],
    firstSeed: 22,
    seedsMax: 200,
    kinds: ["calls"],
  },
  {
    name: "a gap in a log is passed over",
    edits: [
      {
        file: "node/core/history.ts",
        find: 'if (seq > head.seq + 1) return { kind: "gap", log };',
        replace: "",
      },
      {
        file: "node/core/history.ts",
        find: "if (entry.prev !== head.hash) return",
        replace: "if (seq === head.seq + 1 && entry.prev !== head.hash) return",
      },
    ],
    caughtBy: ["logs", "verification", "ledger"],
    firstSeed: 54,
    seedsMax: 200,
  },
  {
    name: "what a peer has is told back to whoever tells what it has",
    edits: [
      {
        file: "node/core/anti-entropy.ts",
        find: 'asked(from: string, known: Extract<Message, { kind: "vector" }>): void {',
        replace:
          'asked(from: string, known: Extract<Message, { kind: "vector" }>): void {\n    this.#describe(from, "");',
      },
    ],
    caughtBy: ["storms"],
    firstSeed: 2,
    seedsMax: 5,
  },
  {
    name: "a core asks the machine for the time",
    edits: [
      {
        file: "node/core/leases.ts",
        find: "    const deadlineMs = nowMs + reofferAfterMs(this.#leaseMs);",
        replace: "    const deadlineMs = nowMs + reofferAfterMs(this.#leaseMs) + Date.now() * 0;",
      },
    ],
    caughtBy: ["assertion"],
    firstSeed: 1,
    seedsMax: 5,
  },
  {
    name: "a step goes to whoever asks first, whatever labels it wants",
    edits: [
      {
        file: "protocol/names.ts",
        find: "export function meetsRequirement(labels: ReadonlySet<string>, requirement: string): boolean {",
        replace:
          "export function meetsRequirement(labels: ReadonlySet<string>, requirement: string): boolean {\n  if (labels.size >= 0) return true;",
      },
    ],
    caughtBy: ["plans"],
    firstSeed: 5,
    seedsMax: 200,
  },
  {
    name: "a grant tells what the step before printed",
    edits: [
      {
        file: "node/core/open-run.ts",
        find: "return given === undefined ? [] : [{ name, value: given }];",
        replace:
          "const { tail } = this.#state(this.indexOf(step)).made as unknown as { tail: string };\n      return given === undefined ? [] : [{ name, value: tail }];",
      },
    ],
    caughtBy: ["confinement"],
    firstSeed: 8,
    seedsMax: 200,
  },
  {
    name: "a locked environment is open to all",
    edits: [
      {
        file: "node/core/locks.ts",
        find: "if ((lock.holder !== null && lock.holder !== key) || !mayHave(lock, step)) {",
        replace: "if (key.length === 0) {",
      },
      {
        file: "node/core/locks.ts",
        find: "if (lock.holder === null && line.offered === null && mayHave(lock, step)) {",
        replace: "if (labels.length >= 0) {",
      },
    ],
    caughtBy: ["effects"],
    firstSeed: 3,
    seedsMax: 200,
    every: 8,
  },
  {
    name: "a step is offered again before its worker gave up",
    edits: [
      {
        file: "node/core/leases.ts",
        find: "return Math.ceil(leaseMs * (1 + limits.driftPercentMax / 100)) + limits.leaseGraceMs;",
        replace: "return Math.ceil(leaseMs / 4);",
      },
    ],
    caughtBy: ["effects"],
    firstSeed: 3,
    seedsMax: 300,
    every: 8,
  },
  {
    name: "a result counts under a token that nobody was told of",
    edits: [
      {
        file: "node/core/reign.ts",
        find: 'if (result.token > newest) return this.#context.count("malformed", from);',
        replace: "",
      },
    ],
    caughtBy: ["verification"],
    firstSeed: 443,
    seedsMax: 40,
    kinds: ["liar"],
  },
  {
    name: "a home assures a worker of what it is taking back",
    edits: [
      {
        file: "node/core/control.ts",
        find: "if (this.#leases.isEnding(from, message.held)) return;",
        replace: "",
      },
    ],
    caughtBy: ["effects"],
    base: "assured-while-ending.json",
    firstSeed: 400,
    seedsMax: 200,
  },
  {
    name: "a home assures a worker of a lease of a run that it has forgotten",
    edits: [
      {
        file: "node/core/reign.ts",
        find: 'if (register?.kind !== "run") return isForgotten(ref.run);',
        replace: 'if (register?.kind !== "run") return false;',
      },
    ],
    caughtBy: ["fences", "effects"],
    base: "forgotten-run.json",
    firstSeed: 30,
    seedsMax: 100,
  },
  {
    name: "a worker waits for ever for the answer to a pull that its home has forgotten",
    edits: [
      {
        file: "node/core/worker.ts",
        find: "this.#isPullAsked = false;\n    if (message.nonce === this.#openPull?.nonce) this.#openPull = null;",
        replace:
          "if (message.nonce === this.#openPull?.nonce) {\n      this.#isPullAsked = false;\n      this.#openPull = null;\n    }",
      },
    ],
    caughtBy: ["progress"],
    firstSeed: 2_002_146,
    seedsMax: 200,
  },
  {
    name: "a worker whose home is gone waits until somebody says who is home",
    edits: [
      {
        file: "node/core/worker.ts",
        find: "const asks = this.#home === null;",
        replace: "const asks = false;",
      },
    ],
    caughtBy: ["progress"],
    base: "home-asked-for.json",
    firstSeed: 700_003_346,
    seedsMax: 100,
  },
  {
    name: "a result that comes after its attempt was cancelled is said to be known",
    edits: [
      {
        file: "protocol/registers/registers.ts",
        find: 'if (ended?.cause === "cancelled") return value.state === "done" && value.report !== null;',
        replace: 'if (ended?.cause === "cancelled") return true;',
      },
    ],
    caughtBy: ["linearizability"],
    firstSeed: 915,
    seedsMax: 200,
  },
  {
    name: "a home that was answered lately calls what it does not know superseded",
    edits: [
      {
        file: "node/core/unknown-runs.ts",
        find: "return assuredAfter(sinceMs);",
        replace: "return assuredAfter(sinceMs - limits.homeAssuredMs);",
      },
    ],
    caughtBy: ["ledger"],
    base: "succeeded-unseen.json",
    firstSeed: 600_015_330,
    seedsMax: 1,
  },
  {
    name: "a worker goes on outside after its lease, and whoever runs the step does",
    edits: [
      {
        file: "node/core/worker.ts",
        find: "if (past) this.#fence(held);",
        replace: "if (past && held.startedMs < 0) this.#fence(held);",
      },
      {
        file: "simulations/executor.ts",
        find: "if (this.isLate(deadlineMs)) return this.stop(id);",
        replace: 'if (id !== "") return;',
      },
    ],
    caughtBy: ["effects"],
    firstSeed: 51,
    seedsMax: 600,
    every: 8,
  },
];
