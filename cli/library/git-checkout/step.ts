/** `otto/git-checkout`: brings a revision of a git repository into a folder of the workspace. */

import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { relative, resolve, sep } from "node:path";

type With = {
  readonly repository: string;
  readonly revision: string;
  readonly path: string;
  readonly depth: number;
};

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

const { with: given } = JSON.parse(readFileSync(process.env["OTTO_WITH"] ?? "", "utf8")) as { with: With };
const { repository, revision, path, depth } = given;
const folder = resolve(path);
const inside = relative(process.cwd(), folder);
if (inside === ".." || inside.startsWith(`..${sep}`)) fail(`${path} is outside of the workspace.`);
if (revision.startsWith("-") || repository.startsWith("-"))
  fail("An address or a revision begins with no dash.");

function git(...words: readonly string[]): string {
  try {
    return execFileSync("git", words, {
      cwd: folder,
      encoding: "utf8",
      env: { ...process.env, GIT_TERMINAL_PROMPT: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    }).trim();
  } catch (error) {
    fail(
      `git ${words[0]} failed${error instanceof Error && "code" in error ? `: ${String(error.code)}` : ""}.`,
    );
  }
}

mkdirSync(folder, { recursive: true });
git("init", "--quiet", ".");
const bound = depth > 0 ? [`--depth=${depth}`] : [];
git("fetch", "--quiet", "--no-tags", ...bound, "--", repository, revision);
git("-c", "advice.detachedHead=false", "checkout", "--quiet", "--detach", "FETCH_HEAD");
const commit = git("rev-parse", "HEAD");
const values = process.env["OTTO_VALUES"];
if (values !== undefined) appendFileSync(values, `commit=${commit}\n`);
console.log(`${path} is ${repository} at ${commit}`);
