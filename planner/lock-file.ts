/**
 * `otto.lock`: what every git source of a pipeline is, for good: its commit, and the digest of what is used of it. It is
 * made by `otto lock`, belongs to the repository, and is read by people in reviews: JSON, one entry a source, sorted.
 *
 * Files of the repository itself are not in it: the repository's own commit pins them.
 */

import { failure, type Result, success } from "../protocol/errors.ts";
import { fieldsOf } from "../protocol/checks.ts";
import { compareText } from "../protocol/values.ts";
import { parseSource } from "./sources.ts";

export type LockEntry = {
  readonly kind: "template" | "library";
  readonly commit: string;
  /** sha256 of the template's text, or of the library's tree. */
  readonly digest: string;
};

/** By source: `git+ADDRESS@REVISION`, with `#PATH` where it is not the top folder. */
export type LockFile = ReadonlyMap<string, LockEntry>;

const version = 1;

/** The same entries give the same text, whatever their order. */
export function formatLock(lock: LockFile): string {
  const entries = [...lock].sort(([left], [right]) => compareText(left, right));
  const uses = Object.fromEntries(
    entries.map(([source, { kind, commit, digest }]) => [source, { kind, commit, digest }]),
  );
  return `${JSON.stringify({ "otto-lock": version, uses }, null, 2)}\n`;
}

/** What a lock file says, or why it cannot be believed, in words that go on from its name. */
export function parseLock(text: string): Result<LockFile, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return failure("is no JSON");
  }
  const file = fieldsOf(value);
  const uses = file === null ? null : fieldsOf(file["uses"]);
  if (file === null || uses === null || Object.keys(file).length !== 2) return failure("is no lock file");
  if (file["otto-lock"] !== version) return failure(`is not of version ${version}`);
  const lock = new Map<string, LockEntry>();
  const commits = new Map<string, string>();
  for (const [source, entry] of Object.entries(uses)) {
    const parsed = parseSource(source);
    if (parsed?.kind !== "git") return failure(`pins ${JSON.stringify(source)}, which is no git source`);
    const read = entryOf(entry);
    if (read === null) return failure(`has an entry that cannot be read, for ${source}`);
    const revision = `${parsed.address}@${parsed.revision}`;
    const other = commits.get(revision) ?? read.commit;
    if (other !== read.commit) return failure(`has two commits for ${revision}`);
    commits.set(revision, other);
    lock.set(source, read);
  }
  return success(lock);
}

function entryOf(value: unknown): LockEntry | null {
  const entry = fieldsOf(value);
  if (entry === null || Object.keys(entry).length !== 3) return null;
  const { kind, commit, digest } = entry;
  if (kind !== "template" && kind !== "library") return null;
  if (typeof commit !== "string" || !/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(commit)) return null;
  if (typeof digest !== "string" || !/^[0-9a-f]{64}$/.test(digest)) return null;
  return { kind, commit, digest };
}
