/**
 * Gleam: the gleam command builds and tests, for the target that `gleam.toml` names.
 */

import { describe } from "../describe.ts";

const file = "gleam.toml";

export const gleam = describe({
  ecosystem: "Gleam",
  slug: "gleam",
  signals: [file],
  name: /^name\s*=\s*"([^"\n]+)"/m,
  toolchains: [
    { title: "Gleam", names: ["gleam"], files: [{ file, says: /^gleam\s*=\s*"([^"\n]+)"/m }] },
    { title: "Erlang", names: ["erlang"], files: [] },
  ],
  lock: { files: ["manifest.toml"] },
  install: [{ on: file, run: "gleam deps download", reason: "names the dependencies" }],
  caches: [{ name: "gleam", paths: ["~/.cache/gleam"] }],
  build: [{ on: file, run: "gleam build", reason: "describes a package" }],
  test: [{ on: /^test\/.*\.gleam$/, run: "gleam test", reason: "has tests" }],
  untested: "has no test folder",
});
