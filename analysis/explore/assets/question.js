// One question: its text, the outcome of every chosen cell, and every text on it that the study folders hold: greedy
// solutions, draws of the pools with what became of them, and which donor found which path.
// In the address: q (the question), the choice of cells, text tools.

import { cellLink } from "./cells.js";
import { choosers } from "./choose.js";
import { cellsWithTexts, getOutcomes, getQuestions } from "./data.js";
import { el, facts, replace } from "./dom.js";
import { chosen, filterPanel } from "./filters.js";
import { gatherer } from "./gather.js";
import { solutionList } from "./listing.js";
import { equationLegend, textOf } from "./solution.js";
import { pagedTable } from "./table.js";
import { matching, textTools, textsOf } from "./texts.js";
import { NOT_STORED, OUTCOMES, plural } from "./words.js";

export const title = ({ params }) => `Question ${params.get("q") ?? ""}`;

export async function open({ index, params }) {
  const [questions, outcomes] = await Promise.all([getQuestions(), getOutcomes()]);
  const place = questions.place.get(params.get("q") ?? "");
  if (place === undefined) return { node: el("div", {}, el("h1", { tabindex: -1 }, "Unknown question"), el("p", {}, "No cell here was scored on it or sampled solutions to it.")), show() {} };
  const panel = filterPanel(index);
  const tally = el("div");
  const table = pagedTable({
    caption: "Greedy outcome by cell", name: "cells", size: 25, empty: "No chosen cell was scored on this question.",
    columns: [
      { title: "cell", of: (row) => cellLink(index, row.cell), by: (row) => index.cells.titles[row.cell] },
      { title: "outcome", of: (row) => OUTCOMES[row.code], by: (row) => row.code },
    ],
  });
  const texts = textSection(index, questions, place);
  const node = el("div", {},
    el("h1", { tabindex: -1, class: "question" }, questions.texts[place] ?? questions.ids[place]),
    facts([["id", el("code", {}, questions.ids[place])], ["gold answer", questions.golds[place] ?? "unknown"],
      ["question", questions.texts[place] === null ? NOT_STORED : null]]),
    panel.node,
    el("section", {}, el("h2", {}, "Outcomes"), tally, table.node),
    el("section", {}, el("h2", {}, "Texts and paths"), texts.node));
  return {
    node,
    show(now) {
      const mask = chosen(index, now);
      panel.show(now, mask);
      const rows = outcomesOf(questions, outcomes, place).filter((row) => mask[row.cell]);
      const right = rows.filter((row) => row.code === 1).length;
      replace(tally, rows.length > 0 && el("p", {}, `Right in ${right} of ${plural(rows.length, "cell")}.`));
      table.show(rows, now);
      texts.show(now, mask);
    },
  };
}

function outcomesOf(questions, outcomes, place) {
  const rows = [];
  for (const { problems, cells } of questions.blocks) {
    const at = problems.indexOf(place);
    if (at >= 0) for (const cell of cells) rows.push({ cell, code: outcomes.rows.get(cell).bytes[at] });
  }
  return rows;
}

function textSection(index, questions, place) {
  const holders = cellsWithTexts(questions, place);
  let merged = [];
  const tools = choosers(textTools(() => merged));
  const list = solutionList({ heading: () => null, empty: "No stored text of these cells matches." });
  const paths = el("div");
  let now = new URLSearchParams();
  const gather = gatherer({
    what: "texts on this question", read: (cell) => textsOf(cell).filter((row) => row.question === place),
    onchange: (rows) => {
      merged = together(rows, index);
      replace(paths, pathTable(merged, index));
      const found = matching(merged, tools.show(now), questions);
      tools.count(`${plural(found.length, "text")} of ${merged.length}`);
      list.show(found);
    },
  });
  return {
    node: el("div", {}, equationLegend(), gather.node, paths, tools.node, list.node),
    show(params, mask) {
      now = params;
      gather.show(holders.filter((cell) => mask[cell]));
    },
  };
}

// Cells that share a pool hold the same draws: one row, with the cells that it is of. Fates differ where selections do.
function together(rows, index) {
  const found = new Map();
  for (const row of rows) {
    const own = row.source === "greedy" ? row.cell : "";
    const key = JSON.stringify([own, row.source === "greedy", row.model, row.draw, textOf(row), row.kept, row.reason, row.kept && row.sized]);
    if (!found.has(key)) found.set(key, { ...row, of: [] });
    found.get(key).of.push(row.cell);
  }
  return [...found.values()].map((row) => ({ ...row, cells: row.of.length === 1 ? index.cells.titles[row.of[0]] : `in ${row.of.length} cells` }));
}

// Kept paths by their equation list: which donors found each, and which cells train on it.
function pathTable(rows, index) {
  const byKey = new Map();
  for (const row of rows) if (row.key !== undefined && row.kept) byKey.set(row.key, [...(byKey.get(row.key) ?? []), row]);
  if (!byKey.size) return el("p", { class: "note" }, "No kept path of this question is stored in these cells.");
  const donors = (found) => {
    const draws = new Map();
    for (const row of found) draws.set(row.model, (draws.get(row.model) ?? new Set()).add(row.draw));
    const said = (numbers) => [...numbers].sort((a, b) => a - b).join(", ");
    return [...draws].map(([model, numbers]) => `${model} (${numbers.size > 1 ? "draws" : "draw"} ${said(numbers)})`).join(", ");
  };
  return el("div", { class: "scroll", role: "region", "aria-label": "Kept paths", tabindex: 0 },
    el("table", {}, el("caption", {}, "Kept paths, and who found them"),
      el("thead", {}, el("tr", {}, ["equations", "found by", "trained on in"].map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, [...byKey].map(([key, found]) => el("tr", {},
        el("th", { scope: "row" }, el("code", {}, key.replaceAll("|", "  |  ") || "none")),
        el("td", {}, donors(found)),
        el("td", {}, cellsOf(found, index)))))));
}

function cellsOf(found, index) {
  const cells = [...new Set(found.filter((row) => !row.sized).flatMap((row) => row.of))];
  if (!cells.length) return "none: of a selection that fixed sizes alone";
  return cells.length > 3 ? plural(cells.length, "cell") : cells.map((cell, i) => [i > 0 && "; ", cellLink(index, cell)]);
}
