// The first page: all points of the chosen cells as a plot and as a table, and what is missing.
// In the address: x (axis), y (score), colour (column), and the choice of cells.

import { el, replace } from "./dom.js";
import { choiceOf, chosen, filterPanel } from "./filters.js";
import { scatter } from "./plot.js";
import { swatch } from "./shapes.js";
import { change, link } from "./state.js";
import { pagedTable } from "./table.js";
import { number, percent, plural, short } from "./words.js";

export const title = () => "Overview";

export async function open({ index }) {
  const panel = filterPanel(index);
  const plot = scatter();
  const menus = choices(index);
  const legend = el("div", { class: "legend" });
  const table = pointTable(index);
  const holds = el("p", { class: "note" });
  let drawn = null;
  const node = el("div", {},
    el("h1", { tabindex: -1 }, index.title),
    panel.node,
    el("section", { "aria-labelledby": "plot-title" },
      el("h2", { id: "plot-title" }, "Accuracy"), menus.node, legend, plot.node, holds),
    el("section", {}, el("h2", {}, "Settings"), table.node),
    remarks(index));
  return {
    node,
    show(params) {
      const mask = chosen(index, params);
      panel.show(params, mask);
      const view = menus.show(params);
      const rows = rowsOf(index, mask, view);
      table.show(rows, params);
      const choice = JSON.stringify([choiceOf(params), ["x", "y", "colour"].map((name) => params.get(name))]);
      if (choice === drawn) return; // the table alone was sorted or turned
      drawn = choice;
      replace(legend, legendOf(index, rows, view));
      plot.show(specOf(rows, view));
      replace(holds, holdsText(index, rows, view));
    },
  };
}

function choices(index) {
  const { axes, scores } = index.points;
  const make = (name, label, options) => {
    const select = el("select", { id: `choose-${name}`, onchange: () => change({ [name]: select.value }) },
      options.map(([text, shown]) => el("option", { value: text }, shown)));
    return { select, options, node: el("label", {}, `${label} `, select) };
  };
  const menus = {
    x: make("x", "Across", axes.map((axis) => [axis.name, axis.title])),
    y: make("y", "Up", Object.keys(scores).map((name) => [name, name])),
    colour: make("colour", "Colour", index.columns.map((column) => [column.name, column.name])),
  };
  const first = { colour: index.columns.find((column) => column.values.length > 1)?.name }; // one base alone: by method
  return {
    node: el("div", { class: "tools" }, Object.values(menus).map((menu) => menu.node)),
    show(params) {
      const found = {};
      for (const [name, { select, options }] of Object.entries(menus)) {
        const wanted = params.get(name);
        found[name] = options.some(([text]) => text === wanted) ? wanted : first[name] ?? options[0]?.[0];
        if (found[name] !== undefined) select.value = found[name];
      }
      return { axis: axes.find((axis) => axis.name === found.x), score: scores[found.y], scoreName: found.y,
        colours: index.column.get(found.colour), shapes: index.column.get("method") };
    },
  };
}

// A point is shown when one of its cells is chosen; it stays the estimate of all of them.
function rowsOf(index, mask, { axis, score, colours, shapes }) {
  const rows = [];
  index.points.cells.forEach((cells, point) => {
    const of = cells.filter((cell) => mask[cell]).length;
    if (!of) return;
    const first = cells[0];
    rows.push({
      point, cells: cells.length, label: index.points.labels[point], key: index.cells.keys[first],
      x: axis?.values[point] ?? null, y: score.value[point], low: score.low[point], high: score.high[point],
      colour: Math.max(0, colours.codes[first]), shape: Math.max(0, shapes.codes[first]),
      seeds: cells.length, draws: index.points.draws[point],
    });
  });
  return rows;
}

function specOf(rows, { axis, scoreName }) {
  const points = rows.filter((row) => row.x !== null && row.y !== null);
  return {
    points, href: (row) => link("point", { c: row.key }), log: axis?.log ?? false, xTitle: axis?.title ?? "", yTitle: `${scoreName} [%]`,
    description: `Plot of ${plural(points.length, "point")}: ${scoreName} against ${axis?.title ?? "nothing"}. Arrow keys move between points, Enter opens one. The table below has the same.`,
  };
}

function legendOf(index, rows, { colours, shapes }) {
  const codes = (name) => [...new Set(rows.map((row) => row[name]))].sort((a, b) => a - b);
  const list = (title, entries) =>
    el("ul", { "aria-label": title }, entries.map(([icon, text]) => el("li", {}, icon, ` ${text}`)));
  const by = codes("colour");
  return [
    by.length <= 16 && list(`Colours: ${colours.name}`, by.map((code) => [swatch({ colour: code }), colours.values[code]])),
    by.length > 8 && el("p", { class: "note" }, `Colours stand for ${by.length} values of ${colours.name} and repeat after eight.`),
    list("Markers: method", codes("shape").map((code) => [swatch({ shape: code }), shapes.values[code]])),
  ];
}

function holdsText(index, rows, { axis }) {
  const kinds = [...new Set(rows.map((row) => index.points.holds[row.point]))];
  const without = rows.filter((row) => row.x === null).length;
  const words = kinds.length ? `Bars: 95 % intervals, ${kinds.join("; ")}.` : "";
  return `${words} Methods at one amount stand a little beside each other.${without && axis ? ` ${plural(without, "setting")} without a value of ${axis.title}: in the table alone.` : ""}`;
}

function pointTable(index) {
  return pagedTable({
    caption: "Every setting", name: "settings", empty: "No setting of these cells has a score.",
    columns: [
      { title: "setting", of: (row) => el("a", { href: link("point", { c: row.key }) }, row.label), by: (row) => row.label },
      { title: "score", of: (row) => percent(row.y), by: (row) => row.y, num: true },
      { title: "95 % interval", of: (row) => (row.low === null ? "" : `${number(row.low, 1)} to ${number(row.high, 1)}`), num: true },
      { title: "on the axis", of: (row) => short(row.x), by: (row) => row.x, num: true },
      { title: "draws of the base", of: (row) => row.draws, by: (row) => row.draws, num: true },
      { title: "cells", of: (row) => row.seeds, by: (row) => row.seeds, num: true },
    ],
  });
}

function remarks(index) {
  const missing = index.missing.length;
  return el("section", {}, el("h2", {}, "Missing cells"),
    missing
      ? el("details", {}, el("summary", {}, `${plural(missing, "cell")} without a usable record; none counts as 0`),
        el("ul", {}, index.missing.map(([study, id, reason]) => el("li", {}, `${study}, ${id}: ${reason}`))))
      : el("p", {}, "Every cell is there."),
    index.notes.length > 0 && el("ul", {}, index.notes.map((note) => el("li", {}, note))));
}
