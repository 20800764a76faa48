/** The pictures of `otto explain --graph`: what is in them, that nothing of a file is markup, that they are stable. */

import { describe, expect, it } from "vitest";
import { layOut } from "../../../planner/graph/layers.ts";
import { mermaidOf } from "../../../planner/graph/mermaid.ts";
import { pictureOf } from "../../../planner/graph/picture.ts";
import { svgOf } from "../../../planner/graph/svg.ts";
import { planOf } from "../planning.ts";

const file = `otto: 1
environments: { production: {} }
steps:
  build: { run: x, outputs: { files: out/** } }
  test: { run: x, needs: build, matrix: { os: [linux, mac, windows] }, when: matrix.os != "mac" }
  check: { run: x, needs: [build, test] }
  production: { run: x, needs: [check, build], environment: production, inputs: { files: build.files } }
  roll-back: { run: x, needs: { production: [failed, timed-out] } }
  tag: { run: x, needs: production, when: git.branch == "other" }
  tell: { run: x, needs: tag }
`;

/** A plan of `count` steps in rows of ten, each needing some of the row before. */
function rows(count: number): string {
  const lines = ["otto: 1", "steps:"];
  for (let step = 0; step < count; step += 1) {
    const needs = [0, 3].map((shift) => step - 10 - ((step * 7 + shift) % 10)).filter((need) => need >= 0);
    lines.push(
      `  s${step}: { run: x, needs: [${[...new Set(needs)].map((need) => `s${need}`).join(", ")}] }`,
    );
  }
  return `${lines.join("\n")}\n`;
}

describe("a picture", () => {
  it("says of a step that no worker does what it waits for", async () => {
    const { boxes } = pictureOf(
      await planOf("otto: 1\nsteps: { ok: { approve: Go? }, on: { wait: { callback: c }, needs: ok } }\n"),
    );
    expect(boxes.map(({ details }) => details)).toEqual([["asks people"], ["waits for something outside"]]);
  });

  it("has one box for all cells of a matrix, and says what is left out", async () => {
    const { boxes } = pictureOf(await planOf(file));
    expect(boxes.map(({ name, kind, details }) => [name, kind, ...details])).toEqual([
      ["build", "step"],
      ["test", "step", "3 cells of os, 1 left out"],
      ["check", "step"],
      ["production", "effect", "in production"],
      ["roll-back", "step"],
      ["tag", "out", 'left out: when git.branch == "other" is false'],
      ["tell", "out", 'left out: needs tag, which is left out: when git.branch == "other" is false'],
    ]);
  });

  it("draws no need that follows from others, unless it hands over files, and counts them", async () => {
    const { boxes, arrows, implied } = pictureOf(await planOf(file));
    const name = (rank: number) => boxes[rank]?.name;
    expect(arrows.map(({ from, to, kind, words }) => [name(from), name(to), kind, words])).toEqual([
      ["build", "test", "passed", ""],
      ["test", "check", "passed", ""],
      ["build", "production", "passed", ""],
      ["check", "production", "passed", ""],
      ["production", "roll-back", "branch", "failed or timed out"],
      ["production", "tag", "out", ""],
      ["tag", "tell", "out", ""],
    ]);
    expect(implied).toBe(1);
  });

  it("draws a need on another outcome even where the same step must have passed for another", async () => {
    const plan = await planOf(
      "otto: 1\nsteps:\n  a: { run: x }\n  b: { run: x, needs: { a: [failed] } }\n  c: { run: x, needs: [a, b] }\n",
    );
    expect(pictureOf(plan).arrows).toHaveLength(3);
  });
});

describe("a layout", () => {
  it("goes from left to right, and no two boxes of a column touch", async () => {
    const plan = await planOf(rows(200));
    const { boxes, arrows } = pictureOf(plan);
    const { items } = layOut(
      boxes.map(() => 30),
      arrows,
    );
    const columnOf = (box: number): number => items[box]?.column ?? 0;
    expect(arrows.filter(({ from, to }) => columnOf(from) >= columnOf(to))).toEqual([]);
    const sorted = items.toSorted((left, right) => left.column - right.column || left.y - right.y);
    const touching = sorted.filter((item, index) => {
      const next = sorted[index + 1];
      return next?.column === item.column && next.y - item.y < (next.height + item.height) / 2;
    });
    expect(touching).toEqual([]);
  });

  it("lets nothing cross that need not", () => {
    // Two chains whose second boxes come in the other order.
    const links = [
      { from: 0, to: 3, kind: "passed" },
      { from: 1, to: 2, kind: "passed" },
    ];
    const { items } = layOut([20, 20, 20, 20], links);
    const y = (box: number): number => items[box]?.y ?? 0;
    expect(Math.sign(y(0) - y(1))).toBe(Math.sign(y(3) - y(2)));
  });

  it("leads a long arrow past the columns between", () => {
    const chain = [
      { from: 0, to: 1, kind: "passed" },
      { from: 1, to: 2, kind: "passed" },
      { from: 0, to: 2, kind: "branch" },
    ];
    const { items, segments } = layOut([20, 20, 20], chain);
    expect(items.filter((item) => item.box === null)).toHaveLength(1);
    expect(segments).toHaveLength(4);
  });
});

