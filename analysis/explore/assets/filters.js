// The choice of cells that every list shares: a menu for each column, and words that a cell's title or id must hold.
//
//   const panel = filterPanel(index);       // panel.node goes into the page, panel.show(params) follows the address
//   chosen(index, params)                   // Uint8Array, 1 for every cell that is chosen
//
// In the address: f.base=nano-s&f.base=nano-m&cells=seed+1

import { el, replace, unseen } from "./dom.js";
import { change } from "./state.js";
import { plural } from "./words.js";

const PREFIX = "f.";
const NONE = "(none)";

export function chosen(index, params) {
  const count = index.cells.ids.length;
  const mask = new Uint8Array(count).fill(1);
  for (const column of index.columns) {
    const wanted = params.getAll(PREFIX + column.name);
    if (!wanted.length) continue;
    const keep = new Set(wanted.map((text) => (text === NONE ? -1 : column.values.indexOf(text))));
    for (let cell = 0; cell < count; cell++) if (!keep.has(column.codes[cell])) mask[cell] = 0;
  }
  const words = (params.get("cells") ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  for (let cell = 0; words.length && cell < count; cell++) {
    if (mask[cell] && !words.every((word) => index.search[cell].includes(word))) mask[cell] = 0;
  }
  return mask;
}

export const places = (mask) => Array.from(mask.keys()).filter((cell) => mask[cell]);

// The part of an address that says which cells are chosen, for links to other lists.
export function choiceOf(params) {
  const kept = {};
  for (const name of new Set(params.keys())) if (name.startsWith(PREFIX) || name === "cells") kept[name] = params.getAll(name);
  return kept;
}

export function filterPanel(index) {
  const menus = index.columns.filter((column) => column.values.length + hasNone(column) > 1).map(menu);
  const words = el("input", {
    type: "search", placeholder: "words of a title or id", "aria-label": "Cells whose title or id holds these words",
    oninput: () => change({ cells: words.value, page: null }, { replace: true }),
  });
  const clear = el("button", { type: "button", onclick: () => change(nothing(index)) }, "All cells");
  const count = el("output", {});
  const node = el("form", { class: "filters", "aria-label": "Choose cells", onsubmit: (event) => event.preventDefault() },
    words, menus.map((one) => one.node), clear, count);
  closeOthers(node);
  return {
    node,
    show(params, mask) {
      if (document.activeElement !== words) words.value = params.get("cells") ?? "";
      for (const one of menus) one.show(params);
      const found = mask.reduce((sum, bit) => sum + bit, 0);
      clear.hidden = found === mask.length && !params.get("cells");
      replace(count, found === mask.length ? plural(found, "cell") : `${plural(found, "cell")} of ${plural(mask.length, "cell").split(" ")[0]}`);
    },
  };
}

const hasNone = (column) => Number(column.codes.includes(-1));

const nothing = (index) =>
  Object.fromEntries([["cells", null], ["page", null], ...index.columns.map((column) => [PREFIX + column.name, null])]);

function menu(column) {
  const values = hasNone(column) ? [...column.values, NONE] : column.values;
  const said = el("span", {}, "all");
  const boxes = values.map((text) => el("input", { type: "checkbox", value: text, onchange: () => tell() }));
  const tell = () => change({ [PREFIX + column.name]: boxes.filter((box) => box.checked).map((box) => box.value), page: null });
  const node = el("details", { class: "menu" },
    el("summary", {}, `${column.name}: `, said),
    el("fieldset", {}, el("legend", {}, unseen(column.name)), boxes.map((box, i) => el("label", {}, box, ` ${values[i]}`))));
  return {
    node,
    show(params) {
      const wanted = new Set(params.getAll(PREFIX + column.name));
      for (const box of boxes) box.checked = wanted.has(box.value);
      const names = values.filter((text) => wanted.has(text));
      said.textContent = !names.length ? "all" : names.length <= 2 ? names.join(", ") : `${names.length} of ${values.length}`;
      node.classList.toggle("active", names.length > 0);
    },
  };
}

// One open menu at a time; Escape and a click elsewhere close it.
function closeOthers(node) {
  const open = () => [...node.querySelectorAll("details[open]")];
  node.addEventListener("toggle", (event) => {
    if (event.target.open) for (const other of open()) if (other !== event.target) other.open = false;
  }, true);
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const one of open()) {
      one.open = false;
      one.querySelector("summary").focus();
    }
  });
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest?.(".menu")) for (const one of open()) one.open = false;
  });
}
