/**
 * Rust: cargo, with the lock where there is one. Tests live beside the code, so a crate is always tested.
 */

import { cacheOf, proposalOf } from "../convention.ts";
import type { Convention, Proposal, Repository, Signal, Task } from "../convention.ts";
import { hasTable, readToml, stringAt } from "../toml.ts";
import type { TomlTables } from "../toml.ts";

const signal = "Cargo.toml";
const formatFiles = ["rustfmt.toml", ".rustfmt.toml"];
const clippyFiles = ["clippy.toml", ".clippy.toml"];

export const rust: Convention = {
  ecosystem: "Rust",
  slug: "rust",
  signals: [signal],
  toolchains: [
    {
      title: "Rust",
      names: ["rust"],
      files: [
        { file: "rust-toolchain.toml", says: /^[ \t]*channel[ \t]*=[ \t]*"([^"\n]+)"/m },
        { file: "rust-toolchain", says: /^(?:[ \t]*channel[ \t]*=[ \t]*"|(?!\[))([^"\s=]+)"?[ \t]*$/m },
        { file: signal, says: /^[ \t]*rust-version[ \t]*=[ \t]*"([^"\n]+)"/m },
      ],
    },
  ],
  reads: [signal, ...formatFiles],
  propose,
};

/** Options that only a nightly rustfmt follows; a stable one would format otherwise. */
const nightlyFormat =
  /^[ \t]*(unstable_features|imports_granularity|group_imports|wrap_comments|format_code_in_doc_comments|format_strings|normalize_comments|normalize_doc_attributes|reorder_impl_items|overflow_delimited_expr|imports_layout|imports_indent|brace_style|control_brace_style|comment_width|error_on_line_overflow|format_macro_matchers|struct_field_align_threshold|enum_discrim_align_threshold|blank_lines_upper_bound|hex_literal_case|skip_children|trailing_comma|type_punctuation_density|where_single_line|version)[ \t]*=/m;

function propose(repository: Repository): Proposal | undefined {
  if (!repository.has(signal)) return undefined;
  const tables = readToml(repository.text(signal));
  const isLocked = repository.has("Cargo.lock");
  const flags = `${tables.has("workspace") ? " --workspace" : ""}${isLocked ? " --locked" : ""}`;
  const rejected: Signal[] = [];
  const kind = tables.has("workspace") ? "describes a workspace" : "describes a crate";
  const lock = isLocked
    ? { signal: "Cargo.lock", reason: "locks the dependencies" }
    : { signal, reason: "has no Cargo.lock beside it, so versions may change from run to run" };
  return proposalOf({
    standing: "tested",
    because: kind,
    signal,
    projectName: stringAt(tables, "package", "name"),
    lint: findLint(repository, tables, isLocked, rejected),
    test: [{ signal, command: `cargo test${flags}`, reason: kind }],
    matches: [lock],
    rejected,
    caches: cacheOf(
      repository,
      { name: "cargo", paths: ["~/.cargo/registry", "~/.cargo/git"] },
      { locks: ["Cargo.lock"], otherwise: ["**/Cargo.toml"] },
    ),
  });
}

function findLint(
  repository: Repository,
  tables: TomlTables,
  isLocked: boolean,
  rejected: Signal[],
): readonly Task[] {
  const tasks: Task[] = [];
  const format = repository.first(formatFiles);
  if (format !== undefined && nightlyFormat.test(repository.text(format))) {
    rejected.push({
      signal: format,
      reason: "is not used: it has options that only a nightly rustfmt follows",
    });
  } else if (format !== undefined) {
    tasks.push({
      signal: format,
      command: "cargo fmt --all --check",
      reason: "says how the code is formatted",
    });
  }
  const declared = hasTable(tables, "lints.clippy") || hasTable(tables, "workspace.lints.clippy");
  const clippy = repository.first(clippyFiles) ?? (declared ? signal : undefined);
  if (clippy !== undefined) {
    const command = `cargo clippy --all-targets${isLocked ? " --locked" : ""}`;
    tasks.push({ signal: clippy, command, reason: "says what clippy checks" });
  }
  return tasks;
}
