// Two cells: where their configurations differ, which problems flipped between them, and both texts side by side.
// In the address: a, b (cells), flip (which problems), find (words), q (the problem that is open).

import { cellAt, cellLink, nearestTo, unknownCell } from "./cells.js";
import { choosers } from "./choose.js";
import { getCell, getQuestions } from "./data.js";
import { el, replace } from "./dom.js";
import { chosen, filterPanel, places } from "./filters.js";
import { equationLegend, solution } from "./solution.js";
import { change, link } from "./state.js";
import { pagedTable } from "./table.js";
import { textsOf } from "./texts.js";
import { LETTERS, NOT_STORED, number, OUTCOMES, percent, plural, value } from "./words.js";

const SIDES = ["a", "b"];

export const title = ({ index, params }) => {
  const [a, b] = SIDES.map((side) => index.cells.titles[cellAt(index, params.get(side))]);
  return b ? `${a} and ${b}` : "Compare";
};

export async function open(context) {
  const { index, params } = context;
  const [a, b] = SIDES.map((side) => cellAt(index, params.get(side)));
  if (params.get("a") && a === undefined) return { node: unknownCell(params.get("a")), show() {} };
  if (params.get("b") && b === undefined) return { node: unknownCell(params.get("b")), show() {} };
  if (b === undefined || a === undefined) return picker(index, a);
  const [left, right, questions] = await Promise.all([getCell(a), getCell(b), getQuestions()]);
  return comparison(index, [a, b], [left, right], questions);
}

// Which cell to compare with: those that have the most in common first.
function picker(index, a) {
  const panel = filterPanel(index);
  const order = a === undefined ? index.cells.ids.map((_, cell) => cell) : nearestTo(index, a, index.cells.ids.map((_, cell) => cell));
  const to = (cell) => link("compare", a === undefined ? { a: index.cells.keys[cell] } : { a: index.cells.keys[a], b: index.cells.keys[cell] });
  const table = pagedTable({
    caption: a === undefined ? "Choose the first cell" : "Choose the second cell: the most alike first", name: "with",
    columns: [
      { title: "cell", of: (cell) => el("a", { href: to(cell) }, index.cells.titles[cell]), by: (cell) => index.cells.titles[cell] },
      { title: "accuracy", of: (cell) => percent(index.cells.accuracy[cell]), by: (cell) => index.cells.accuracy[cell], num: true },
    ],
  });
  return {
    node: el("div", {}, el("h1", { tabindex: -1 }, "Compare two cells"),
      a !== undefined && el("p", {}, "First cell: ", cellLink(index, a)), panel.node, table.node),
    show(params) {
      const mask = chosen(index, params);
      panel.show(params, mask);
      const found = new Set(places(mask));
      table.show(order.filter((cell) => found.has(cell)), params);
    },
  };
}

const FLIPS = {
  gained: ["right in the second alone", (row) => row.b === 1 && row.a !== 1],
  lost: ["right in the first alone", (row) => row.a === 1 && row.b !== 1],
  flipped: ["flipped, either way", (row) => (row.a === 1) !== (row.b === 1)],
  both: ["right in both", (row) => row.a === 1 && row.b === 1],
  neither: ["right in neither", (row) => row.a !== 1 && row.b !== 1],
  all: ["all problems", () => true],
};

function comparison(index, [a, b], cells, questions) {
  const rows = joined(cells);
  const count = (flip) => rows.filter(FLIPS[flip][1]).length;
  const texts = cells.map((cell) => byQuestion(textsOf(cell)));
  const stored = (row) => texts.every((found) => (found.get(row.question) ?? []).some((text) => text.source === "greedy"));
  const tools = choosers([
    { name: "flip", label: "Problems", options: [["", "flipped, either way"], ...["gained", "lost", "both", "neither", "all"].map((flip) => [flip, FLIPS[flip][0]])] },
    { name: "texts", label: "Texts", options: [["", "any"], ["both", "both stored"]] },
    { name: "find", label: "Search" },
  ], { pages: ["flips"] });
  const beside = el("div", { id: "beside" });
  const table = flipTable(questions, stored);
  const node = el("div", {},
    el("h1", { tabindex: -1 }, "Two cells"),
    el("ol", { class: "pair" }, [a, b].map((cell) => el("li", {}, cellLink(index, cell), ` ${percent(index.cells.accuracy[cell])}`))),
    el("p", { class: "links" }, el("a", { href: link("compare", { a: index.cells.keys[b], b: index.cells.keys[a] }) }, "Swap"),
      el("a", { href: link("compare", { a: index.cells.keys[a] }) }, "Another second cell")),
    rows.length ? countTable(count, rows.length) : el("p", { class: "note" }, "The two cells share no test problem whose outcomes are at hand."),
    differences(cells),
    el("section", {}, el("h2", {}, "Problems"), tools.node, beside, table.node));
  return {
    node,
    show(params) {
      const wanted = tools.show(params);
      const [, keeps] = FLIPS[wanted.flip || "flipped"] ?? FLIPS.flipped;
      const found = rows.filter((row) => keeps(row) && (wanted.texts !== "both" || stored(row))
        && (!wanted.find || questions.search[row.question].includes(wanted.find)));
      tools.count(`${plural(found.length, "problem")} of ${number(rows.length)}, ${found.filter(stored).length} with both texts`);
      table.show(found, params);
      const open = rows.find((row) => row.question === questions.place.get(params.get("q")));
      replace(beside, open && sideBySide(open, texts, cells, questions));
    },
  };
}

