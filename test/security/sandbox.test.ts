/**
 * The attacker is a step. Each attack is made at S0 first, where nothing stands in its way: so it is known to be one.
 */

import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Channel } from "../../node/edge/execution/channel.ts";
import type { FromRunner, ToRunner } from "../../node/edge/execution/runner-messages.ts";
import { bubblewrapArguments, type BubblewrapPolicy } from "../../node/edge/execution/sandbox/bubblewrap.ts";
import { usualBounds } from "../../node/edge/execution/step-usage.ts";
import { programPath } from "../../node/edge/programs.ts";
import type { SandboxLevel } from "../../protocol/plan.ts";
import type { Surroundings } from "../node/execution/surroundings.ts";
import { isolated, missing } from "./isolated.ts";

const canary = `canary-${randomBytes(8).toString("hex")}`;

type Attack = {
  readonly what: string;
  /** Passes when the attack succeeds. */
  readonly command: string;
  readonly heldBy: readonly SandboxLevel[];
  /** False where the attack needs something that no test process has. */
  readonly succeedsAtS0?: false;
};

/** $KEY, $RUNNER (a process of the worker's), $PORT, $ABSTRACT, $NODE and $CANARY are the attacker's knowledge. */
const attacks: readonly Attack[] = [
  { what: "reads the worker's key", command: 'grep -q "$CANARY" "$KEY"', heldBy: ["S1", "S2"] },
  { what: "reads the machine's passwords", command: "grep -q root: /etc/shadow", heldBy: ["S1", "S2"] },
  {
    what: "reads the environment of the worker's process",
    command: 'tr "\\0" "\\n" < /proc/$RUNNER/environ | grep -q PATH',
    heldBy: ["S1", "S2"],
  },
  {
    what: "opens the memory of the worker's process",
    command: "exec 5< /proc/$RUNNER/mem",
    heldBy: ["S1", "S2"],
  },
  {
    what: "takes a descriptor of the worker's process",
    command: "ls /proc/$RUNNER/fd/",
    heldBy: ["S1", "S2"],
  },
  { what: "ends the worker's process", command: "kill -0 $RUNNER", heldBy: ["S1", "S2"] },
  {
    what: "sees how others were started",
    command: 'cat /proc/[0-9]*/cmdline | tr "\\0" "\\n" | grep -q "runner-pr[o]cess"',
    heldBy: ["S2"],
  },
  {
    what: "connects to a port of the machine's loopback",
    command: `"$NODE" -e 'require("net").connect(process.env.PORT, "127.0.0.1").on("connect", () => process.exit(0)).on("error", () => process.exit(1))'`,
    heldBy: ["S2"],
  },
  {
    what: "connects to an abstract socket of the machine",
    command: `"$NODE" -e 'require("net").connect("\\0" + process.env.ABSTRACT).on("connect", () => process.exit(0)).on("error", () => process.exit(1))'`,
    heldBy: ["S2"],
  },
  {
    what: "reaches a host of this virtual machine",
    command: `perl -e 'exit(socket(my $s, 40, 1, 0) ? 0 : 1)'`,
    heldBy: ["S2"],
    succeedsAtS0: false,
  },
  { what: "has a user namespace to be root in", command: "unshare -U true", heldBy: ["S2"] },
  {
    what: "mounts something in namespaces of its own",
    command: "unshare -Urm mount -t tmpfs none /mnt",
    heldBy: ["S2"],
  },
  {
    what: "types into a terminal that it shares",
    // Without a terminal the kernel says that there is none; the filter says that it is not permitted before that.
    command: `perl -e 'my $c = "x"; ioctl(STDIN, 0x5412, $c); exit($! == 1 ? 1 : 0)'`,
    heldBy: ["S2"],
  },
  {
    what: "asks the kernel's keyring",
    command: `perl -e 'syscall(250, 0, -3, 0); exit($! == 1 ? 1 : 0)'`,
    heldBy: process.arch === "x64" ? ["S2"] : [],
  },
  { what: "has a capability", command: "! grep -qE 'CapEff:\\s0+$' /proc/self/status", heldBy: ["S1", "S2"] },
  {
    what: "could get privileges from a program",
    command: "grep -q 'NoNewPrivs:\\s0' /proc/self/status",
    heldBy: ["S1", "S2"],
  },
  {
    what: "writes to the system",
    command: "touch /usr/otto-was-here && rm /usr/otto-was-here",
    heldBy: ["S1", "S2"],
  },
  {
    what: "puts something else in its workspace's place",
    command:
      'mv "$PWD" "$PWD.old" && ln -s /etc "$PWD"; code=$?; rm "$PWD"; mv "$PWD.old" "$PWD"; exit $code',
    heldBy: ["S1", "S2"],
  },
  {
    what: "looks up what is no program's business in the machine's settings",
    command: "ls /etc/shadow /etc/ssh /etc/ssl/private /etc/crontab | grep -q .",
    heldBy: ["S2"],
  },
  { what: "looks into the home folders of the machine", command: "ls /root /home", heldBy: ["S2"] },
];

