import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { limits } from "../../../protocol/limits.ts";
import { imageRootArguments } from "../../../node/edge/execution/sandbox/image-root.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "otto-image-root-"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** The words in groups: an option and what belongs to it, sorted, with the folder of the image left out. */
function mounts(...targets: readonly string[]): readonly string[] {
  const words = imageRootArguments(root, targets);
  const groups: string[] = [];
  for (const word of words) {
    if (word.startsWith("--")) groups.push(word);
    else groups.push(`${groups.pop() ?? ""} ${word.replace(root, "IMAGE")}`);
  }
  return groups.toSorted();
}

function folder(...path: readonly string[]): void {
  mkdirSync(join(root, ...path), { recursive: true });
}

describe("an image as the root of a sandbox", () => {
  it("is there as it is, but where something is mounted", () => {
    folder("usr", "bin");
    folder("tmp");
    symlinkSync("usr/bin", join(root, "bin"));
    writeFileSync(join(root, "init"), "");
    expect(mounts("/tmp", "/proc")).toEqual([
      "--ro-bind IMAGE/init /init",
      "--ro-bind IMAGE/usr /usr",
      "--symlink usr/bin /bin",
    ]);
  });

  it("has folders of the sandbox's own on the way to what is mounted further down", () => {
    folder("var", "lib", "dpkg");
    folder("var", "tmp");
    folder("variable");
    expect(mounts("/var/lib/otto/work", "/var/tmp")).toEqual([
      "--dir /var",
      "--dir /var/lib",
      "--ro-bind IMAGE/var/lib/dpkg /var/lib/dpkg",
      "--ro-bind IMAGE/variable /variable",
    ]);
  });

  it("leads nothing that is mounted through a link", () => {
    symlinkSync("/etc", join(root, "var"));
    folder("home");
    symlinkSync("/root", join(root, "home", "otto"));
    expect(mounts("/var/tmp", "/home/otto/work")).toEqual(["--dir /home", "--dir /home/otto", "--dir /var"]);
  });

  it("is refused with more than bubblewrap takes, before all of it is read", () => {
    for (let number = 0; number <= limits.imageEntriesShownMax; number++)
      writeFileSync(join(root, String(number)), "");
    expect(() => mounts("/tmp")).toThrow(/more than 2000 files in \/ and on the way/u);
  });
});
