// Search in the texts of the chosen cells: outcome, fate, donor, equations, words.

import { cellLink } from "./cells.js";
import { questionLink } from "./cell.js";
import { choosers } from "./choose.js";
import { getQuestions } from "./data.js";
import { el } from "./dom.js";
import { chosen, filterPanel, places } from "./filters.js";
import { gatherer } from "./gather.js";
import { solutionList } from "./listing.js";
import { equationLegend } from "./solution.js";
import { matching, textTools, textsOf } from "./texts.js";
import { number, plural } from "./words.js";

export const title = () => "Texts";

export async function open({ index }) {
  const questions = await getQuestions();
  const panel = filterPanel(index);
  let [rows, now] = [[], new URLSearchParams()];
  const tools = choosers(textTools(() => rows));
  const list = solutionList({ heading: (row) => [questionLink(questions, row.question), el("small", {}, " ", cellLink(index, row.cell))] });
  const gather = gatherer({
    what: "texts", read: textsOf,
    onchange: (found) => {
      rows = found;
      const matched = matching(rows, tools.show(now), questions);
      tools.count(`${plural(matched.length, "text")} of ${number(rows.length)} read`);
      list.show(matched);
    },
  });
  return {
    node: el("div", {}, el("h1", { tabindex: -1 }, "Texts"), panel.node, gather.node, equationLegend(), el("h2", {}, "Texts that match"), tools.node, list.node),
    show(params) {
      now = params;
      const mask = chosen(index, params);
      panel.show(params, mask);
      gather.show(places(mask).filter((cell) => questions.sets[questions.shown_of[cell]].size > 0));
    },
  };
}
