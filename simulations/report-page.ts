/** How a report looks, and how it answers keys. Nothing of a world is in here. */

export const reportStyle = `
:root { color-scheme: light dark; --ink: #1c2430; --dim: #5b6675; --paper: #fbfbfa; --card: #fff; --line: #d9dde3;
  --reign: #2b6cb0; --step: #2f855a; --down: #4a5568; --paused: #b7791f; --fault: #f3d9a4; --grant: #2b6cb0;
  --result: #2f855a; --lost: #c05621; --closed: #6b46c1; --refused: #a0aec0; --bad: #c53030; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --dim: #9aa5b4; --paper: #14181e; --card: #1b2129;
  --line: #323b47; --reign: #63b3ed; --step: #68d391; --down: #a0aec0; --paused: #ecc94b; --fault: #4a3d1f; --grant: #90cdf4;
  --result: #9ae6b4; --lost: #f6ad55; --closed: #b794f4; --refused: #718096; --bad: #fc8181; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, main { max-width: 1400px; margin: 0 auto; padding: 1rem 1.5rem 0; } main { padding-bottom: 2rem; }
h1 { font-size: 1.5rem; margin: .3rem 0; } h2 { font-size: 1.05rem; margin: 1.4rem 0 .4rem; } main h2:first-child { margin-top: 0; } #told { margin: .3rem 0 .6rem; }
.verdict { border-radius: .4rem; padding: .1rem .6rem; color: var(--paper); background: var(--dim); }
.verdict.passed { background: var(--step); } .verdict.violated { background: var(--bad); }
.cause { font-size: 1.1rem; margin: .6rem 0; overflow-wrap: anywhere; } .figures, #told { color: var(--dim); }
code, pre { font: 13px/1.45 ui-monospace, monospace; } code { user-select: all; background: var(--card);
  border: 1px solid var(--line); border-radius: .3rem; padding: .15rem .4rem; }
pre { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem; overflow-x: auto; }
.scroll { display: flex; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem; }
.scroll:focus-visible { outline: 2px solid var(--reign); }
.names { list-style: none; margin: 0 .8rem 0 0; padding: 0; color: var(--dim); white-space: nowrap; }
.names li { height: 34px; line-height: 34px; } .view { flex: 1; overflow-x: auto; padding: 0 .5rem; } svg { display: block; min-width: 100%; overflow: visible; }
svg .base { stroke: var(--line); } svg .tick { fill: var(--dim); font-size: 12px; }
svg .fault { fill: var(--fault); opacity: .55; } svg .reign { fill: var(--reign); } svg .step { fill: var(--step); }
svg .down { fill: var(--down); } svg .paused { fill: var(--paused); }
svg .violation { stroke: var(--bad); stroke-width: 5; }
.mark { stroke: var(--card); stroke-width: 1; } .mark.at { stroke: var(--ink); stroke-width: 2.5; }
.grant { fill: var(--grant); background: var(--grant); } .result { fill: var(--result); background: var(--result); }
.lost { fill: var(--lost); background: var(--lost); } .closed { fill: var(--closed); background: var(--closed); }
.refused { fill: var(--refused); background: var(--refused); }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; padding: 0; color: var(--dim); }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .35rem; vertical-align: -1px; }
i.reign { background: var(--reign); } i.step { background: var(--step); } i.down { background: var(--down); }
i.paused { background: var(--paused); } i.fault { background: var(--fault); }
.legend i.broken { background: var(--bad); width: .3rem; }
.legend i.grant, .legend i.result, .legend i.lost, .legend i.closed, .legend i.refused { border-radius: 50%; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; } dt { color: var(--dim); } dd { margin: 0; }
`;

export const reportScript = `
const told = document.getElementById("told"), lanes = document.getElementById("lanes"), view = lanes.parentElement;
const place = (mark) => parseFloat(mark.getAttribute("cx"));
const marks = [...document.querySelectorAll(".mark")].sort((left, right) => place(left) - place(right));
let at = -1, zoom = 1;
function go(to) {
  if (marks.length === 0) return;
  marks[at]?.classList.remove("at");
  at = Math.max(0, Math.min(marks.length - 1, to));
  marks[at].classList.add("at");
  told.textContent = marks[at].textContent;
  view.scrollLeft = lanes.clientWidth * place(marks[at]) / 100 - view.clientWidth / 2;
}
function scale(to) {
  const middle = (view.scrollLeft + view.clientWidth / 2) / lanes.clientWidth;
  zoom = Math.max(1, Math.min(64, to));
  lanes.setAttribute("width", zoom * 100 + "%");
  view.scrollLeft = lanes.clientWidth * middle - view.clientWidth / 2;
}
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = { ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1), "+": () => scale(zoom * 2), "=": () => scale(zoom * 2),
    "-": () => scale(zoom / 2), Home: () => scale(1) }[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
});
lanes.addEventListener("click", (event) => {
  const text = event.target.querySelector?.("title")?.textContent;
  if (text) told.textContent = text;
});
`;