const hostile = `otto: 1
steps:
  a: { run: x, matrix: { v: ["</text><script>alert(1)</script>", "\\"]; click n0 #quot;", "]]>&amp;"] } }
  b: { run: x, needs: a, when: 'trigger == "</title><script>\`%%{x}\`#lt;"' }
`;

describe("Mermaid text", () => {
  it("is the plan's graph", async () => {
    expect(`\n${mermaidOf(await planOf(file), "the-id")}`).toMatchInlineSnapshot(`
      "
      %% pipeline main, plan the-id
      %% needs that follow from others and are not drawn: 1
      flowchart LR
        n0["build"]
        n1["test<br/>3 cells of os, 1 left out"]
        n2["check"]
        n3["production<br/>in production"]
        n4["roll-back"]
        n5["tag<br/>left out: when git.branch == #34;other#34; is false"]
        n6["tell<br/>left out: needs tag, which is left out: when git.branch == …"]
        n0 --> n1
        n1 --> n2
        n0 --> n3
        n2 --> n3
        n3 -->|"failed or timed out"| n4
        n3 -.-> n5
        n5 -.-> n6
        class n3 effect
        class n5,n6 out
        classDef effect stroke:#0969da,stroke-width:2px
        classDef out color:#6e7781,stroke:#8c959f,stroke-dasharray:4 3
      "
    `);
  });

  it("has no sign of the file that could mean something", async () => {
    const text = mermaidOf(await planOf(hostile), "the-id");
    const labels = [...text.matchAll(/\["(.*)"\]$/gm)].map(([, label = ""]) => label.replaceAll("<br/>", ""));
    expect(labels).toHaveLength(2);
    expect(labels.filter((label) => /[<>"`%&{}[\]|]|#(?!\d+;)/.test(label))).toEqual([]);
  });
});

describe("an SVG", () => {
  it("is the same for the same plan, and another for another", async () => {
    const [one, again, other] = await Promise.all(
      [file, file, `${file}  z: { run: x }\n`].map((text) => planOf(text)),
    );
    if (one === undefined || again === undefined || other === undefined) throw new Error("three plans");
    expect(svgOf(one, "the-id")).toBe(svgOf(again, "the-id"));
    expect(svgOf(one, "the-id")).not.toBe(svgOf(other, "the-id"));
  });

  it("has a box with its name for every step, and names the plan", async () => {
    const svg = svgOf(await planOf(rows(300)), "the-id");
    const names = [...svg.matchAll(/<text class="name step"[^>]*>([^<]*)</g)].map(([, name]) => name);
    expect(new Set(names).size).toBe(300);
    expect(svg).toContain(">plan the-id</text>");
  });

  it("has nothing of the file as markup, and only what XML can carry", async () => {
    const svg = svgOf(await planOf(hostile), "the-id");
    const tags = new Set([...svg.matchAll(/<\/?([a-z!?]+)/gi)].map(([, tag]) => tag));
    expect([...tags].toSorted()).toEqual(["g", "path", "rect", "style", "svg", "text", "title"]);
    expect(svg.replace(/<style>[^]*<\/style>/, "")).not.toMatch(/&(?!(?:amp|lt|gt|quot);)/);
    expect(svg).not.toMatch(/(?!\n)\p{Cc}|[\uFFFE\uFFFF]/u);
  });

  it("says which step an outcome is of where several come together", async () => {
    const svg = svgOf(
      await planOf(
        "otto: 1\nsteps:\n  a: { run: x }\n  b: { run: x }\n  c: { run: x, needs: { a: [failed], b: [timed-out] } }\n",
      ),
      "the-id",
    );
    expect(svg).toContain(">a failed</text>");
    expect(svg).toContain(">b timed out</text>");
  });

  it("puts steps that nothing links into rows", async () => {
    const steps = Array.from({ length: 100 }, (_, step) => `  s${step}: { run: x }\n`).join("");
    const svg = svgOf(await planOf(`otto: 1\nsteps:\n${steps}`), "the-id");
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
    expect(Number(width)).toBeGreaterThan(Number(height));
  });
});
