// A point: the cells of one setting, each a link, with the estimate that holds them all.
// In the address: c (a cell of it).

import { el, facts } from "./dom.js";
import { link } from "./state.js";
import { number, percent, short } from "./words.js";
import { pagedTable } from "./table.js";
import { cellAt, unknownCell } from "./cells.js";

export const title = ({ index, params }) => {
  const point = index.pointOf.get(cellAt(index, params.get("c")));
  return point === undefined ? "Unknown setting" : index.points.labels[point];
};

export async function open({ index, params }) {
  const point = index.pointOf.get(cellAt(index, params.get("c")));
  if (point === undefined) return { node: unknownCell(params.get("c")), show() {} };
  const { labels, cells, scores, axes, holds } = index.points;
  const table = pagedTable({
    caption: "Cells of this setting", name: "cells",
    columns: [
      { title: "cell", of: (cell) => el("a", { href: link("cell", { c: index.cells.keys[cell] }) }, index.cells.titles[cell]), by: (cell) => index.cells.titles[cell] },
      { title: "id", of: (cell) => el("code", {}, index.cells.ids[cell]), by: (cell) => index.cells.ids[cell] },
      { title: "accuracy", of: (cell) => percent(index.cells.accuracy[cell]), by: (cell) => index.cells.accuracy[cell], num: true },
      { title: "problems", of: (cell) => number(index.cells.sizes[cell]), num: true },
      { title: "compare", of: (cell) => cell !== cells[point][0] && el("a", { href: link("compare", { a: index.cells.keys[cells[point][0]], b: index.cells.keys[cell] }) }, "with the first") },
    ],
  });
  const node = el("div", {},
    el("h1", { tabindex: -1 }, labels[point]),
    facts([
      ...Object.entries(scores).map(([name, score]) => [name, scoreText(score, point)]),
      ["interval of maj1@1", holds[point]],
      ...axes.map((axis) => [axis.title, short(axis.values[point])]),
    ]),
    table.node);
  return { node, show: (now) => table.show(cells[point], now) };
}

function scoreText(score, point) {
  if (score.value[point] === null) return null;
  const interval = score.low[point] === null ? "" : ` (95 %: ${number(score.low[point], 1)} to ${number(score.high[point], 1)})`;
  return percent(score.value[point]) + interval;
}
