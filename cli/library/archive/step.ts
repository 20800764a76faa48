/** `otto/archive`: makes a tar archive of a folder; the same files give the same bytes where tar is GNU's. */

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative, resolve, sep } from "node:path";

type With = { readonly from: string; readonly to: string };

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
const [from, to] = [within(given.from), within(given.to)];
if (!/\.(?:tar|tar\.gz|tgz)$/.test(to)) fail(`${given.to} ends in none of .tar, .tar.gz and .tgz.`);
if (statSync(from, { throwIfNoEntry: false })?.isDirectory() !== true)
  fail(`There is no folder ${given.from}.`);

const version = spawnSync("tar", ["--version"], { encoding: "utf8" });
if (version.error !== undefined) fail(`tar cannot be run: ${version.error.message}`);
const isGnu = version.stdout.includes("GNU tar");
const plain = isGnu ? ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"] : [];
const compressed = to.endsWith(".tar") ? [] : ["-z"];
mkdirSync(dirname(to), { recursive: true });
// The archive may be made in the very folder that it is made of.
const own = relative(from, to);
const without = own.startsWith(`..${sep}`) ? [] : [`--exclude=./${own.split(sep).join("/")}`];
// Elsewhere first: tar notices a file that comes into being in the folder that it reads.
const scratch = mkdtempSync(join(process.env["TMPDIR"] ?? tmpdir(), "archive-"));
const made = join(scratch, basename(to));
const words = [...plain, ...without, ...compressed, "-cf", made, "-C", from, "."];
const done = spawnSync("tar", words, { stdio: "inherit", env: { ...process.env, GZIP: "-n" } });
if (done.status !== 0) fail(`tar ended with ${done.status ?? done.signal}.`);
copyFileSync(made, to);
rmSync(scratch, { recursive: true });
console.log(`${basename(to)} has ${statSync(to).size} bytes`);
