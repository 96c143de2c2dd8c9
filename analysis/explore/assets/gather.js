// Texts from many cells, some dozens at a time: how many were read is always said, and a button reads on.
//
//   const gather = gatherer({ what: "texts", read: (cell) => rows, onchange: (rows) => ... });
//   gather.show([3, 4, 5]);           // cells in the order in which they are read

import { getCell } from "./data.js";
import { el, replace, say } from "./dom.js";
import { number, plural } from "./words.js";

const STEP = 24;
const AT_ONCE = 6;

export function gatherer({ what, read, onchange }) {
  const said = el("span");
  const more = el("button", { type: "button", onclick: () => grow() });
  const node = el("p", { class: "gather" }, said, " ", more);
  let [cells, done, rows, turn] = [[], 0, [], 0];

  async function grow() {
    const mine = turn; // a later choice of cells makes this one void
    const part = cells.slice(done, done + STEP);
    more.disabled = true;
    for (let start = 0; start < part.length; start += AT_ONCE) {
      const group = part.slice(start, start + AT_ONCE);
      const found = await Promise.all(group.map((place) => getCell(place)));
      if (mine !== turn) return;
      group.forEach((place, i) => rows.push(...read(found[i]).map((row) => ({ ...row, cell: place }))));
    }
    done += part.length;
    tell();
    onchange(rows);
  }

  function tell() {
    const left = cells.length - done;
    const text = cells.length ? `Read ${what} of ${number(done)} of ${plural(cells.length, "cell")} that hold some.` : `No chosen cell holds ${what}.`;
    replace(said, text);
    more.hidden = left <= 0;
    more.disabled = false;
    more.textContent = `Read ${number(Math.min(STEP, left))} more`;
    say(text);
  }

  return {
    node,
    show(wanted) {
      if (wanted.length === cells.length && wanted.every((cell, i) => cell === cells[i]) && turn) {
        onchange(rows);
        return;
      }
      [cells, done, rows] = [wanted, 0, []];
      turn += 1;
      tell();
      onchange(rows);
      if (cells.length) grow().catch((error) => replace(said, `Cannot be read: ${error.message}`));
    },
  };
}
