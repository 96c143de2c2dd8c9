// All questions, with how many of the chosen cells got each right.
// In the address: find (words), who (right in which cells), the choice of cells.

import { choosers } from "./choose.js";
import { getOutcomes, getQuestions } from "./data.js";
import { el } from "./dom.js";
import { choiceOf, chosen, filterPanel } from "./filters.js";
import { link } from "./state.js";
import { pagedTable } from "./table.js";
import { NOT_STORED, number, OUTCOMES, plural } from "./words.js";

export const title = () => "Questions";

const WHO = {
  "": ["any outcome", () => true],
  mixed: ["right in some, not in all", (row) => row[1] > 0 && row[1] < row.cells],
  none: ["right in none", (row) => row.cells > 0 && row[1] === 0],
  every: ["right in all", (row) => row.cells > 0 && row[1] === row.cells],
  unanswered: ["without an answer in some", (row) => row[3] > 0],
  truncated: ["truncated in some", (row) => row[4] > 0],
  sampled: ["not scored: training questions", (row) => row.cells === 0],
};

export async function open({ index }) {
  const [questions, outcomes] = await Promise.all([getQuestions(), getOutcomes()]);
  const panel = filterPanel(index);
  const tools = choosers([
    { name: "who", label: "Outcome", options: Object.entries(WHO).map(([name, [text]]) => [name, text]) },
    { name: "find", label: "Search" },
  ], { pages: ["questions"] });
  let choice = {};
  const table = pagedTable({
    caption: "Questions", name: "questions", empty: "No question matches.",
    columns: [
      { title: "question", of: (row) => el("a", { href: link("question", { q: questions.ids[row.place], ...choice }) }, questions.texts[row.place] ?? `${questions.ids[row.place]} (${NOT_STORED})`) },
      { title: "gold", of: (row) => questions.golds[row.place] ?? "", num: true },
      ...[1, 2, 3, 4].map((code) => ({ title: OUTCOMES[code], of: (row) => row[code], by: (row) => (row.cells ? row[code] / row.cells : null), num: true })),
      { title: "cells", of: (row) => row.cells, by: (row) => row.cells, num: true },
    ],
  });
  return {
    node: el("div", {}, el("h1", { tabindex: -1 }, "Questions"),
      el("p", { class: "note" }, "Numbers of chosen cells by their greedy outcome."), panel.node, tools.node, table.node),
    show(params) {
      const mask = chosen(index, params);
      panel.show(params, mask);
      choice = choiceOf(params);
      const wanted = tools.show(params);
      const [, keeps] = WHO[wanted.who] ?? WHO[""];
      const counted = countedRows(questions, outcomes, mask);
      const found = counted.filter((row) => keeps(row) && (!wanted.find || questions.search[row.place].includes(wanted.find)));
      tools.count(`${plural(found.length, "question")} of ${number(counted.length)}`);
      table.show(found, params);
    },
  };
}

// For every question the number of chosen cells with each outcome.
function countedRows(questions, outcomes, mask) {
  const rows = questions.ids.map((_, place) => ({ place, 1: 0, 2: 0, 3: 0, 4: 0, cells: 0 }));
  for (const { problems, cells } of questions.blocks) {
    const counts = new Uint32Array(problems.length * 5);
    for (const cell of cells) {
      if (!mask[cell]) continue;
      const { bytes } = outcomes.rows.get(cell);
      for (let i = 0; i < bytes.length; i++) counts[i * 5 + bytes[i]]++;
    }
    problems.forEach((place, i) => {
      for (let code = 1; code <= 4; code++) {
        rows[place][code] += counts[i * 5 + code];
        rows[place].cells += counts[i * 5 + code];
      }
    });
  }
  return rows;
}
