/**
 * Zig: the steps that `build.zig` declares. `build.zig.zon` holds the hash of every dependency, so it is the lock.
 */

import { describe } from "../describe.ts";

const file = "build.zig";
const manifest = "build.zig.zon";

export const zig = describe({
  ecosystem: "Zig",
  slug: "zig",
  signals: [file],
  toolchains: [
    {
      title: "Zig",
      names: ["zig"],
      files: [
        { file: ".zigversion" },
        { file: ".zig-version" },
        { file: manifest, says: /\.minimum_zig_version\s*=\s*"([^"\n]+)"/ },
      ],
    },
  ],
  lock: { files: [manifest] },
  install: [{ on: manifest, run: "zig build --fetch", reason: "names the dependencies by their hashes" }],
  caches: [{ name: "zig", paths: ["~/.cache/zig"] }],
  build: [{ on: file, run: "zig build", reason: "describes a build" }],
  test: [
    { on: { file, says: /\.step\(\s*"test"/ }, run: "zig build test", reason: 'declares the step "test"' },
  ],
  untested: 'declares no step "test"',
});
