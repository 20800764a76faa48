/**
 * `otto.lock`: what every git source of a pipeline is, for good: its commit, and the digest of what is used of it; and which image
 * every tag is that a step runs in. It is made by `otto lock`, belongs to the repository, and is read by people in reviews: JSON, one
 * entry a source or an image, sorted.
 *
 * Files of the repository itself are not in it: the repository's own commit pins them.
 */

import { failure, type Result, success } from "../protocol/errors.ts";
import { fieldsOf } from "../protocol/checks.ts";
import { parseImageTag } from "../protocol/image-name.ts";
import { compareText } from "../protocol/values.ts";
import { parseSource } from "./sources.ts";

export type LockEntry = {
  readonly kind: "template" | "library";
  readonly commit: string;
  /** sha256 of the template's text, or of the library's tree. */
  readonly digest: string;
};

export type LockFile = {
  /** By source: `git+ADDRESS@REVISION`, with `#PATH` where it is not the top folder. */
  readonly uses: ReadonlyMap<string, LockEntry>;
  /** `sha256:HEX`, by the image's name as steps say it. */
  readonly images: ReadonlyMap<string, string>;
};

export const nothingLocked: LockFile = { uses: new Map(), images: new Map() };

const version = 1;
const imageDigest = /^sha256:[0-9a-f]{64}$/;

/** The same entries give the same text, whatever their order. */
export function formatLock(lock: LockFile): string {
  const uses = Object.fromEntries(
    sorted(lock.uses).map(([source, { kind, commit, digest }]) => [source, { kind, commit, digest }]),
  );
  const images = lock.images.size === 0 ? {} : { images: Object.fromEntries(sorted(lock.images)) };
  return `${JSON.stringify({ "otto-lock": version, uses, ...images }, null, 2)}\n`;
}

function sorted<Value>(entries: ReadonlyMap<string, Value>): [string, Value][] {
  return [...entries].sort(([left], [right]) => compareText(left, right));
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
  const { images: said = {}, ...others } = file ?? {};
  const images = fieldsOf(said);
  if (file === null || uses === null || images === null || Object.keys(others).length !== 2)
    return failure("is no lock file");
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
  const wrong = Object.entries(images).find(
    ([name, pinned]) =>
      parseImageTag(name) === null || typeof pinned !== "string" || !imageDigest.test(pinned),
  );
  if (wrong !== undefined) return failure(`has an image that cannot be read, ${JSON.stringify(wrong[0])}`);
  return success({ uses: lock, images: new Map(Object.entries(images) as [string, string][]) });
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
