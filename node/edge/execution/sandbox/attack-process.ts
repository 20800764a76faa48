/**
 * The attacker that a worker sends into its own sandboxes when it starts: tries what must not be possible there, and says
 * on one line what was. `probe.ts` sends it and judges.
 *
 * Stands alone: it is started in sandboxes where nothing else of Otto's can be read.
 */

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";

type Orders = {
  /** Files that only the worker may read. */
  readonly secrets: readonly string[];
  readonly worker: { readonly pid: number; readonly uid: number };
  /** True when a user of its own was promised. */
  readonly ownUser: boolean;
  /** Null where neither processes nor the network are promised to be apart. */
  readonly apart: { readonly port: number; readonly abstract: string } | null;
  /** Files and folders of the machine that must not be there. */
  readonly hidden: readonly string[];
  /** What the daemon is called that should not outlive this attempt. */
  readonly daemon: string;
};

const orders = JSON.parse(process.argv[2] ?? "") as Orders;
const breaches: string[] = [];

/** The act must fail. */
function tries(what: string, act: () => unknown): void {
  try {
    if (act() !== false) breaches.push(what);
  } catch {
    // As it should be.
  }
}

async function connects(target: { port: number; host: string } | { path: string }): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(target);
    const end = (isOpen: boolean) => (): void => {
      socket.destroy();
      resolve(isOpen);
    };
    socket.once("connect", end(true)).once("error", end(false));
  });
}

function statusWord(name: string): string {
  return new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
}

/** The processes that this one descends from, itself included. */
function ancestors(): ReadonlySet<number> {
  const found = new Set<number>();
  for (let pid = process.pid; pid > 0 && !found.has(pid);) {
    found.add(pid);
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    pid = Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
  }
  return found;
}

const { pid, uid } = orders.worker;
for (const path of [...orders.secrets, "/etc/shadow"]) tries(`it read ${path}`, () => readFileSync(path));
if (orders.ownUser) tries("it runs as the worker's user", () => process.getuid?.() === uid);
tries(
  "it has a capability",
  () => !/^0+$/.test(statusWord("CapEff") + statusWord("CapPrm") + statusWord("CapAmb")),
);
for (const path of orders.hidden) tries(`it found the machine's ${path}`, () => existsSync(path));
tries("it could gain privileges", () => statusWord("NoNewPrivs") !== "1");

if (orders.apart === null) {
  tries("it may signal the worker", () => process.kill(pid, 0));
  for (const name of ["environ", "mem", "fd/0"])
    tries(`it opened the worker's ${name}`, () => readFileSync(`/proc/${pid}/${name}`, { flag: "r" }));
} else {
  const own = ancestors();
  const strangers = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && !own.has(Number(name)));
  tries("it sees processes of others", () => strangers.length > 0);
  tries("it has a capability in reserve", () => !/^0+$/.test(statusWord("CapBnd")));
  tries("it made a user namespace", () => spawnSync("unshare", ["-U", "true"]).status === 0);
  tries("it has a terminal", () => readFileSync("/dev/tty"));
  tries("it wrote to the system", () => writeFileSync("/usr/otto-attack", ""));
  // Inside, this may be a place of the sandbox's own: the worker looks whether it is there outside.
  tries("", () => (writeFileSync(join(process.cwd(), "..", "otto-attack"), ""), false));
  const { port, abstract } = orders.apart;
  if (await connects({ port, host: "127.0.0.1" })) breaches.push("it reached a port of the machine");
  if (await connects({ path: `\0${abstract}` }))
    breaches.push("it reached an abstract socket of the machine");
}

// What a step needs must work: a level that nothing can be done in is not reached either.
for (const folder of [process.env["HOME"], process.env["TMPDIR"], process.cwd()])
  writeFileSync(join(folder ?? "", "otto-attack"), "");

// A session, parents and descriptors of its own, and an empty environment: only the sandbox itself knows of it.
spawn("/bin/sh", ["-c", "(sleep 600 & sleep 600)", orders.daemon], {
  detached: true,
  stdio: "ignore",
  env: { PATH: "/usr/bin:/bin" },
}).unref();

process.stdout.write(`${JSON.stringify(breaches)}\n`, () => process.exit(0));
