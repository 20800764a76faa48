/**
 * The matrix of a step: the product of its axes, without what `exclude` matches, with what `include` adds.
 *
 * Promises: at most `limits.matrixCellsPerStepMax` cells, counted before they are made; no two cells are equal
 * or have the same name; the cells do not depend on the order in which axes are written.
 */

import { limits } from "../protocol/limits.ts";
import { cellName, isCellValue } from "../protocol/names.ts";
import type { Scalar } from "../protocol/plan.ts";
import { compareText } from "../protocol/values.ts";
import { type Mistakes, quote, type Span } from "./diagnostics.ts";
import { checkName, identifiers, overLimit, readScalar, wrongType } from "./fields.ts";
import { keysOf } from "./language.ts";
import type { Cell, MatrixDeclaration, ParameterType, StepDeclaration } from "./pipeline.ts";
import { suggestion } from "./suggestions.ts";
import type { MapEntry, MapNode, YamlNode } from "./yaml.ts";

/** What in a matrix is no axis. */
const cellKeys: readonly string[] = keysOf("matrix");

type PlacedCell = { readonly cell: Cell; readonly span: Span };

const help = 'write for example `matrix: { os: [linux, macos], ruby: ["3.3", "3.4"] }`';

/** The variable that carries a value of the matrix to the commands: `os` is `OTTO_MATRIX_OS`. */
export function matrixVariable(key: string): string {
  return `OTTO_MATRIX_${key.toUpperCase()}`;
}

/** A matrix with mistakes has no cells: nothing more can be said about what uses it. */
export function readMatrix(mistakes: Mistakes, node: YamlNode, step: string): MatrixDeclaration {
  const unusable: MatrixDeclaration = { cells: [], keys: [], span: node.span };
  if (node.kind !== "map") {
    wrongType(mistakes, node, { what: "`matrix`", wanted: "a map", help });
    return unusable;
  }
  if (tooManyAxes(mistakes, node, "the matrix")) return unusable;
  const axes = new Map<string, readonly Scalar[]>();
  const before = mistakes.count;
  for (const entry of node.entries.values()) {
    if (cellKeys.includes(entry.key)) continue;
    const values = readAxis(mistakes, entry);
    if (values !== null) axes.set(entry.key, values);
  }
  const include = readCells(mistakes, node.entries.get("include"));
  const exclude = readCells(mistakes, node.entries.get("exclude"));
  checkExcludeKeys(mistakes, exclude, axes);
  const count = axes.size === 0 ? 0 : [...axes.values()].reduce((product, axis) => product * axis.length, 1);
  overLimit(mistakes, {
    count: count + include.length,
    countMax: limits.matrixCellsPerStepMax,
    what: "the matrix",
    span: node.span,
  });
  if (mistakes.count > before) return unusable;
  const kept = withoutExcluded(mistakes, productOf(axes), exclude);
  const cells = withIncluded(kept, include, axes);
  checkCells(mistakes, { cells, step, span: node.span });
  if (mistakes.count > before) return unusable;
  const keys = [...new Set(cells.flatMap((cell) => [...cell.keys()]))].sort(compareText);
  return { cells, keys, span: node.span };
}

/** More axes than a cell's name has room for: work would grow with the square of their number. */
function tooManyAxes(mistakes: Mistakes, node: MapNode, what: string): boolean {
  const countMax = limits.matrixAxesPerStepMax;
  return overLimit(mistakes, { count: node.entries.size, countMax, what, span: node.span });
}

function readAxis(mistakes: Mistakes, { key, keySpan, value }: MapEntry): readonly Scalar[] | null {
  const named = checkName(mistakes, { name: key, span: keySpan, noun: "a matrix axis", rule: identifiers });
  if (value.kind !== "list" || value.items.length === 0) {
    return wrongType(mistakes, value, {
      what: `the axis ${quote(key)}`,
      wanted: "a list of values",
      help: `write \`${key}: [one, two]\``,
    });
  }
  const values = new Map<Scalar, Span>();
  for (const item of value.items.slice(0, limits.matrixCellsPerStepMax + 1)) {
    const scalar = readCellValue(mistakes, item);
    if (scalar === null) continue;
    const first = values.get(scalar);
    if (first !== undefined) {
      mistakes.add({
        code: "pipeline/bad-matrix",
        message: `the axis ${quote(key)} has the value ${quote(String(scalar))} twice`,
        help: "keep one of the two",
        span: item.span,
        related: [{ message: "the first is here", span: first }],
      });
    } else values.set(scalar, item.span);
  }
  return named ? [...values.keys()] : null;
}

function readCellValue(mistakes: Mistakes, node: YamlNode): Scalar | null {
  const scalar = readScalar(mistakes, node, { what: "a value of the matrix", help });
  if (scalar === null) return null;
  if (isCellValue(scalar)) return scalar;
  mistakes.add({
    code: "pipeline/bad-matrix",
    message: "a value of the matrix becomes part of a step's name, and this one cannot",
    help: `use one line of at most ${limits.nameCharactersMax} characters`,
    span: node.span,
  });
  return null;
}