type Place = { surroundings: Surroundings; knowledge: Record<string, string> };

/** A worker that isolates its steps, with things of its own that they must not reach. */
function placeAt(level: SandboxLevel): Place {
  const place = {} as Place;
  const servers: Server[] = [];

  beforeAll(async () => {
    const surroundings = await isolated(level, {}, { byDefault: "S0" });
    const key = join(surroundings.folder, "key");
    writeFileSync(key, canary, { mode: 0o600 });
    const abstract = `otto-test-${canary}`;
    servers.push(createServer().listen(0, "127.0.0.1"), createServer().listen(`\0${abstract}`));
    for (const server of servers) if (!server.listening) await once(server, "listening");
    const at = servers[0]?.address();
    const knowledge = {
      KEY: key,
      RUNNER: String(surroundings.executor.runnerPid),
      PORT: String(typeof at === "object" ? at?.port : 0),
      ABSTRACT: abstract,
      NODE: surroundings.executor.node,
      CANARY: canary,
    };
    Object.assign(place, { surroundings, knowledge });
  });
  afterAll(async () => {
    for (const server of servers) server.close();
    await place.surroundings.close();
  });
  return place;
}

const levels = (["S1", "S2"] as const).filter((level) => missing(level) === null);
it.skipIf(levels.length === 2)("every level can be tried on this machine", () =>
  expect(levels).toHaveLength(2),
);

describe.each(levels)("at %s", (level) => {
  const place = placeAt(level);

  const run = async (command: string, sandbox: SandboxLevel) =>
    place.surroundings.run([command], { sandbox, variables: place.knowledge });

  for (const { what, command, heldBy, succeedsAtS0 } of attacks.filter(({ heldBy }) =>
    heldBy.includes(level),
  ))
    it(`no step ${what}`, async () => {
      if (succeedsAtS0 !== false && process.getuid?.() === 0) {
        const open = await run(command, "S0");
        expect(open.outcome, `the attack succeeds where nothing holds it: ${open.tail}`).toBe("passed");
      }
      const held = await run(command, level);
      expect(held.outcome, `${heldBy.join()}: ${held.tail}`).toBe("failed");
      expect(held.tail).not.toContain(canary);
    });
});