// By the question, never by place: the two may have been scored on other problems.
function joined([left, right]) {
  const other = new Map((right.greedy ?? []).map((row) => [row.question, row]));
  return (left.greedy ?? []).filter((row) => other.has(row.question)).map((row) => {
    const twin = other.get(row.question);
    return { question: row.question, a: LETTERS[row.outcome], b: LETTERS[twin.outcome], answers: [row.answer, twin.answer] };
  });
}

function byQuestion(rows) {
  const found = new Map();
  for (const row of rows) found.set(row.question, [...(found.get(row.question) ?? []), row]);
  return found;
}

function countTable(count, all) {
  const cell = (flip) => el("td", { class: "num" }, el("a", { href: "#/", onclick: (event) => { event.preventDefault(); change({ flip, "flips.page": null }); } }, count(flip)));
  return el("table", { class: "counts" }, el("caption", {}, `The ${plural(all, "shared problem")}`),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "greedy outcome"), el("th", { scope: "col" }, "second right"), el("th", { scope: "col" }, "second not right"))),
    el("tbody", {},
      el("tr", {}, el("th", { scope: "row" }, "first right"), cell("both"), cell("lost")),
      el("tr", {}, el("th", { scope: "row" }, "first not right"), cell("gained"), cell("neither"))));
}

function differences(cells) {
  const [left, right] = cells.map((cell) => ({ ...cell.setting, ...cell.seeds }));
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])]
    .filter((key) => JSON.stringify(left[key]) !== JSON.stringify(right[key]));
  const said = (setting, key) => (key in setting ? value(setting[key]) : "not used");
  return el("details", {}, el("summary", {}, `${plural(keys.length, "difference")} in configuration and seeds`),
    el("div", { class: "scroll", role: "region", "aria-label": "Differences", tabindex: 0 },
      el("table", {}, el("thead", {}, el("tr", {}, ["key", "first", "second"].map((text) => el("th", { scope: "col" }, text)))),
        el("tbody", {}, keys.map((key) => el("tr", {}, el("th", { scope: "row" }, el("code", {}, key)), el("td", {}, said(left, key)), el("td", {}, said(right, key))))))));
}

function flipTable(questions, stored) {
  const outcome = (code, answer) => `${OUTCOMES[code]}${answer === null ? "" : `: ${answer}`}`;
  return pagedTable({
    caption: "Problems of the two cells", name: "flips", size: 25, empty: "No problem matches.",
    columns: [
      { title: "question", of: (row) => el("button", { type: "button", class: "asLink", onclick: () => change({ q: questions.ids[row.question] }) }, questions.texts[row.question] ?? `${questions.ids[row.question]} (${NOT_STORED})`) },
      { title: "gold", of: (row) => questions.golds[row.question] ?? "", num: true },
      { title: "first", of: (row) => outcome(row.a, row.answers[0]), by: (row) => row.a },
      { title: "second", of: (row) => outcome(row.b, row.answers[1]), by: (row) => row.b },
      { title: "texts", of: (row) => (stored(row) ? "both" : ""), by: (row) => (stored(row) ? 0 : 1) },
    ],
  });
}

function sideBySide(row, texts, cells, questions) {
  const id = questions.ids[row.question];
  const side = (place) => {
    const found = texts[place].get(row.question) ?? [];
    return el("div", {}, el("h4", {}, cells[place].title),
      found.length ? found.map((text) => solution(text)) : el("p", { class: "note" }, `Answer: ${row.answers[place] ?? "none"}. The ${NOT_STORED}.`));
  };
  return el("section", { class: "open", "aria-label": "The problem that is open" },
    el("h3", {}, questions.texts[row.question] ?? `${id} (${NOT_STORED})`),
    el("p", {}, `Gold answer: ${questions.golds[row.question] ?? "unknown"}. `, el("a", { href: link("question", { q: id }) }, "Everything on this question"), " ",
      el("button", { type: "button", onclick: () => change({ q: null }) }, "Close")),
    equationLegend(),
    el("div", { class: "sides" }, side(0), side(1)));
}
