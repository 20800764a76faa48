/**
 * A plan's graph as an SVG picture that stands alone: no script, no font, nothing from elsewhere, light or dark as
 * the reader's system is. Whatever a file says is text of the picture and never part of its markup.
 *
 * Boxes that no arrow touches stand in rows below the graph, or a plan of many of them would be one long column.
 */

import type { Plan } from "../../protocol/plan.ts";
import { printable } from "../diagnostics.ts";
import { type Item, layOut, type Layout } from "./layers.ts";
import { type Arrow, type Box, type Picture, pictureOf } from "./picture.ts";

const margin = 24;
const headHeight = 56;
const footHeight = 60;
/** Of a fixed-width letter at 12 and 10 pixels. */
const nameLetterWidth = 7.3;
const smallLetterWidth = 6.1;
const lineHeight = 15;
const boxPadding = 12;
const boxColumnsMax = 34;
const columnGapMin = 56;
const widthMin = 720;
const labelLinesMax = 4;
const rowGap = 16;

const styles = `
.paper{fill:#fff}.name{font-size:12px;fill:#1f2328}.small{font-size:10px;fill:#59636e}.head{font-size:15px;fill:#1f2328}
text{font-family:ui-monospace,Menlo,Consolas,"DejaVu Sans Mono",monospace}
rect.step{fill:#f6f8fa;stroke:#818b98}rect.effect{fill:#ddf4ff;stroke:#0969da;stroke-width:1.5}
rect.out{fill:#fff;stroke:#a0a8b1;stroke-dasharray:4 3}text.out{fill:#6e7781}
path{fill:none;stroke:#818b98;stroke-width:1.2}path.branch{stroke:#bc4c00}path.out{stroke:#b4bbc3;stroke-dasharray:4 3}
text.branch{fill:#bc4c00}text.said{paint-order:stroke;stroke:#fff;stroke-width:4px}path.tip{fill:#818b98;stroke:none}path.branch.tip{fill:#bc4c00}path.out.tip{fill:#b4bbc3}
@media (prefers-color-scheme:dark){.paper{fill:#0d1117}.name,.head{fill:#e6edf3}.small{fill:#9198a1}
rect.step{fill:#151b23;stroke:#656c76}rect.effect{fill:#0c2d4d;stroke:#4493f8}rect.out{fill:#0d1117;stroke:#525a64}
text.out{fill:#818992}path{stroke:#7d8590}path.tip{fill:#7d8590}path.branch{stroke:#f0883e}
path.branch.tip,text.branch{fill:#f0883e}text.said{stroke:#0d1117}path.out{stroke:#525a64}path.out.tip{fill:#525a64}}`;

