// The loss of a cell's fine-tuning over its steps.
//
//   curve([{ step: 1, loss_nats: 2.1, lr: 0.001 }, ...])      // null: not stored

import { el, svg } from "./dom.js";
import { scale } from "./scale.js";
import { number, short } from "./words.js";

const [WIDTH, HEIGHT] = [640, 220];
const EDGE = { left: 52, right: 12, top: 10, bottom: 40 };

export function curve(rows) {
  const points = (rows ?? []).filter((row) => Number.isFinite(row.step) && Number.isFinite(row.loss_nats));
  if (points.length < 2) {
    const why = rows === null ? "The study folder holds no curve of this cell: nothing was trained, or it is from before folders kept curves (then it lies beside the weights, in the stage store)." : "Nothing was trained, or in fewer than two steps.";
    return el("p", { class: "note" }, why);
  }
  const x = scale({ values: points.map((row) => row.step), from: EDGE.left, to: WIDTH - EDGE.right });
  const y = scale({ values: points.map((row) => row.loss_nats), from: HEIGHT - EDGE.bottom, to: EDGE.top });
  const path = points.map((row, i) => `${i ? "L" : "M"}${x.at(row.step).toFixed(1)} ${y.at(row.loss_nats).toFixed(1)}`).join("");
  const [first, last] = [points[0], points.at(-1)];
  const words = `Loss over ${number(last.step)} steps: from ${short(first.loss_nats)} to ${short(last.loss_nats)} nats per target token.`;
  return el("figure", {},
    svg("svg", { class: "frame curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": words },
      y.ticks.map((tick) => [
        svg("line", { class: "grid", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: y.at(tick), y2: y.at(tick) }),
        svg("text", { x: EDGE.left - 8, y: y.at(tick) + 4, "text-anchor": "end" }, short(tick)),
      ]),
      x.ticks.map((tick) => svg("text", { x: x.at(tick), y: HEIGHT - EDGE.bottom + 18, "text-anchor": "middle" }, short(tick))),
      svg("path", { class: "line", d: path }),
      svg("text", { class: "title", x: WIDTH / 2, y: HEIGHT - 6, "text-anchor": "middle" }, "optimiser step")),
    el("figcaption", {}, words));
}
