// The texts of a cell (sampled solutions, greedy ones, kept paths) as one list of rows, and filtering them.
//
//   textsOf(cell)                             // [{ question, parts, source, outcome, kept, reason, model, draw }]
//   TEXT_TOOLS, matching(rows, wanted, questions)

import { textOf } from "./solution.js";

// A kept path of which the sample file holds the same draw stands once, with its equation list as key.
// sized: the cell trains on none of the kept paths, whose number alone it takes (controls).
export function textsOf(cell) {
  const rows = (cell.texts ?? []).map((row) => ({ ...row, sized: cell.only_sized }));
  const seen = new Map(rows.filter((row) => row.source !== "greedy").map((row) => [sameDraw(row), row]));
  for (const path of cell.paths ?? []) {
    const twin = seen.get(sameDraw(path));
    if (twin) twin.key = path.key;
    else rows.push({ ...path, sized: cell.only_sized, source: "kept path", outcome: null, kept: true, reason: null });
  }
  return rows;
}

const sameDraw = (row) => JSON.stringify([row.question, row.model, row.draw, textOf(row)]);

const spread = (rows, name) => [...new Set(rows.map((row) => row[name]).filter((found) => found))].sort();
const named = (texts) => texts.map((text) => [text, text.replaceAll("_", " ")]);

// Choosers whose options are what the rows hold.
export const textTools = (rows) => [
  { name: "source", label: "From", options: () => [["", "any source"], ...named(spread(rows(), "source"))] },
  { name: "outcome", label: "Outcome", options: () => [["", "any"], ...named(spread(rows(), "outcome"))] },
  { name: "fate", label: "Fate", options: () => [["", "any"], ["kept", "kept"], ["dropped", "dropped"], ...named(spread(rows(), "reason"))] },
  { name: "donor", label: "Donor", options: () => [["", "any"], ...named(spread(rows(), "model"))] },
  { name: "eq", label: "Equations", options: [["", "any"], ["false", "one is false"], ["true", "all true"], ["none", "none"]] },
  { name: "words", label: "Search" },
];

export function matching(rows, wanted, questions) {
  const words = wanted.words.split(/\s+/).filter(Boolean);
  return rows.filter((row) => {
    if (wanted.source && row.source !== wanted.source) return false;
    if (wanted.outcome && row.outcome !== wanted.outcome) return false;
    if (wanted.donor && row.model !== wanted.donor) return false;
    if (wanted.fate && !hasFate(row, wanted.fate)) return false;
    if (wanted.eq && equations(row) !== wanted.eq) return false;
    if (!words.length) return true;
    const text = `${textOf(row)}\n${questions.search[row.question]}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

const hasFate = (row, fate) => (fate === "kept" ? row.kept === true : fate === "dropped" ? row.kept === false : row.reason === fate);

function equations(row) {
  const marks = row.parts.map(([, holds]) => holds).filter((holds) => holds !== null);
  return !marks.length ? "none" : String(marks.every(Boolean));
}