export function svgOf(plan: Plan, planId: string): string {
  const picture = pictureOf(plan);
  const placed = place(picture);
  const width = Math.max(placed.width + 2 * margin, widthMin);
  const footTop = headHeight + placed.height + 28;
  const height = footTop + footHeight;
  const out = plan.steps.filter((step) => !step.included).length;
  const counts = `${plan.steps.length - out} ${plan.steps.length - out === 1 ? "step" : "steps"}${out === 0 ? "" : `, ${out} left out`}`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>${escaped(`pipeline ${plan.pipeline}: ${counts}`)}</title>`,
    `<style>${styles}\n</style>`,
    `<rect class="paper" width="${width}" height="${height}"/>`,
    text(margin, 32, "head", plan.pipeline),
    text(margin + 9.2 * columnsOf(plan.pipeline) + 16, 32, "small", counts),
    `<g transform="translate(${margin} ${headHeight})">`,
    ...placed.marks,
    "</g>",
    ...foot(picture, { planId, top: footTop }),
    "</svg>",
    "",
  ].join("\n");
}

type Placed = { readonly marks: readonly string[]; readonly width: number; readonly height: number };

function place({ boxes, arrows }: Picture): Placed {
  const touched = new Set(arrows.flatMap(({ from, to }) => [from, to]));
  const linked = boxes.flatMap((_, rank) => (touched.has(rank) ? [rank] : []));
  const numberOf = new Map(linked.map((rank, number) => [rank, number]));
  const links = arrows.map((arrow) => ({
    ...arrow,
    from: numberOf.get(arrow.from) ?? 0,
    to: numberOf.get(arrow.to) ?? 0,
  }));
  const linkedBoxes = linked.flatMap((rank) => boxes[rank] ?? []);
  const graph =
    linkedBoxes.length === 0 ? { marks: [], width: 0, height: 0 } : placeGraph(linkedBoxes, links);
  const alone = boxes.filter((_, rank) => !touched.has(rank));
  const rows = placeRows(alone, {
    top: graph.height === 0 ? 0 : graph.height + 2 * rowGap,
    width: graph.width,
  });
  return {
    marks: [...graph.marks, ...rows.marks],
    width: Math.max(graph.width, rows.width),
    height: Math.max(graph.height, rows.height),
  };
}

function placeGraph(boxes: readonly Box[], arrows: readonly Arrow[]): Placed {
  const sizes = boxes.map(sizeOf);
  const layout = layOut(
    sizes.map((size) => size.height),
    arrows,
  );
  const labels = labelsOf(boxes, arrows);
  const columns = columnEdges(layout, sizes, labels);
  const marks = layout.segments.map((segment) => {
    const [from, to] = [layout.items[segment.from], layout.items[segment.to]];
    return from === undefined || to === undefined
      ? ""
      : segmentMark({ from, to, kind: segment.kind, columns, sizes });
  });
  for (const { to, lines } of labels) {
    const item = layout.items[to];
    if (item === undefined) continue;
    const x = (columns[item.column]?.left ?? 0) - 10;
    for (const [index, { kind, words }] of lines.entries()) {
      marks.push(text(x, item.y - 6 - 12 * (lines.length - 1 - index), `small said ${kind}`, words, "end"));
    }
  }
  for (const [rank, box] of boxes.entries()) {
    const item = layout.items[rank];
    const size = sizes[rank];
    if (item === undefined || size === undefined) continue;
    marks.push(
      ...boxMarks(box, { x: columns[item.column]?.left ?? 0, y: item.y - size.height / 2, ...size }),
    );
  }
  return { marks, width: columns.at(-1)?.right ?? 0, height: Math.ceil(layout.height) };
}

type Label = {
  readonly to: number;
  readonly lines: readonly { readonly kind: string; readonly words: string }[];
};

/** The words before each box: once, however many arrows say them; with the step's name where several differ. */
function labelsOf(boxes: readonly Box[], arrows: readonly Arrow[]): readonly Label[] {
  const incoming = new Map<number, Arrow[]>();
  for (const arrow of arrows) {
    if (arrow.words === "") continue;
    const known = incoming.get(arrow.to) ?? [];
    known.push(arrow);
    incoming.set(arrow.to, known);
  }
  return [...incoming].map(([to, said]) => {
    const [first] = said;
    const isOne = said.every(({ words }) => words === first?.words);
    if (first !== undefined && isOne) return { to, lines: [first] };
    const named = said.map(({ from, kind, words }) => ({
      kind,
      words: `${cut(boxes[from]?.name ?? "")} ${words}`,
    }));
    const shown = named.slice(0, labelLinesMax);
    if (shown.length < named.length)
      shown.push({ kind: "branch", words: `and ${named.length - shown.length} more` });
    return { to, lines: shown };
  });
}

/** Where each column begins and ends; before it is room for the words on the arrows that come in. */
function columnEdges(
  { items, columns }: Layout,
  sizes: readonly Size[],
  labels: readonly Label[],
): readonly { readonly left: number; readonly right: number }[] {
  const widths = Array.from({ length: columns }, () => 0);
  const gaps: number[] = Array.from({ length: columns }, (_, column) => (column === 0 ? 0 : columnGapMin));
  for (const { box, column } of items) {
    if (box !== null) widths[column] = Math.max(widths[column] ?? 0, sizes[box]?.width ?? 0);
  }
  for (const { to, lines } of labels) {
    const column = items[to]?.column ?? 0;
    const widest = lines.reduce((most, { words }) => Math.max(most, columnsOf(words)), 0);
    gaps[column] = Math.max(gaps[column] ?? 0, widest * smallLetterWidth + 40);
  }
  let right = 0;
  return widths.map((width, column) => {
    const left = right + Math.round(gaps[column] ?? 0);
    right = left + width;
    return { left, right };
  });
}

function segmentMark(segment: {
  readonly from: Item;
  readonly to: Item;
  readonly kind: string;
  readonly columns: readonly { readonly left: number; readonly right: number }[];
  readonly sizes: readonly Size[];
}): string {
  const { from, to, kind, columns, sizes } = segment;
  const column = columns[from.column] ?? { left: 0, right: 0 };
  const x1 = column.left + (from.box === null ? 0 : (sizes[from.box]?.width ?? 0));
  const x2 = columns[to.column]?.left ?? 0;
  const [y1, y2] = [Math.round(from.y), Math.round(to.y)];
  const end = to.box === null ? x2 : x2 - 6;
  const bend = Math.round((column.right + x2) / 2);
  const way = `M${x1} ${y1}H${column.right}C${bend} ${y1} ${bend} ${y2} ${end} ${y2}`;
  const line = `<path class="${kind}" d="${way}"/>`;
  if (to.box === null) return line;
  return `${line}<path class="${kind} tip" d="M${x2} ${y2}l-7 -4v8z"/>`;
}

function placeRows(boxes: readonly Box[], area: { readonly top: number; readonly width: number }): Placed {
  const widthMax = Math.max(area.width, widthMin - 2 * margin);
  const sizes = boxes.map(sizeOf);
  const cellWidth = sizes.reduce((most, size) => Math.max(most, size.width), 0);
  const rowHeight = sizes.reduce((most, size) => Math.max(most, size.height), 0);
  // About three times as wide as high, and as wide as the graph above at least.
  const square = Math.ceil(Math.sqrt((boxes.length * 3 * (rowHeight + rowGap)) / (cellWidth + rowGap)));
  const columns = Math.max(1, Math.floor((widthMax + rowGap) / (cellWidth + rowGap)), square);
  const marks = boxes.flatMap((box, rank) => {
    const x = (rank % columns) * (cellWidth + rowGap);
    const y = area.top + Math.floor(rank / columns) * (rowHeight + rowGap);
    const size = sizes[rank];
    return size === undefined ? [] : boxMarks(box, { x, y, ...size });
  });
  const rows = Math.ceil(boxes.length / columns);
  if (rows === 0) return { marks, width: 0, height: 0 };
  return {
    marks,
    width: Math.min(columns, boxes.length) * (cellWidth + rowGap) - rowGap,
    height: area.top + rows * (rowHeight + rowGap) - rowGap,
  };
}

type Size = { readonly width: number; readonly height: number };

function sizeOf({ name, details }: Box): Size {
  const own = columnsOf(cut(name)) * nameLetterWidth;
  const widest = details.reduce((most, line) => Math.max(most, columnsOf(cut(line)) * smallLetterWidth), own);
  return {
    width: Math.ceil(widest) + 2 * boxPadding,
    height: (1 + details.length) * lineHeight + boxPadding,
  };
}

function boxMarks(box: Box, at: Size & { readonly x: number; readonly y: number }): readonly string[] {
  const { kind, name, details, title, cells } = box;
  const [x, y] = [Math.round(at.x), Math.round(at.y)];
  const size = `width="${at.width}" height="${at.height}" rx="5"`;
  return [
    `<g><title>${escaped(title)}</title>`,
    // A matrix looks like a pile.
    ...(cells > 1 ? [`<rect class="${kind}" x="${x + 4}" y="${y + 4}" ${size}/>`] : []),
    `<rect class="${kind}" x="${x}" y="${y}" ${size}/>`,
    text(x + boxPadding, y + 18, `name ${kind}`, cut(name)),
    ...details.map((line, index) =>
      text(x + boxPadding, y + 18 + lineHeight * (index + 1), `small ${kind}`, cut(line)),
    ),
    "</g>",
  ];
}

function foot(picture: Picture, at: { readonly planId: string; readonly top: number }): readonly string[] {
  const { implied, boxes, arrows } = picture;
  const words = [
    ...(boxes.some((box) => box.kind === "effect") ? ["blue: reaches outside"] : []),
    ...(arrows.some((arrow) => arrow.kind === "branch") ? ["orange: on another outcome than passed"] : []),
    ...(boxes.some((box) => box.kind === "out") ? ["dashed: left out"] : []),
    ...(implied > 0
      ? [`not drawn: ${implied} ${implied === 1 ? "need" : "needs"} that follow from others`]
      : []),
  ];
  return [
    ...(words.length === 0 ? [] : [text(margin, at.top, "small", words.join("; "))]),
    text(margin, at.top + 18, "small", `plan ${at.planId}`),
  ];
}

function text(x: number, y: number, className: string, words: string, anchor?: "end"): string {
  const side = anchor === undefined ? "" : ` text-anchor="${anchor}"`;
  return `<text class="${className}" x="${Math.round(x)}" y="${Math.round(y)}"${side}>${escaped(words)}</text>`;
}

function cut(words: string): string {
  if (columnsOf(words) <= boxColumnsMax) return words;
  let shown = "";
  for (const sign of words) {
    if (columnsOf(`${shown}${sign}`) >= boxColumnsMax) break;
    shown += sign;
  }
  return `${shown}…`;
}

/** What is not Latin, Greek or Cyrillic may be twice as wide; measured generously. */
function columnsOf(words: string): number {
  let columns = 0;
  for (const sign of words) columns += (sign.codePointAt(0) ?? 0) < 0x1100 || sign === "…" ? 1 : 2;
  return columns;
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text for between tags and for attributes in double quotes; what XML cannot carry at all is replaced. */
function escaped(words: string): string {
  return words
    .split("\n")
    .map((line) =>
      printable(line)
        .replace(/[\uFFFE\uFFFF]/g, "\uFFFD")
        .replace(/[&<>"]/g, (sign) => entities[sign] ?? ""),
    )
    .join("\n");
}