function readCells(mistakes: Mistakes, entry: MapEntry | undefined): readonly PlacedCell[] {
  if (entry === undefined) return [];
  const { key, value } = entry;
  const words = {
    what: `\`${key}\``,
    wanted: "a list of cells",
    help: `write \`${key}: [{ os: linux, ruby: "3.4" }]\``,
  };
  if (value.kind !== "list") {
    wrongType(mistakes, value, words);
    return [];
  }
  const cells: PlacedCell[] = [];
  for (const item of value.items.slice(0, limits.matrixCellsPerStepMax + 1)) {
    if (item.kind !== "map" || item.entries.size === 0) {
      wrongType(mistakes, item, { ...words, what: `a cell of \`${key}\``, wanted: "a map with values" });
      continue;
    }
    if (tooManyAxes(mistakes, item, `a cell of \`${key}\``)) continue;
    const cell = new Map<string, Scalar>();
    for (const field of item.entries.values()) {
      const rule = { name: field.key, span: field.keySpan, noun: "a matrix axis", rule: identifiers };
      if (!checkName(mistakes, rule)) continue;
      const scalar = readCellValue(mistakes, field.value);
      if (scalar !== null) cell.set(field.key, scalar);
    }
    cells.push({ cell, span: item.span });
  }
  return cells;
}

function checkExcludeKeys(
  mistakes: Mistakes,
  exclude: readonly PlacedCell[],
  axes: ReadonlyMap<string, unknown>,
): void {
  for (const { cell, span } of exclude) {
    for (const key of cell.keys()) {
      if (axes.has(key)) continue;
      mistakes.add({
        code: "pipeline/bad-matrix",
        message: `\`exclude\` names ${quote(key)}, and the matrix has no such axis`,
        help: () => suggestion(key, [...axes.keys()], "axis"),
        span,
      });
    }
  }
}

/** Every combination, the axes sorted and the last of them changing first. */
function productOf(axes: ReadonlyMap<string, readonly Scalar[]>): Cell[] {
  if (axes.size === 0) return [];
  const sorted = [...axes].sort(([left], [right]) => compareText(left, right));
  const count = sorted.reduce((product, [, values]) => product * values.length, 1);
  return Array.from({ length: count }, (_, index) => {
    const cell = new Map<string, Scalar>();
    let stride = count;
    for (const [key, values] of sorted) {
      stride /= values.length;
      const value = values[Math.floor(index / stride) % values.length];
      if (value !== undefined) cell.set(key, value);
    }
    return cell;
  });
}

function withoutExcluded(mistakes: Mistakes, cells: readonly Cell[], exclude: readonly PlacedCell[]): Cell[] {
  let kept = [...cells];
  for (const { cell: pattern, span } of exclude) {
    const keys = [...pattern.keys()];
    const matches = new Set(cells.filter((cell) => agrees(cell, pattern, keys)));
    if (matches.size === 0) {
      mistakes.add({
        code: "pipeline/bad-matrix",
        message: "`exclude` matches no cell",
        help: "remove it, or correct its values: text and numbers are different values",
        span,
      });
    } else kept = kept.filter((cell) => !matches.has(cell));
  }
  return kept;
}

/**
 * Each entry extends the cells of the product that agree with it on every axis it names; an entry that agrees
 * with none is a cell of its own. That is what people know from GitHub Actions.
 */
function withIncluded(
  product: readonly Cell[],
  include: readonly PlacedCell[],
  axes: ReadonlyMap<string, unknown>,
): Cell[] {
  const extended = [...product];
  const added: Cell[] = [];
  for (const { cell: entry } of include) {
    const named = [...entry.keys()].filter((key) => axes.has(key));
    let extendsSome = false;
    for (const [index, original] of product.entries()) {
      if (!agrees(original, entry, named)) continue;
      extended[index] = new Map([...(extended[index] ?? original), ...entry]);
      extendsSome = true;
    }
    if (!extendsSome) added.push(entry);
  }
  return [...extended, ...added];
}

function agrees(cell: Cell, pattern: Cell, keys: readonly string[]): boolean {
  return keys.every((key) => cell.get(key) === pattern.get(key));
}

function checkCells(
  mistakes: Mistakes,
  matrix: { readonly cells: readonly Cell[]; readonly step: string; readonly span: Span },
): void {
  const problem = problemOf(matrix.cells, matrix.step);
  if (problem === null) return;
  mistakes.add({ code: "pipeline/bad-matrix", ...problem, span: matrix.span });
}

function problemOf(cells: readonly Cell[], step: string): { message: string; help: string } | null {
  if (cells.length === 0) return { message: "the matrix has no cell", help };
  const names = new Set<string>();
  const types = new Map<string, string>();
  const variables = new Map<string, string>();
  for (const cell of cells) {
    const name = cellName(step, cell);
    if (names.has(name)) {
      return { message: `two cells of the matrix are called ${quote(name)}`, help: "remove one of the two" };
    }
    names.add(name);
    if (name.length > limits.cellNameCharactersMax) {
      return {
        message: `a cell's name has more than ${limits.cellNameCharactersMax} characters`,
        help: "use fewer axes or shorter values",
      };
    }
    for (const [key, value] of cell) {
      const type = types.get(key) ?? typeof value;
      types.set(key, type);
      if (type !== typeof value) {
        return {
          message: `the axis ${quote(key)} mixes ${type} and ${typeof value}`,
          help: "put every value of the axis in quotes",
        };
      }
      const variable = matrixVariable(key);
      const other = variables.get(variable) ?? key;
      variables.set(variable, other);
      if (other !== key) {
        return {
          message: `the axes ${quote(other)} and ${quote(key)} would both be the variable \`${variable}\``,
          help: "rename one of the two",
        };
      }
    }
  }
  return null;
}

/** One type for each axis of a step's matrix, which was checked to have no more; null when it has no matrix. */
export function matrixTypes(
  step: Pick<StepDeclaration, "matrix">,
): ReadonlyMap<string, ParameterType> | null {
  if (step.matrix === null) return null;
  const types = new Map<string, ParameterType>();
  for (const key of step.matrix.keys) {
    const value = step.matrix.cells.find((cell) => cell.has(key))?.get(key);
    types.set(key, typeof value === "number" ? "number" : typeof value === "boolean" ? "boolean" : "string");
  }
  return types;
}
