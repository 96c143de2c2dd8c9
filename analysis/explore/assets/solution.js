// A solution's text with its equations marked true or false, and what became of it.
//
//   solution({ parts: [["3*5=", null], ["<<3*5=14>>", false]], outcome: "wrong", source: "pool", draw: 2, kept: false, ... })
//
// Model text is text: it only ever becomes a text node.

import { el, unseen } from "./dom.js";

export const textOf = (row) => row.parts.map(([text]) => text).join("");

export function solution(row, { heading = null } = {}) {
  return el("article", { class: "solution" },
    heading && el("h3", {}, heading),
    el("p", { class: "meta" }, badges(row)),
    el("pre", {}, row.parts.map(part)));
}

function part([text, holds]) {
  if (holds === null) return text;
  return el("span", { class: holds ? "equation holds" : "equation fails", title: holds ? "true" : "false" }, text,
    unseen(holds ? " (true) " : " (false) "));
}

export function badges(row) {
  const badge = (text, kind = "") => text && el("span", { class: `badge ${kind}` }, text);
  return [
    badge(row.outcome && row.outcome.replaceAll("_", " "), row.outcome === "correct" ? "good" : "bad"),
    badge(row.source && `${row.source}${row.source === "greedy" ? " solution" : ""}`),
    badge(row.model && (row.source === "greedy" ? `by ${row.model}` : `found by ${row.model}`)),
    badge(row.draw !== null && row.draw !== undefined && row.draw >= 0 && `draw ${row.draw}`),
    badge(fate(row), row.kept ? "good" : ""),
    badge(row.cells),
  ];
}

export function fate(row) {
  if (row.kept === true) return row.sized ? "kept by the selection, not trained on here" : "kept";
  if (row.kept === false) return `dropped: ${(row.reason ?? "no reason given").replaceAll("_", " ")}`;
  return null;
}

export const equationLegend = () =>
  el("p", { class: "note" }, "Annotated equations, to within 0.001: ", el("span", { class: "equation holds" }, "<<2*3=6>>"), " holds, ",
    el("span", { class: "equation fails" }, "<<2*3=5>>"), " does not. Equations without annotation are not marked.");
