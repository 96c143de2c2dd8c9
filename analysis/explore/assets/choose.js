// Tools above a list: select menus and a search field whose values stand in the address.
//
//   const tools = choosers([{ name: "outcome", label: "Outcome", options: [["", "any"], ["C", "correct"]] }, { name: "q", label: "Search" }]);
//   tools.show(params);                // returns { outcome: "C", q: "apples" }

import { el, replace } from "./dom.js";
import { change } from "./state.js";

export function choosers(tools, { pages = [] } = {}) {
  const cleared = Object.fromEntries(pages.map((name) => [`${name}.page`, null]));
  const made = tools.map((tool) => (tool.options ? select(tool, cleared) : search(tool, cleared)));
  const count = el("output", {});
  return {
    node: el("div", { class: "tools" }, made.map((one) => one.node), count),
    show: (params) => Object.fromEntries(made.map((one) => [one.name, one.show(params)])),
    count: (text) => replace(count, text),
  };
}

function select({ name, label, options }, cleared) {
  const list = typeof options === "function" ? options : () => options;
  const input = el("select", { onchange: () => change({ [name]: input.value, ...cleared }) });
  return {
    name,
    node: el("label", {}, `${label} `, input),
    show(params) {
      const wanted = params.get(name) ?? "";
      const found = list();
      const known = found.some(([text]) => text === wanted) ? found : [...found, [wanted, wanted]]; // of a shared link
      replace(input, known.map(([text, shown]) => el("option", { value: text }, shown)));
      input.value = wanted;
      return wanted;
    },
  };
}

function search({ name, label }, cleared) {
  const input = el("input", { type: "search", oninput: () => change({ [name]: input.value, ...cleared }, { replace: true }) });
  return {
    name,
    node: el("label", {}, `${label} `, input),
    show(params) {
      const wanted = params.get(name) ?? "";
      if (document.activeElement !== input) input.value = wanted;
      return wanted.toLowerCase().trim();
    },
  };
}