describe.each(levels)("when a step ends at %s", (level) => {
  const place = placeAt(level);

  it("nothing lives on that has left everything by which it could be found", async () => {
    const name = `daemon-${randomBytes(8).toString("hex")}`;
    // No parent, session, group, environment or descriptor of the step's.
    const report = await place.surroundings.run(
      [
        `setsid env -i /bin/sh -c 'exec 0<&- 1>&- 2>&- 9>&-; (/bin/sleep 600; true) & /bin/sleep 600; true' ${name} &
         until tr '\\0' ' ' < /proc/$!/cmdline | grep -q '^/bin/sh.*${name}'; do :; done; echo begun`,
      ],
      { sandbox: level },
    );
    expect(report).toMatchObject({ outcome: "passed", tail: "begun\n" });
    expect(commandLines().filter((line) => line.includes(name))).toEqual([]);
  });

  it("what is started while all of it is killed is killed with it", async () => {
    const name = `bomb-${randomBytes(8).toString("hex")}`;
    const bomb = `f() { setsid /bin/sh -c "exec sleep 600" ${name} & f; }`;
    const id = place.surroundings.start([`echo begun; ${bomb}; f`], { sandbox: level, timeoutMs: 60_000 });
    await place.surroundings.witness.text(id, "begun");
    place.surroundings.executor.stop(id, "cancelled");
    expect((await place.surroundings.witness.report(id)).outcome).toBe("cancelled");
    expect(commandLines().filter((line) => line.includes(name))).toEqual([]);
  });
});

describe.each(levels)("what a step has at %s", (level) => {
  const place = placeAt(level);

  it("a step finds nothing open but its input and its output", async () => {
    const report = await place.surroundings.run(["ls /proc/self/fd"], { sandbox: level });
    // One is the list itself; at S1 there is the descriptor by which the end of a step is known.
    const expected = level === "S1" ? ["0", "1", "2", "3", "9"] : ["0", "1", "2", "3"];
    expect(report.tail.trim().split("\n")).toEqual(expected);
  });

  it("a step reads nothing of the slot beside its own, and nothing that an earlier one left in its place", async () => {
    const first = place.surroundings.start(
      ['echo secret > file; echo secret > "$HOME/file"; echo "home=$HOME work=$PWD"; sleep 600'],
      { sandbox: level },
    );
    await place.surroundings.witness.text(first, "work=");
    const [, home = "", work = ""] =
      /home=(\S+) work=(\S+)/.exec(place.surroundings.witness.log(first)) ?? [];
    const beside = await place.surroundings.run(
      [`cat ${home}/file ${work}/file; ls ${home} ${work}; echo > ${work}/mine`],
      { sandbox: level },
    );
    expect(beside.outcome).toBe("failed");
    expect(beside.tail).not.toContain("secret\n");
    place.surroundings.executor.stop(first, "cancelled");
    await place.surroundings.witness.report(first);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const later = await place.surroundings.run(['ls -A . "$HOME" "$TMPDIR"; ls -A /tmp'], {
        sandbox: level,
      });
      expect(later.tail).not.toContain("file");
    }
  });

  it("no output leads out of the workspace, by links in place of files or of folders", async () => {
    const outputs = [{ name: "taken", files: ["taken/**", "taken/shadow"] }];
    for (const command of [
      "ln -s /etc taken",
      "mkdir taken; ln -s /etc/shadow taken/shadow",
      "mkdir taken; mkfifo taken/shadow",
      `cd "$TMPDIR/.." 2>/dev/null; ln -s /etc taken; exit 0`,
    ]) {
      const report = await place.surroundings.run([command], { sandbox: level, outputs });
      expect(report, command).toMatchObject({ outcome: "failed", outputs: [] });
    }
  });

  it("no output is a file of the worker's, behind a link in place of a folder", async () => {
    for (const file of ["taken/key", "taken/deeper/../key", "taken/*"]) {
      const report = await place.surroundings.run(['ln -s "$(dirname "$KEY")" taken'], {
        sandbox: level,
        variables: place.knowledge,
        outputs: [{ name: "taken", files: [file] }],
      });
      expect(report, file).toMatchObject({ outcome: "failed", outputs: [] });
    }
  });

  it("no program that is not confined yet sees a variable of the step", async () => {
    const library = join(place.surroundings.folder, "not-there.so");
    const report = await place.surroundings.run(["cat /proc/1/environ 2>/dev/null | tr '\\0' '\\n'; true"], {
      sandbox: level,
      variables: { LD_PRELOAD: library, LD_DEBUG_OUTPUT: library },
    });
    // The linker complains wherever it is asked to load it: only inside, where the step's own user is.
    expect(report.outcome).toBe("passed");
    if (level === "S2") expect(report.tail).not.toContain("LD_DEBUG_OUTPUT");
  });
});

