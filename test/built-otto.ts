/**
 * Otto as it is shipped, for tests that start its processes: bundled once for a run of the tests, into a folder that goes with
 * it. From its sources each process would strip types first, which takes longer than what most tests wait for.
 */

import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const folderName = /^\.built-(\d+)$/;
/** Says to the threads that run tests where the bundle is. */
const variable = "OTTO_TEST_BUILT";

const built = process.env[variable];

/** The file to start with Node; the sources where no bundle was made, as in benchmarks. */
export const ottoProgram = built === undefined ? join(root, "cli/otto.ts") : join(built, "otto.js");

/** Where processes keep what they have compiled; null: each mesh for itself. */
export const codeCache = built === undefined ? null : join(built, "code");

/** Once, before all tests. Returns what is to be done after them. */
export default function setup(): () => void {
  for (const name of readdirSync(root)) {
    const pid = folderName.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) rmSync(join(root, name), { recursive: true });
  }
  const folder = join(root, `.built-${process.pid}`);
  const words = ["-c", join(root, ".rolldown.config.ts"), "--dir", folder];
  execFileSync(join(root, "node_modules/.bin/rolldown"), words, {
    cwd: root,
    stdio: ["ignore", "ignore", "inherit"],
  });
  process.env[variable] = folder;
  process.env["NODE_COMPILE_CACHE"] ??= join(folder, "code");
  return () => rmSync(folder, { recursive: true, force: true });
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
