/** `otto/unarchive`: lays out a tar archive in a folder of the workspace. */

import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { relative, resolve, sep } from "node:path";

type With = { readonly archive: string; readonly to: string; readonly strip: number };

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

function within(path: string): string {
  const full = resolve(path);
  const inside = relative(process.cwd(), full);
  if (inside === ".." || inside.startsWith(`..${sep}`)) fail(`${path} is outside of the workspace.`);
  return full;
}

const { with: given } = JSON.parse(readFileSync(process.env["OTTO_WITH"] ?? "", "utf8")) as { with: With };
const [archive, to] = [within(given.archive), within(given.to)];
if (statSync(archive, { throwIfNoEntry: false })?.isFile() !== true)
  fail(`There is no file ${given.archive}.`);

mkdirSync(to, { recursive: true });
const strip = given.strip > 0 ? [`--strip-components=${given.strip}`] : [];
const done = spawnSync("tar", ["-xf", archive, "-C", to, "--no-same-owner", ...strip], { stdio: "inherit" });
if (done.error !== undefined) fail(`tar cannot be run: ${done.error.message}`);
if (done.status !== 0) fail(`tar ended with ${done.status ?? done.signal}.`);
console.log(`${given.archive} is in ${given.to}`);
