// A table of any length: sorted by a column, a page at a time. Sorting and page stand in the address.
//
//   const table = pagedTable({ caption: "Cells", name: "cells", columns: [{ title: "cell", of: (row) => link }, ...] });
//   table.show(rows, params);
//
// A column: title, of(row) -> node or text, by(row) -> what is sorted by (absent: not sorted), num: numbers, to the right.

import { el, replace } from "./dom.js";
import { change } from "./state.js";
import { number } from "./words.js";

const SIZE = 50;

export function pagedTable({ caption, name, columns, size = SIZE, empty = "None." }) {
  const [sortName, pageName] = [`${name}.sort`, `${name}.page`];
  const body = el("tbody");
  const heads = columns.map((column, place) => head(column, place, sortName, pageName));
  const title = el("caption", {}, caption);
  const scroll = el("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: 0 },
    el("table", {}, title, el("thead", {}, el("tr", {}, heads)), body));
  const pager = el("div", { class: "pager" });
  const none = el("p", { class: "note" }, empty);
  const node = el("div", { class: "paged" }, none, scroll, pager);
  return {
    node,
    show(rows, params) {
      const { place, down } = sorting(params.get(sortName), columns);
      const sorted = place === null ? rows : ordered(rows, columns[place].by, down);
      const pages = Math.max(1, Math.ceil(rows.length / size));
      const page = Math.min(pages, Math.max(1, Number.parseInt(params.get(pageName) ?? "1", 10) || 1));
      const part = sorted.slice((page - 1) * size, page * size);
      heads.forEach((one, i) => one.setAttribute("aria-sort", i !== place ? "none" : down ? "descending" : "ascending"));
      replace(body, part.map((row) => el("tr", {}, columns.map((column) => el("td", { class: column.num && "num" }, column.of(row))))));
      replace(pager, pages > 1 ? turning(page, pages, rows.length, pageName, caption) : null);
      scroll.hidden = !rows.length;
      none.hidden = rows.length > 0;
    },
  };
}

function head(column, place, sortName, pageName) {
  const shown = column.by
    ? el("button", { type: "button", onclick: (event) => turn(event.currentTarget.closest("th"), place, sortName, pageName) }, column.title)
    : column.title;
  return el("th", { scope: "col", class: column.num && "num" }, shown);
}

function turn(th, place, sortName, pageName) {
  const down = th.getAttribute("aria-sort") === "ascending";
  change({ [sortName]: `${down ? "-" : ""}${place}`, [pageName]: null });
}

function sorting(text, columns) {
  const found = /^(-?)(\d{1,2})$/.exec(text ?? "");
  const place = found && columns[found[2]]?.by ? Number(found[2]) : null;
  return { place, down: found?.[1] === "-" };
}

// Stable; what has no value comes last, whichever way.
function ordered(rows, by, down) {
  const keyed = rows.map((row) => [by(row), row]);
  const absent = ([key]) => key === null || key === undefined || key === "";
  const sign = down ? -1 : 1;
  keyed.sort((one, other) => {
    if (absent(one) || absent(other)) return absent(one) - absent(other);
    return sign * (one[0] < other[0] ? -1 : Number(one[0] > other[0]));
  });
  return keyed.map(([, row]) => row);
}

function turning(page, pages, count, pageName, caption) {
  const button = (text, to, label) =>
    el("button", { type: "button", disabled: to < 1 || to > pages, "aria-label": `${label}: ${caption}`,
      onclick: () => change({ [pageName]: to === 1 ? null : to }) }, text);
  return [
    button("← before", page - 1, "Page before"),
    el("span", {}, `page ${number(page)} of ${number(pages)}, ${number(count)} rows`),
    button("next →", page + 1, "Next page"),
  ];
}
