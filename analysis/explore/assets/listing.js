// A growing list of solutions: the first ones, and a button for more.
//
//   const list = solutionList({ heading: (row) => link });
//   list.show(rows);

import { el, replace } from "./dom.js";
import { solution } from "./solution.js";
import { number } from "./words.js";

const STEP = 20;

export function solutionList({ heading, empty = "No text matches." }) {
  const body = el("div", { class: "solutions" });
  const more = el("button", { type: "button", onclick: () => grow() });
  let [rows, shown] = [[], 0];
  const grow = () => {
    const part = rows.slice(shown, shown + STEP);
    const first = body.childElementCount;
    body.append(...part.map((row) => solution(row, { heading: heading(row) })));
    shown += part.length;
    more.hidden = shown >= rows.length;
    more.textContent = `Show more (${number(rows.length - shown)} left)`;
    if (first) body.children[first]?.querySelector("a")?.focus();
  };
  return {
    node: el("div", {}, body, more),
    show(found) {
      [rows, shown] = [found, 0];
      replace(body, found.length ? null : el("p", { class: "note" }, empty));
      if (!found.length) more.hidden = true;
      else {
        replace(body);
        grow();
      }
    },
  };
}
