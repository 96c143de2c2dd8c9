// One cell: scores, what it was trained on and what was dropped, cost, curve, configuration, provenance, outcomes, texts.
// In the address: c (the cell), outcome tools and text tools, table sorting.

import { getCell, getDraws, getQuestions } from "./data.js";
import { cellAt, unknownCell } from "./cells.js";
import { choosers } from "./choose.js";
import { el } from "./dom.js";
import { curve } from "./curve.js";
import { solutionList } from "./listing.js";
import { equationLegend } from "./solution.js";
import { link } from "./state.js";
import { pagedTable } from "./table.js";
import { costSection, configSection, dataSection, provenanceSection, scoreTable } from "./record.js";
import { matching, textTools, textsOf } from "./texts.js";
import { KINDS, LETTERS, NOT_STORED, OUTCOMES, plural } from "./words.js";

export const title = ({ index, params }) => index.cells.titles[cellAt(index, params.get("c"))] ?? "Unknown cell";

export async function open({ index, params }) {
  const place = cellAt(index, params.get("c"));
  if (place === undefined) return { node: unknownCell(params.get("c")), show() {} };
  const [cell, questions] = await Promise.all([getCell(place), getQuestions()]);
  const outcomes = outcomeSection(cell, questions, place);
  const texts = textSection(cell, questions);
  const config = configSection(cell);
  const point = index.pointOf.get(place);
  const node = el("div", {},
    el("h1", { tabindex: -1 }, cell.title),
    el("p", { class: "under" }, el("code", {}, cell.id), ` in ${cell.study}, folder ${cell.folder}`),
    el("p", { class: "links" },
      el("a", { href: link("compare", { a: index.cells.keys[place] }) }, "Compare with another cell"),
      point !== undefined && el("a", { href: link("point", { c: index.cells.keys[place] }) }, `Its setting (${plural(index.points.cells[point].length, "cell")})`)),
    cell.faults.map((fault) => el("p", { class: "fault" }, `Cannot be read: ${fault}`)),
    sections([
      ["Scores", scoreTable(cell)],
      ["Training data and what was dropped", dataSection(cell)],
      ["Training curve", curve(cell.curve)],
      ["Cost", costSection(cell)],
      ["Configuration", config.node],
      ["Outcomes on the test problems", outcomes.node],
      ["Texts", texts.node],
      ["Provenance", provenanceSection(cell)],
    ]));
  return {
    node,
    show(now) {
      outcomes.show(now);
      texts.show(now);
      config.show(now);
    },
  };
}

// Parts of a long page, with buttons that lead to each: the address is taken by the state.
function sections(parts) {
  const made = parts.map(([name, body]) => {
    const head = el("h2", { tabindex: -1 }, name);
    const go = () => {
      head.scrollIntoView();
      head.focus({ preventScroll: true });
    };
    return [el("button", { type: "button", class: "asLink", onclick: go }, name), el("section", {}, head, body)];
  });
  return [el("nav", { class: "jumps", "aria-label": "Parts of this page" }, made.map(([jump]) => jump)), made.map(([, section]) => section)];
}

function outcomeSection(cell, questions, place) {
  const rows = cell.greedy ?? [];
  const kinds = [...new Set(rows.map((row) => row.kind).filter(Boolean))];
  const tools = choosers([
    { name: "o", label: "Outcome", options: [["", "any"], ...Object.entries(LETTERS).map(([letter, code]) => [letter, OUTCOMES[code]])] },
    ...(kinds.length ? [{ name: "kind", label: "Kind", options: [["", "any"], ...kinds.map((kind) => [kind, KINDS[kind] ?? kind])] }] : []),
    { name: "find", label: "Search" },
  ], { pages: ["outcomes"] });
  const table = pagedTable({
    caption: "Greedy outcomes", name: "outcomes", size: 25,
    columns: [
      { title: "question", of: (row) => questionLink(questions, row.question) },
      { title: "outcome", of: (row) => OUTCOMES[LETTERS[row.outcome]], by: (row) => LETTERS[row.outcome] },
      { title: "answer", of: (row) => row.answer ?? "", by: (row) => row.answer, num: true },
      { title: "gold", of: (row) => questions.golds[row.question] ?? "", num: true },
      ...(kinds.length ? [{ title: "kind", of: (row) => KINDS[row.kind] ?? row.kind ?? "", by: (row) => row.kind }] : []),
    ],
  });
  const draws = cell.has_draws ? drawsOf(place, questions) : null;
  return {
    node: el("div", {}, cell.greedy === null ? el("p", { class: "note" }, "The outcomes are not at hand.") : [tools.node, table.node, draws]),
    show(params) {
      const wanted = tools.show(params);
      const found = rows.filter((row) => (!wanted.o || row.outcome === wanted.o) && (!wanted.kind || row.kind === wanted.kind)
        && (!wanted.find || questions.search[row.question].includes(wanted.find)));
      tools.count(`${plural(found.length, "problem")} of ${rows.length}`);
      table.show(found, params);
    },
  };
}

// Sampled answers to the test problems, loaded when they are asked for: with many draws they are large.
function drawsOf(place, questions) {
  const body = el("div");
  const node = el("details", {}, el("summary", {}, "Sampled answers of every test problem (the votes)"), body);
  node.addEventListener("toggle", async () => {
    if (!node.open || body.childElementCount) return;
    const { rows } = await getDraws(place);
    const table = pagedTable({
      caption: "Votes", name: "votes", size: 25,
      columns: [
        { title: "question", of: (row) => questionLink(questions, row.question) },
        { title: "right", of: (row) => `${row.outcomes.split("C").length - 1} of ${row.outcomes.length}`, num: true },
        { title: "answers", of: (row) => row.answers.map((answer) => answer ?? "none").join(", ") },
      ],
    });
    body.append(table.node);
    table.show(rows, new URLSearchParams());
  }, { once: false });
  return node;
}

function textSection(cell, questions) {
  const rows = textsOf(cell);
  const tools = choosers(textTools(() => rows));
  const list = solutionList({ heading: (row) => questionLink(questions, row.question) });
  const held = `${plural(rows.length, "text")} of this cell ${rows.length === 1 ? "is" : "are"} in the study folder: the first greedy solutions, the first draws of the pool, and all kept paths. The rest of the pool lies in the stage store.`;
  return {
    node: el("div", {}, el("p", { class: "note" }, held), equationLegend(), tools.node, list.node),
    show(params) {
      const found = matching(rows, tools.show(params), questions);
      tools.count(`${plural(found.length, "text")} of ${rows.length}`);
      list.show(found);
    },
  };
}

export const questionLink = (questions, question) =>
  el("a", { href: link("question", { q: questions.ids[question] }) }, questions.texts[question] ?? `${questions.ids[question]} (${NOT_STORED})`);
