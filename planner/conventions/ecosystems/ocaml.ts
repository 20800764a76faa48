/**
 * OCaml: opam installs into a switch of the workspace, dune builds and tests.
 */

import { describe } from "../describe.ts";

const file = "dune-project";
const packages = "*.opam";
const locks = "*.opam.locked";
const create = "opam switch create . --deps-only --with-test --yes";

export const ocaml = describe({
  ecosystem: "OCaml",
  slug: "ocaml",
  signals: [file],
  name: /\(name\s+([\w-]+)\)/,
  toolchains: [
    { title: "OCaml", names: ["ocaml"], files: [{ file, says: /\(ocaml\s+\(([<>=]+\s*[\d.]+)\)/ }] },
    { title: "dune", names: ["dune"], files: [{ file, says: /^\(lang dune ([\d.]+)\)/m }] },
  ],
  lock: { files: [locks] },
  install: [
    {
      on: packages,
      run: ["opam init --bare --no-setup --yes", create],
      lockedRun: ["opam init --bare --no-setup --yes", `${create} --locked`],
      reason: "names the dependencies",
    },
  ],
  caches: [{ name: "opam", paths: ["~/.opam"] }],
  keys: [packages],
  lint: [
    {
      on: ".ocamlformat",
      run: "opam exec -- dune build @fmt",
      reason: "says how the code is formatted",
      needs: {
        on: [{ file: packages, says: /"ocamlformat"\s*\{[^{}\n]*with-test/ }],
        or: "no *.opam brings ocamlformat for tests",
      },
    },
  ],
  build: [{ on: file, run: "opam exec -- dune build", reason: "describes a project" }],
  test: [
    {
      on: /(^|\/)(tests?|testsuite)\/(.*\/)?dune$|(^|\/)test_[^/]*\.ml$|\.t(\/run\.t)?$/,
      run: "opam exec -- dune runtest",
      reason: "has tests",
    },
  ],
  untested: "has no test folder",
});
