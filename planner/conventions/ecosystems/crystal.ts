/**
 * Crystal: shards installs, the crystal command runs the specs.
 */

import { describe } from "../describe.ts";

const file = "shard.yml";

export const crystal = describe({
  ecosystem: "Crystal",
  slug: "crystal",
  signals: [file],
  name: /^name:\s*["']?([\w-]+)/m,
  toolchains: [
    {
      title: "Crystal",
      names: ["crystal"],
      files: [{ file: ".crystal-version" }, { file, says: /^crystal:\s*["']?([^"'\n]+)/m }],
    },
  ],
  lock: { files: ["shard.lock"] },
  install: [
    {
      on: file,
      run: "shards install",
      lockedRun: "shards install --frozen",
      reason: "names the dependencies",
    },
  ],
  caches: [{ name: "shards", paths: ["~/.cache/shards"] }],
  lint: [
    {
      on: ".ameba.yml",
      run: "bin/ameba",
      reason: "configures Ameba",
      needs: { on: [{ file, says: /\bameba\b/ }], or: "shard.yml does not bring ameba" },
    },
  ],
  build: [{ on: { file, says: /^targets:/m }, run: "shards build", reason: "declares targets" }],
  test: [{ on: /^spec\/.*_spec\.cr$/, run: "crystal spec", reason: "has specs" }],
  untested: "has no specs",
});
