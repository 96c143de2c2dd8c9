"use strict";
// Tables that sort and filter, the browser of solutions, the theme. All text of the study enters through textContent.

function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function labelled(text, control) {
  return make("label", {}, text + " ", control);
}

function choice(values, all) {
  const select = make("select", {}, make("option", { value: "", textContent: all }));
  for (const value of values) select.append(make("option", { value: "=" + value, textContent: value }));
  return select;
}

const compareText = new Intl.Collator("en", { numeric: true }).compare;

function numberIn(text) {
  const match = text.replaceAll(",", "").match(/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/i);
  return match ? Number(match[0]) : NaN;
}

function sortRows(table, column, descending) {
  const body = table.tBodies[0];
  const keyed = [...body.rows].map((row) => ({ row, text: row.cells[column].textContent }));
  const filled = keyed.filter((item) => item.text !== "");
  const numeric = filled.every((item) => !Number.isNaN(numberIn(item.text)));
  filled.sort((a, b) => (numeric ? numberIn(a.text) - numberIn(b.text) : compareText(a.text, b.text)) * (descending ? -1 : 1));
  body.append(...filled.map((item) => item.row), ...keyed.filter((item) => item.text === "").map((item) => item.row));
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = make("button", { type: "button", textContent: head.textContent });
    head.replaceChildren(button);
    head.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const descending = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", descending ? "descending" : "ascending");
      sortRows(table, column, descending);
    });
  });
}

function filterable(table) {
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 8) return;
  const search = make("input", { type: "search", size: 14 });
  const count = make("output", {});
  const tools = make("div", { className: "tools" }, labelled("Filter", search));
  const choices = [];
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (!head.hasAttribute("data-choice")) return;
    const values = [...new Set(rows.map((row) => row.cells[column].textContent))].sort(compareText);
    if (values.length < 2) return;
    const select = choice(values, "all");
    choices.push({ select, column });
    tools.append(labelled(head.textContent, select));
  });
  const apply = () => {
    const wanted = search.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      const fits = choices.every((c) => c.select.value === "" || c.select.value === "=" + row.cells[c.column].textContent);
      row.hidden = !(fits && row.textContent.toLowerCase().includes(wanted));
      shown += row.hidden ? 0 : 1;
    }
    count.textContent = shown + " of " + rows.length + " rows";
  };
  for (const control of [search, ...choices.map((c) => c.select)]) control.addEventListener("input", apply);
  tools.append(count);
  table.parentElement.before(tools);
  apply();
}

const PAGE = 10;

function solutionCard(row, data) {
  const [id, question, gold] = data.questions[row.question];
  const meta = make("div", { className: "meta" }, make("span", { className: "badge " + (row.outcome === "correct" ? "correct" : "wrong"), textContent: row.outcome }));
  if (row.kept === true) meta.append(make("span", { className: "badge kept", textContent: "kept" }));
  if (row.kept === false) meta.append(make("span", { className: "badge", textContent: "dropped: " + (row.reason ?? "no reason given") }));
  const words = [row.source, row.draw >= 0 ? "draw " + row.draw : "", row.model ? "by " + row.model : "", "gold " + gold, id];
  for (const word of words) if (word) meta.append(make("span", { textContent: word }));
  return make("article", { className: "solution" }, meta, make("p", { textContent: question }), make("pre", { textContent: row.text }));
}

function browse(place, data) {
  const cells = data.cells.map((cell) => ({
    ...cell,
    rows: cell.rows.map((values) => Object.fromEntries(data.fields.map((name, i) => [name, values[i]]))),
  }));
  const fate = (row) => (row.kept === true ? "kept" : row.kept === false ? "dropped: " + (row.reason ?? "no reason given") : "not a candidate");
  const all = cells.flatMap((cell) => cell.rows);
  const values = (of) => [...new Set(all.map(of))].sort(compareText);
  const cellPick = make("select", { id: "solution-cell" });
  cells.forEach((cell, i) => cellPick.append(make("option", { value: i, textContent: cell.name })));
  cellPick.value = Math.max(0, cells.findIndex((cell) => cell.rows.some((row) => row.source === "pool")));
  const picks = [
    { label: "Source", of: (row) => String(row.source) },
    { label: "Outcome", of: (row) => String(row.outcome) },
    { label: "Fate", of: fate },
  ].map((pick) => ({ ...pick, select: choice(values(pick.of), "all") }));
  const search = make("input", { type: "search", size: 14 });
  const back = make("button", { type: "button", textContent: "Previous" });
  const next = make("button", { type: "button", textContent: "Next" });
  const count = make("output", {});
  const list = make("div", {});
  let page = 0;
  const show = () => {
    const cell = cells[cellPick.value];
    const wanted = search.value.toLowerCase();
    const rows = cell.rows.filter(
      (row) =>
        picks.every((pick) => pick.select.value === "" || pick.select.value === "=" + pick.of(row)) &&
        (row.text + " " + data.questions[row.question].join(" ")).toLowerCase().includes(wanted)
    );
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    page = Math.min(page, pages - 1);
    list.replaceChildren(...rows.slice(page * PAGE, (page + 1) * PAGE).map((row) => solutionCard(row, data)));
    count.textContent = rows.length + " of the file's " + cell.total + " solutions, page " + (page + 1) + " of " + pages;
    back.disabled = page === 0;
    next.disabled = page === pages - 1;
  };
  const first = () => { page = 0; show(); };
  for (const control of [cellPick, search, ...picks.map((pick) => pick.select)]) control.addEventListener("input", first);
  back.addEventListener("click", () => { page -= 1; show(); });
  next.addEventListener("click", () => { page += 1; show(); });
  const tools = make("div", { className: "tools" }, labelled("Cell", cellPick), ...picks.map((pick) => labelled(pick.label, pick.select)), labelled("Text", search), back, next, count);
  place.append(tools, list);
  show();
}

function themed(button) {
  const dark = () => {
    const set = document.documentElement.dataset.theme;
    return set ? set === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const name = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = dark() ? "light" : "dark";
    name();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);
  name();
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  filterable(table);
  sortable(table);
}
const browser = document.getElementById("browser");
if (browser) browse(browser, JSON.parse(document.getElementById("data").textContent));
themed(document.getElementById("theme"));
addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details:not([open])")) details.setAttribute("data-opened", (details.open = true));
});
addEventListener("afterprint", () => {
  for (const details of document.querySelectorAll("details[data-opened]")) {
    details.open = false;
    details.removeAttribute("data-opened");
  }
});