describe.skipIf(missing("S2") !== null)("a sandbox by itself (skipped without bubblewrap)", () => {
  const inside = (command: string): string => {
    const folder = mkdtempSync(join(tmpdir(), "otto-bare-"));
    try {
      const policy: Omit<BubblewrapPolicy, "temporaryBytesMax"> = {
        visible: [],
        folders: [folder],
        workspace: folder,
        system: { kind: "machine", settings: "/etc" },
        users: null,
        hasFilter: false,
      };
      const words = bubblewrapArguments({ ...policy, temporaryBytesMax: 1024 ** 2 });
      const program = ["/bin/sh", "-c", command];
      const info = openSync(join(folder, "info"), "w");
      const stdio = ["ignore", "pipe", "pipe", "ignore", "ignore", "ignore", info] as const;
      return spawnSync("bwrap", [...words, ...program], { stdio: [...stdio], encoding: "utf8" }).stdout;
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  it("leaves no capability to anybody, not even where root makes it for itself", () => {
    expect(inside("grep ^Cap /proc/self/status")).toMatch(/^(Cap\w+:\s+0+\n){5}$/u);
  });

  it("shares no session, and so no terminal, with what is outside", () => {
    // A session that is led from outside is 0 in here.
    expect(inside("cut -d' ' -f6 /proc/self/stat")).toMatch(/^[1-9]/u);
  });
});

it.skipIf(!existsSync("/bin/bash"))(
  "no step gets a descriptor that the worker was started with and knows nothing of",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "otto-inherited-"));
    const secret = join(folder, "secret");
    writeFileSync(secret, canary);
    // Node marks those that it finds in a row from the first as its own; this one stands alone.
    const words = [
      "-c",
      'exec 200<"$1"; exec "$2" "$3"',
      "bash",
      secret,
      process.execPath,
      programPath("runner"),
    ];
    const runner = spawn("bash", words, { stdio: ["ignore", "ignore", "inherit", "pipe"] });
    const said = Promise.withResolvers<string>();
    let output = "";
    const channel = new Channel((runner.stdio as readonly unknown[])[3] as Socket, {
      message: (value) => {
        if ((value as FromRunner).kind === "ended") said.resolve(output);
      },
      output: (_serial, _offset, bytes) => void (output += bytes.toString()),
      closed: () => said.resolve("the runner is gone"),
      drained: () => undefined,
    });
    try {
      const environment = { PATH: process.env["PATH"] ?? "" };
      channel.send({ kind: "configure", folder, marker: "0", environment, slots: 1 } satisfies ToRunner);
      const task = { serial: 1, workspace: folder, logFile: join(folder, "log"), preamble: "", secrets: [] };
      const commands = ["cat /proc/self/fd/200 || echo nothing there"];
      const bounds = usualBounds(folder, totalmem());
      const ends = {
        timeoutMs: 60_000,
        deadlineMs: null,
        graceMs: 0,
        confinement: null,
        bounds,
        folders: [folder],
      };
      channel.send({ kind: "run", task: { ...task, commands, environment, ...ends } } satisfies ToRunner);
      expect(await said.promise).toMatch(/nothing there\n$/u);
      expect(output).not.toContain(canary);
    } finally {
      channel.close();
      await once(runner, "exit");
      rmSync(folder, { recursive: true });
    }
  },
);

function commandLines(): readonly string[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      return [readFileSync(`/proc/${pid}/cmdline`, "latin1").replaceAll("\0", " ")];
    } catch {
      return [];
    }
  });
}
