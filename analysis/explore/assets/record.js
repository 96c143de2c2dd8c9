// Sections of a cell that say what its record says: scores, data, configuration, cost, provenance.

import { choosers } from "./choose.js";
import { el, facts } from "./dom.js";
import { pagedTable } from "./table.js";
import { number, percent, plural, seconds, short, value } from "./words.js";

const plain = (caption, heads, rows) =>
  el("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: 0 },
    el("table", {}, el("caption", {}, caption),
      el("thead", {}, el("tr", {}, heads.map((text, i) => el("th", { scope: "col", class: i > 0 && "num" }, text)))),
      el("tbody", {}, rows.map(([first, ...others]) =>
        el("tr", {}, el("th", { scope: "row" }, first), others.map((text) => el("td", { class: "num" }, text)))))));

const NAMES = {
  num_human: "human examples", num_augmented: "examples added", num_examples: "examples in all", num_samples: "samples",
  num_questions_sampled: "questions sampled", lucky_frac: "share of samples right by invalid reasoning",
  no_equation_frac: "share of samples without equations", lr: "learning rate", num_optimizer_steps: "optimiser steps",
  num_trainable: "trained parameters", epochs_over_data: "epochs", lucky: "right by invalid reasoning",
};
const words = (name) => NAMES[name] ?? name.replaceAll("_", " ");

// A share of 0 or 1 has a standard error of 0, which says nothing of its error.
const error = (score) => (score.value === 0 || score.value === 1 ? "" : `± ${number(100 * score.se, 1)}`);

export function scoreTable(cell) {
  const row = ([name, score]) => [words(name), percent(100 * score.value), error(score), number(score.n)];
  return plain("Scores and rates of this cell (± one standard error over problems; of 0 or 100 % none)", ["score", "share", "error", "problems"],
    [...Object.entries(cell.scores), ...Object.entries(cell.rates)].map(row));
}

const APART = ["drop_counts", "found_by", "histograms", "dataset", "perturbed"]; // shown in a way of their own, or below

export function dataSection(cell) {
  const { drop_counts: dropped, found_by: found, histograms } = cell.data;
  const single = Object.entries(cell.data).filter(([name]) => !APART.includes(name));
  const counted = (caption, head, counts) =>
    counts && Object.keys(counts).length > 0 && plain(caption, [head, "number"], Object.entries(counts).map(([name, count]) => [words(name), number(count)]));
  const bars = (caption, head, counts) =>
    counts && plain(caption, [head, "questions"], counts.map((count, i) => [i, number(count)]).filter(([, count]) => count !== "0"));
  return el("div", {},
    cell.only_sized && el("p", { class: "note" }, "The pool and what was kept of it fixed how much this cell trains on; it trains on none of the kept paths."),
    facts(single.map(([name, found]) => [words(name), typeof found === "number" ? short(found) : value(found)])),
    el("div", { class: "beside" },
      counted("Samples that were dropped, by reason", "reason", dropped),
      counted("Distinct correct paths, by the donors that found them", "donors", found),
      bars("Questions by number of correct draws", "correct draws", histograms?.correct),
      bars("Questions by number of distinct paths", "distinct paths", histograms?.distinct)));
}

export function configSection(cell) {
  const rows = Object.entries({ ...cell.setting, ...Object.fromEntries(Object.entries(cell.seeds).map(([name, seed]) => [name, seed])) });
  const tools = choosers([{ name: "key", label: "Search keys and values" }], { pages: ["config"] });
  const table = pagedTable({
    caption: "Configuration (all that can change the result) and seeds", name: "config", size: 15,
    columns: [
      { title: "key", of: ([key]) => el("code", {}, key), by: ([key]) => key },
      { title: "value", of: ([, found]) => value(found) },
    ],
  });
  return {
    node: el("div", {}, tools.node, table.node),
    show(params) {
      const wanted = tools.show(params).key;
      const found = rows.filter(([key, one]) => `${key}=${value(one)}`.toLowerCase().includes(wanted));
      tools.count(`${plural(found.length, "key")} of ${rows.length}`);
      table.show(found, params);
    },
  };
}

export function costSection(cell) {
  const { making } = cell;
  const what = making?.evaluation ? "Its evaluation (it trains nothing)" : "What its model is made of, beyond the base";
  const rows = cell.cost.map((stage) => [
    words(stage.name), seconds(stage.seconds), stage.flops ? short(stage.flops) : "", stage.tokens ? number(stage.tokens) : "",
    `${number(100 * stage.used, 0)} %`, stage.makes === null ? "" : stage.makes ? "makes the model" : "measures",
  ]);
  return el("div", {},
    making && el("p", {}, `${what}: ${seconds(making.seconds)}, ${short(making.flops)} FLOPs.`),
    el("details", {}, el("summary", {}, `All ${plural(rows.length, "stage")} it rests on, shared ones in full`),
      plain("Stages and their cost", ["stage", "time", "FLOPs", "tokens", "used", "role"], rows)));
}

export function provenanceSection(cell) {
  const { origins, ...own } = cell.provenance;
  return el("div", {},
    facts(Object.entries(own).map(([name, found]) => [words(name), Array.isArray(found) ? found.join(" ") : value(found)])),
    facts(Object.entries(cell.model).map(([name, found]) => [`model: ${words(name)}`, typeof found === "number" ? short(found) : value(found)])),
    origins && el("details", {}, el("summary", {}, `Where its stages were computed (${origins.length})`),
      origins.map((origin) => facts(Object.entries(origin).map(([name, found]) => [words(name), value(found)])))));
}
