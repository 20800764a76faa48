/**
 * Erlang: rebar3, by the repository's own copy where it brings one. It follows `rebar.lock` by itself.
 */

import { describe } from "../describe.ts";

const file = "rebar.config";

export const erlang = describe({
  ecosystem: "Erlang",
  slug: "erlang",
  signals: [file],
  toolchains: [
    { title: "Erlang", names: ["erlang"], files: [{ file, says: /\{minimum_otp_vsn,\s*"([^"\n]+)"/ }] },
    { title: "rebar3", names: ["rebar"], files: [] },
  ],
  wrapper: { file: "rebar3", program: "rebar3", command: "./rebar3" },
  lock: { files: ["rebar.lock"] },
  install: [{ on: file, run: "rebar3 get-deps", reason: "names the dependencies" }],
  caches: [{ name: "rebar3", paths: ["~/.cache/rebar3"] }],
  lint: [
    { on: { file, says: /\berlfmt\b/ }, run: "rebar3 fmt --check", reason: "names the plugin erlfmt" },
    {
      on: { file, says: /\{xref_checks\b/ },
      run: "rebar3 xref",
      reason: "says what cross-references are checked",
    },
    { on: { file, says: /\{dialyzer\b/ }, run: "rebar3 dialyzer", reason: "configures Dialyzer" },
  ],
  build: [{ on: file, run: "rebar3 compile", reason: "describes a project" }],
  test: [
    { on: /(^|\/)test\/.*_tests\.erl$/, run: "rebar3 eunit", reason: "has tests for EUnit" },
    { on: /(^|\/)test\/.*_SUITE\.erl$/, run: "rebar3 ct", reason: "has suites for Common Test" },
  ],
  untested: "has neither *_tests.erl nor *_SUITE.erl",
});
