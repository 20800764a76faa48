/**
 * A mesh file: YAML that says which machines there are, where, and how long steps take. All mistakes of a file are told
 * at once, each with its place, as those of a pipeline file are.
 *
 *   otto-mesh: 1
 *   lease: 30s
 *   latency: { within: 1, between: 20, links: [{ between: [a, b], ms: 45 }] }      # milliseconds, one way
 *   sites:
 *     a: { control: 2, workers: [{ count: 2, slots: 4, labels: [linux, gpu] }] }
 *     b: { control: 1 }
 *   durations: { build: 3m, test: 90s }                                            # of other steps: `duration`
 *   duration: 30s
 */

import { type Diagnostic, Mistakes, quote, type Span } from "../planner/diagnostics.ts";
import { plainNames, readCount, readDuration, readNamed, readTexts, wrongType } from "../planner/fields.ts";
import { readSource } from "../planner/source-text.ts";
import { suggestion } from "../planner/suggestions.ts";
import { type MapEntry, parseYaml, type YamlNode } from "../planner/yaml.ts";
import { failure, type Result, success } from "../protocol/errors.ts";
import { isLabel } from "../protocol/names.ts";
import { type Mesh, meshDefaults, type MeshSite, type MeshWorkers } from "./mesh.ts";

/** What one world can be asked about in a moment. */
const meshBounds = { controlsMax: 9, workersMax: 200, sitesMax: 20, slotsMax: 256 } as const;

const durationMsMax = 24 * 60 * 60_000;
const latencyMsMax = 10_000;
const example = "write for example `sites: { a: { control: 3, workers: [{ count: 2 }] } }`";

/** @param stepNames those that the pipeline has: durations are of these. */
export function readMesh(
  source: Uint8Array,
  file: string,
  stepNames: ReadonlySet<string>,
): Result<Mesh, { readonly diagnostics: readonly Diagnostic[]; readonly text: string }> {
  const mistakes = new Mistakes();
  const text = readSource(source, mistakes);
  const root = mistakes.count > 0 ? null : parseYaml(text, mistakes);
  const mesh = root === null ? null : new MeshReader(mistakes, stepNames).mesh(root);
  if (mistakes.count > 0 || mesh === null)
    return failure({ diagnostics: mistakes.diagnostics({ text, file }), text });
  return success(mesh);
}

class MeshReader {
  readonly #mistakes: Mistakes;
  readonly #stepNames: ReadonlySet<string>;

  constructor(mistakes: Mistakes, stepNames: ReadonlySet<string>) {
    this.#mistakes = mistakes;
    this.#stepNames = stepNames;
  }

