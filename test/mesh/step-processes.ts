/** The processes of steps, found by the mark that each carries in its environment. */

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Living processes of steps that the worker of a data folder has started. */
export function stepProcessesOf(folder: string): readonly number[] {
  const file = join(folder, "work", "identity");
  return existsSync(file) ? processesMarked(`/${readFileSync(file, "utf8").trim()}:`) : [];
}

/** Living processes whose environment carries the mark. */
function processesMarked(mark: string): readonly number[] {
  const found = execFileSync("sh", ["-c", `grep -l -s -a -F -e "$0" /proc/[0-9]*/environ || true`, mark]);
  const paths = found.toString().split("\n").filter(Boolean);
  return paths.map((path) => Number(path.split("/")[2])).filter((pid) => isLiving(pid));
}

/** A process that has ended and that nobody has collected yet is not alive. */
export function isLiving(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return !/^[ZX]/u.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
