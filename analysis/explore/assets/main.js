// The page: reads the address, opens the view it names, and keeps that view up to date while the address changes.
//
// A view is a module with title(context) and open(context) -> { node, show(params) }. What names the thing that a view is of
// stands in OPENS: where one of these parameters changes, the view is opened anew; where others do, it is shown again.

import { getIndex } from "./data.js";
import { el, replace, say } from "./dom.js";
import { link, listen, read } from "./state.js";
import * as cell from "./cell.js";
import * as compare from "./compare.js";
import * as overview from "./overview.js";
import * as point from "./point.js";
import * as question from "./question.js";
import * as questions from "./questions.js";
import * as search from "./search.js";

const VIEWS = { overview, point, cell, compare, question, questions, texts: search };
const OPENS = { point: ["c"], cell: ["c"], compare: ["a", "b"], question: ["q"] };
const PAGES = [["overview", "Overview"], ["questions", "Questions"], ["texts", "Texts"], ["compare", "Compare"]];

const main = document.getElementById("main");
let opened = { name: null, view: null };
let turn = 0;

async function follow() {
  const { page, params } = read();
  const name = JSON.stringify([page, (OPENS[page] ?? []).map((one) => params.get(one))]);
  if (name === opened.name) {
    opened.view?.show(params);
    return;
  }
  const mine = ++turn;
  const first = opened.name === null;
  opened = { name, view: null };
  const index = await getIndex();
  const module = VIEWS[page] ?? { title: () => "No such page", open: async () => ({ node: el("h1", { tabindex: -1 }, "No such page"), show() {} }) };
  const context = { index, params };
  const view = await module.open(context);
  if (mine !== turn) return; // the reader has gone on
  opened.view = view;
  document.title = `${module.title(context)} · ${index.title}`;
  document.getElementById("study").textContent = index.title;
  navigation(page);
  replace(main, view.node);
  view.show(read().params);
  if (!first) arrive();
  document.documentElement.dataset.ready = page;
}

// A reader of the keyboard or of a screen reader goes on at the new page's heading.
function arrive() {
  window.scrollTo(0, 0);
  main.querySelector("h1")?.focus({ preventScroll: true });
  say(document.title);
}

function navigation(page) {
  replace(document.getElementById("pages"),
    PAGES.map(([name, text]) => el("a", { href: link(name), "aria-current": name === page && "page" }, text)));
}

function failed(error) {
  console.error(error);
  replace(main, el("h1", { tabindex: -1 }, "This cannot be shown"), el("p", { class: "fault" }, error.message));
  opened = { name: null, view: null };
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address holds the state
  main.focus();
});
const go = () => follow().catch(failed);
listen(go);
go();