  mesh(root: YamlNode): Mesh | null {
    const keys = ["otto-mesh", "lease", "latency", "sites", "durations", "duration"] as const;
    const fields = this.#record(root, "the file", keys);
    if (fields === null) return null;
    const version = fields("otto-mesh");
    if (version?.kind !== "scalar" || version.value !== 1)
      this.#say(
        "pipeline/version",
        "this version of Otto reads mesh files of version 1",
        "write `otto-mesh: 1`",
        version ?? root,
      );
    const sites = this.#sites(fields("sites"), root);
    return {
      leaseMs: this.#duration(fields("lease"), "a lease", 60 * 60_000) ?? meshDefaults.leaseMs,
      sites,
      latencyUs: this.#latency(fields("latency"), sites),
      durationsMs: this.#durations(fields("durations")),
      durationMs: this.#duration(fields("duration"), "a step", durationMsMax) ?? meshDefaults.durationMs,
    };
  }

  #sites(node: YamlNode | undefined, root: YamlNode): MeshSite[] {
    if (node === undefined) {
      this.#say("pipeline/missing-key", 'the key "sites" is missing', example, root);
      return [];
    }
    const named = readNamed(this.#mistakes, node, {
      what: "`sites`",
      noun: "a site",
      names: siteNames,
      help: example,
    });
    const sites = named.map((entry) => this.#site(entry));
    const sum = (of: (site: MeshSite) => number): number => sites.reduce((all, site) => all + of(site), 0);
    const controls = sum((site) => site.controls);
    const workers = sum((site) => site.workers.reduce((all, { count }) => all + count, 0));
    const { controlsMax, workersMax, sitesMax } = meshBounds;
    if (controls < 1 || controls > controlsMax)
      this.#say(
        "pipeline/over-limit",
        `a domain has 1 to ${controlsMax} control peers, and these sites have ${controls}`,
        example,
        node,
      );
    if (workers < 1 || workers > workersMax)
      this.#say(
        "pipeline/over-limit",
        `1 to ${workersMax} workers can be simulated, and these sites have ${workers}`,
        example,
        node,
      );
    if (sites.length > sitesMax)
      this.#say(
        "pipeline/over-limit",
        `at most ${sitesMax} sites can be simulated`,
        "put some together",
        node,
      );
    return sites;
  }

  #site({ key: name, value }: MapEntry): MeshSite {
    const fields = this.#record(value, `the site ${quote(name)}`, ["control", "workers"]);
    const control = fields?.("control");
    const workers = fields?.("workers");
    const listed = workers?.kind === "list" ? workers.items : workers === undefined ? [] : [workers];
    return {
      name,
      controls:
        control === undefined ? 0 : (this.#count(control, "`control`", 0, meshBounds.controlsMax) ?? 0),
      workers: listed.flatMap((node) => this.#workers(node)),
    };
  }

  /** A number stands for that many workers with nothing special about them. */
  #workers(node: YamlNode): MeshWorkers[] {
    const { workersMax, slotsMax } = meshBounds;
    const plain = { slots: meshDefaults.slots, labels: [] };
    if (node.kind === "scalar") {
      const count = this.#count(node, "`workers`", 0, workersMax);
      return count === null || count === 0 ? [] : [{ ...plain, count }];
    }
    const fields = this.#record(node, "a worker", ["count", "slots", "labels"]);
    const count = fields?.("count");
    const slots = fields?.("slots");
    const labels = fields?.("labels");
    return [
      {
        count: count === undefined ? 1 : (this.#count(count, "`count`", 1, workersMax) ?? 1),
        slots: slots === undefined ? plain.slots : (this.#count(slots, "`slots`", 1, slotsMax) ?? 1),
        labels: labels === undefined ? [] : this.#labels(labels),
      },
    ];
  }

  #labels(node: YamlNode): string[] {
    const words = {
      what: "`labels`",
      each: "a label",
      help: "write for example `labels: [gpu, cores=8]`",
      countMax: 50,
    };
    const texts = readTexts(this.#mistakes, node, words);
    for (const { text, node: written } of texts)
      if (!isLabel(text))
        this.#say("pipeline/bad-label", `${quote(text)} is no label of a worker`, words.help, written);
    return texts.map(({ text }) => text).toSorted();
  }

  #latency(node: YamlNode | undefined, sites: readonly MeshSite[]): Mesh["latencyUs"] {
    const usual = meshDefaults.latencyUs;
    const fields =
      node === undefined ? null : this.#record(node, "`latency`", ["within", "between", "links"]);
    const us = (found: YamlNode | undefined): number | null => {
      const ms =
        found === undefined ? null : this.#count(found, "a latency in milliseconds", 0, latencyMsMax);
      return ms === null ? null : ms * 1_000;
    };
    const links = fields?.("links");
    const listed = links?.kind === "list" ? links.items : links === undefined ? [] : [links];
    return {
      within: us(fields?.("within")) ?? usual.within,
      between: us(fields?.("between")) ?? usual.between,
      links: listed.flatMap((link) => {
        const own = this.#record(link, "a link", ["between", "ms"]);
        const between = own?.("between");
        if (own === null || between === undefined) return [];
        const latencyUs = us(own("ms")) ?? usual.between;
        const words = {
          what: "`between`",
          each: "a site",
          help: "write for example `between: [a, b]`",
          countMax: 2,
        };
        const [left, right] = readTexts(this.#mistakes, between, words).filter(({ text, node: written }) => {
          if (sites.some(({ name }) => name === text)) return true;
          const help = suggestion(
            text,
            sites.map(({ name }) => name),
            "sites",
          );
          this.#say("pipeline/bad-value", `there is no site called ${quote(text)}`, help, written);
          return false;
        });
        return left === undefined || right === undefined
          ? []
          : [{ between: [left.text, right.text] as const, latencyUs }];
      }),
    };
  }

  #durations(node: YamlNode | undefined): Map<string, number> {
    const durations = new Map<string, number>();
    if (node === undefined) return durations;
    const help = "write for example `durations: { build: 3m }`";
    if (node.kind !== "map") {
      wrongType(this.#mistakes, node, { what: "`durations`", wanted: "a map", help });
      return durations;
    }
    for (const { key, keySpan, value } of node.entries.values()) {
      const ms = this.#duration(value, "a step", durationMsMax);
      if (ms !== null) durations.set(key, ms);
      if (this.#stepNames.has(key)) continue;
      const other = suggestion(key, [...this.#stepNames], "steps");
      this.#say("pipeline/unknown-step", `the pipeline has no step called ${quote(key)}`, other, {
        span: keySpan,
      });
    }
    return durations;
  }

  #duration(node: YamlNode | undefined, what: string, maxMs: number): number | null {
    return node === undefined ? null : readDuration(this.#mistakes, node, { what, maxMs });
  }

  #count(node: YamlNode, what: string, min: number, max: number): number | null {
    return readCount(this.#mistakes, node, { what, code: "pipeline/bad-number", min, max });
  }

  /** How to get at the fields of a map; null when it is none. Keys that nobody knows are told. */
  #record<Key extends string>(
    node: YamlNode,
    what: string,
    keys: readonly Key[],
  ): ((key: Key) => YamlNode | undefined) | null {
    if (node.kind !== "map") return wrongType(this.#mistakes, node, { what, wanted: "a map", help: example });
    for (const { key, keySpan } of node.entries.values())
      if (!(keys as readonly string[]).includes(key))
        this.#say("pipeline/unknown-key", `${what} has no key ${quote(key)}`, suggestion(key, keys, "keys"), {
          span: keySpan,
        });
    return (key) => node.entries.get(key)?.value;
  }

  #say(
    code: Parameters<Mistakes["add"]>[0]["code"],
    message: string,
    help: string,
    at: { readonly span: Span },
  ): void {
    this.#mistakes.add({ code, message, help, span: at.span });
  }
}

/** They become parts of the names of peers. */
const siteNames = {
  fits: (name: string): boolean => plainNames.fits(name) && /^[a-z][a-z0-9-]{0,30}$/u.test(name),
  words: "use small letters, digits and `-`, and begin with a letter",
};
