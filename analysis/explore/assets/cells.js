// Cells by their key in an address, and what several pages say of them.
//
//   cellAt(index, "nano-s_sft_f1_s0-1a2b3c4d")     // its place; undefined for a key that no cell has

import { el } from "./dom.js";
import { link } from "./state.js";

export const cellAt = (index, key) => index.place.get(key ?? "");

export const cellLink = (index, cell) => el("a", { href: link("cell", { c: index.cells.keys[cell] }) }, index.cells.titles[cell]);

export const unknownCell = (key) =>
  el("div", {}, el("h1", { tabindex: -1 }, "Unknown cell"),
    el("p", {}, `No cell here is called ${key ?? "nothing"}: the link may be of another study, or of before the study changed. `,
      el("a", { href: link("overview") }, "All cells")));

// Cells by how much they have in common with one, the most first.
export function nearestTo(index, cell, cells) {
  const alike = (other) => index.columns.reduce((sum, column) => sum + (column.codes[other] === column.codes[cell]), 0);
  return cells.filter((other) => other !== cell).map((other) => [alike(other), other])
    .sort((one, other) => other[0] - one[0] || one[1] - other[1]).map(([, other]) => other);
}
