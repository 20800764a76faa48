/**
 * The files that a plan is made of: the pipeline and every template that it uses, each read and checked once, however
 * often it is used, with the step libraries that their steps use.
 *
 *   the pipeline --pipeline: shared--> template --pipeline: ./ci/a.yaml--> template
 *        +-------- uses: slack -------> manifest of a step library
 *
 * Promises: every mistake of every file at once, each in its own file and with the place that uses it; templates that
 * use each other in a circle are a mistake that shows the circle.
 */

import { compareText } from "../protocol/values.ts";
import { type Diagnostic, Mistakes, quote, ranges, type RelatedPlace, type Span } from "./diagnostics.ts";
import { checkGiven } from "./given.ts";
import { type Absence, type Import, type Imports, rootId, sourceOf } from "./imports.ts";
import { checkLinks } from "./links.ts";
import { matrixTypes } from "./matrix.ts";
import type { NotificationDeclaration, PipelineFile, StepDeclaration } from "./pipeline.ts";
import { parsePlainYaml } from "./plain-yaml.ts";
import { readPipeline } from "./read.ts";
import { readSource } from "./source-text.ts";
import { readLibrary, type StepLibrary } from "./step-library.ts";
import { suggestion } from "./suggestions.ts";
import type { YamlNode } from "./yaml.ts";

export type Module = {
  /** As diagnostics call the file. */
  readonly path: string;
  readonly mistakes: Mistakes;
  /** Steps that use a library have what it leaves and says besides their own. */
  readonly file: PipelineFile;
  /** The templates of its steps of kind `pipeline`, by the step's name; those with mistakes may be missing. */
  readonly nested: ReadonlyMap<string, Module>;
  /** The libraries of its steps of kind `uses`, by the step's name. */
  readonly libraries: ReadonlyMap<string, UsedLibrary>;
  readonly notifications: readonly UsedNotification[];
};

/** What the steps that notify are below. */
export const notifyName = "notify";

export type UsedLibrary = { readonly library: StepLibrary; readonly from: Import };

export type UsedNotification = UsedLibrary & { readonly declared: NotificationDeclaration };

/** One file while it is read, and what it needs to show its mistakes. */
type Source = {
  readonly id: string;
  readonly path: string;
  readonly text: string;
  readonly mistakes: Mistakes;
  readonly usedBy: RelatedPlace | null;
};

export class Modules {
  readonly #imports: Imports;
  readonly #sources: Source[] = [];
  readonly #modules: Module[] = [];
  readonly #templates = new Map<string, Module | null>();
  readonly #libraries = new Map<string, StepLibrary | null>();
  readonly #used = new Map<string, Import>();
  /** The files that are being read, each used by the one before it. */
  readonly #open: { readonly id: string; readonly path: string }[] = [];

  constructor(imports: Imports) {
    this.#imports = imports;
  }

  /** The pipeline with everything that it uses; null when there is nothing to check further. */
  async readRoot(text: string | Uint8Array, path: string): Promise<Module | null> {
    return this.#readFile({ id: rootId, path, text, usedBy: null });
  }

  get mistakeCount(): number {
    return this.#sources.reduce((count, { mistakes }) => count + mistakes.count, 0);
  }

  /** Templates and libraries that were used, each once. */
  get used(): readonly Import[] {
    return [...this.#used.values()];
  }

  /** Every file that could be read, the pipeline itself last. */
  get read(): readonly Module[] {
    return this.#modules;
  }

  /** What a source of the pipeline's own file stands for. */
  importOf(source: string): Import | null {
    const found = this.#imports.get(rootId)?.get(source);
    return found === undefined || found.kind === "absent" ? null : found;
  }

  libraryOf(id: string): StepLibrary | null {
    return this.#libraries.get(id) ?? null;
  }

  /** The pipeline's own first, then those of each file it uses. */
  diagnostics(): Diagnostic[] {
    return this.#sources.flatMap(({ mistakes, text, path, usedBy }) =>
      mistakes.count === 0 ? [] : mistakes.diagnostics({ text, file: path }, usedBy),
    );
  }

  async #parse(
    file: Pick<Source, "id" | "path" | "usedBy"> & { readonly text: string | Uint8Array },
  ): Promise<{ readonly source: Source; readonly tree: YamlNode | null }> {
    const mistakes = new Mistakes();
    const text = readSource(file.text, mistakes);
    const source: Source = { ...file, text, mistakes };
    this.#sources.push(source);
    if (mistakes.count > 0) return { source, tree: null };
    return { source, tree: parsePlainYaml(text) ?? (await import("./yaml.ts")).parseYaml(text, mistakes) };
  }

  async #readFile(
    file: Pick<Source, "id" | "path" | "usedBy"> & { readonly text: string | Uint8Array },
  ): Promise<Module | null> {
    const { source, tree } = await this.#parse(file);
    const read = tree === null ? null : readPipeline(tree, source.mistakes);
    if (read === null) return null;
    this.#open.push({ id: file.id, path: file.path });
    const nested = new Map<string, Module>();
    const libraries = new Map<string, UsedLibrary>();
    const steps = new Map<string, StepDeclaration>();
    for (const step of read.steps.values()) {
      steps.set(step.name, step);
      if (step.action.kind === "pipeline") {
        const module = await this.#template(source, read, step);
        if (module !== null) nested.set(step.name, module);
      }
      if (step.action.kind !== "uses") continue;
      const used = await this.#library(source, read, step.action, matrixTypes(step));
      if (used === null) continue;
      libraries.set(step.name, used);
      steps.set(step.name, withLibrary(step, used.library));
    }
    const notifications: UsedNotification[] = [];
    for (const declared of file.id === rootId ? read.notify : []) {
      const used = await this.#library(source, read, declared, null);
      if (used !== null) notifications.push({ ...used, declared });
    }
    for (const { value, span } of read.uses.values()) this.#find(source, value, span);
    const taken = notifications.length === 0 ? undefined : read.steps.get(notifyName);
    if (taken !== undefined)
      source.mistakes.add({
        code: "pipeline/bad-step",
        message: `${quote(notifyName)} cannot be the name of a step: \`notify\` of the file makes steps below it`,
        help: "choose another name",
        span: taken.span,
      });
    this.#open.pop();
    const module: Module = {
      path: file.path,
      mistakes: source.mistakes,
      file: { ...read, steps },
      nested,
      libraries,
      notifications,
    };
    checkLinks(source.mistakes, module);
    this.#modules.push(module);
    return module;
  }

  async #template(source: Source, file: PipelineFile, step: StepDeclaration): Promise<Module | null> {
    if (step.action.kind !== "pipeline") return null;
    const { template, given } = step.action;
    const found = this.#named(source, file, { reference: template, kind: "template" });
    if (found === null) return null;
    const circle = this.#open.findIndex(({ id }) => id === found.id);
    if (circle !== -1) {
      const members = [...this.#open.slice(circle).map(({ path }) => path), found.path];
      source.mistakes.add({
        code: "pipeline/cycle",
        message: `the pipelines use each other in a circle: ${members.map(quote).join(" -> ")}`,
        help: "let one of them do its work itself",
        span: template.span,
      });
      return null;
    }
    const known = this.#templates.get(found.id);
    const usedBy = placeOf(source, template.span, `the step ${quote(step.name)} uses it`);
    const module = known ?? (known === null ? null : await this.#readFile({ ...found, usedBy }));
    this.#templates.set(found.id, module);
    if (module === null) return null;
    const taker = { words: `the template ${quote(template.value)}`, span: template.span, given };
    const giver = { parameters: file.parameters, axes: null };
    checkGiven(source.mistakes, { ...taker, declared: module.file.parameters }, giver);
    return module;
  }

  async #library(
    source: Source,
    file: PipelineFile,
    use: Pick<NotificationDeclaration, "library" | "given">,
    axes: ReturnType<typeof matrixTypes>,
  ): Promise<UsedLibrary | null> {
    const from = this.#named(source, file, { reference: use.library, kind: "library" });
    if (from === null) return null;
    const { span } = use.library;
    let library = this.#libraries.get(from.id);
    if (library === undefined) {
      const parsed = await this.#parse({ ...from, usedBy: placeOf(source, span, "it is used here") });
      library = parsed.tree === null ? null : readLibrary(parsed.tree, parsed.source.mistakes);
      this.#libraries.set(from.id, library);
    }
    if (library === null) return null;
    const taker = { words: `the library ${quote(use.library.value)}`, span, given: use.given };
    checkGiven(
      source.mistakes,
      { ...taker, declared: library.parameters },
      { parameters: file.parameters, axes },
    );
    return { library, from };
  }

  /** What a step names, when it is there and of the kind that the step wants. */
  #named(
    { mistakes, ...source }: Source,
    file: PipelineFile,
    wanted: {
      readonly reference: { readonly value: string; readonly span: Span };
      readonly kind: Import["kind"];
    },
  ): Import | null {
    const { value, span } = wanted.reference;
    const written = sourceOf(file, value);
    if (written === null) {
      const message = `there is nothing called ${quote(value)} to use`;
      const help = (): string =>
        file.uses.size === 0
          ? `declare it in \`uses\` of the file: \`${value}: ./PATH\``
          : suggestion(value, [...file.uses.keys()], "name");
      mistakes.add({ code: "pipeline/unknown-use", message, help, span });
      return null;
    }
    const isDeclared = file.uses.has(value);
    const found = this.#find({ ...source, mistakes }, written, file.uses.get(value)?.span ?? span);
    if (found === null) return null;
    if (found.kind === wanted.kind) {
      this.#used.set(found.id, found);
      return found;
    }
    const isTemplate = found.kind === "template";
    mistakes.add({
      code: "pipeline/bad-use",
      message: `${quote(value)} is a ${isTemplate ? "template" : "step library"}`,
      help: `did you mean \`${isTemplate ? "pipeline" : "uses"}: ${value}\`?`,
      span,
      ...(isDeclared && file.uses.get(value) !== undefined
        ? { related: [{ message: "it is declared here", span: file.uses.get(value)?.span ?? span }] }
        : {}),
    });
    return null;
  }

  #find({ id, mistakes }: Source, source: string, span: Span): Import | null {
    const found: Import | Absence | undefined = this.#imports.get(id)?.get(source);
    if (found !== undefined && found.kind !== "absent") return found;
    const { code, message, help } = found ?? {
      code: "pipeline/unknown-use" as const,
      message: `${quote(source)} was not brought along`,
      help: "plan the file where it is",
    };
    mistakes.add({ code, message, help, span });
    return null;
  }
}

function placeOf({ text, path }: Source, span: Span, message: string): RelatedPlace {
  return { message, range: ranges(text)(span), file: path };
}

/** What the library leaves and says is the step's, unless the step says otherwise under the same name. */
function withLibrary(step: StepDeclaration, library: StepLibrary): StepDeclaration {
  return {
    ...step,
    effect: step.effect || library.effect,
    outputs: byName(library.outputs, step.outputs),
    values: byName(library.values, step.values),
    outcomes: [...new Set([...library.outcomes, ...step.outcomes])].sort(compareText),
  };
}

function byName<Item extends { readonly name: string }>(
  theirs: readonly Item[],
  own: readonly Item[],
): readonly Item[] {
  const items = new Map([...theirs, ...own].map((item) => [item.name, item]));
  return [...items.values()].sort((left, right) => compareText(left.name, right.name));
}
