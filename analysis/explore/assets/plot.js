// An interactive scatter of points with their intervals: drawn on a canvas, so that thousands stay quick; a frame of real
// text around it; and one link that lies over the point that the mouse is near or the arrow keys have moved to.
//
//   const plot = scatter();
//   plot.show({ points: [{ x, y, low, high, colour: 0, shape: 1, label }], href: (point) => "#/", xTitle, yTitle, log, description });
//
// Arrow keys: left and right to the next point along the axis, up and down among points of one x; Enter opens.

import { el, replace, svg } from "./dom.js";
import { scale } from "./scale.js";
import { trace } from "./shapes.js";
import { percent, short } from "./words.js";

const EDGE = { left: 52, right: 14, top: 12, bottom: 46 };
const HEIGHT = 380;
const STAMP = 14; // pixels around a marker
const NEAR = 18; // pixels from the mouse to a point

export function scatter() {
  const frame = svg("svg", { class: "frame", "aria-hidden": "true" });
  const canvas = el("canvas", { "aria-hidden": "true" });
  const cursor = el("a", { class: "cursor", href: "#/" });
  const tip = el("div", { class: "tip", "aria-hidden": "true", hidden: true });
  const area = el("div", { class: "plot", role: "group" }, frame, canvas, cursor, tip);
  const none = el("p", { class: "note" }, "No point of these cells has a value on this axis.");
  const state = { spec: null, placed: [], current: 0 };
  const draw = () => state.spec && drawAll({ area, frame, canvas, state, move });
  const move = (place, seen = true) => moveTo(place, { cursor, tip, state, seen });
  canvas.addEventListener("pointermove", (event) => move(nearest(event, canvas, state), true));
  canvas.addEventListener("click", (event) => nearest(event, canvas, state) !== null && cursor.click());
  area.addEventListener("pointerleave", () => (tip.hidden = true));
  cursor.addEventListener("focus", () => move(state.current));
  cursor.addEventListener("blur", () => (tip.hidden = true));
  cursor.addEventListener("keydown", (event) => stepped(event, state, move));
  new ResizeObserver(draw).observe(area);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return {
    node: el("div", {}, none, area),
    show(spec) {
      state.spec = spec;
      state.current = 0;
      none.hidden = spec.points.length > 0;
      area.hidden = !spec.points.length;
      area.setAttribute("aria-label", spec.description);
      draw();
    },
  };
}

function drawAll({ area, frame, canvas, state, move }) {
  const width = Math.max(240, area.clientWidth);
  const { points, log, xTitle, yTitle } = state.spec;
  if (!points.length || !area.clientWidth) return;
  const x = scale({ values: points.map((p) => p.x), log, from: EDGE.left, to: width - EDGE.right });
  const top = points.reduce((most, p) => Math.max(most, p.high ?? p.y), 0);
  const y = scale({ values: [0, top], from: HEIGHT - EDGE.bottom, to: EDGE.top, low: 0, high: Math.min(101, top * 1.06 + 1) });
  drawFrame(frame, { x, y, width, xTitle, yTitle });
  state.placed = placedOf(points, x, y);
  drawMarks(canvas, state.placed, width);
  move(Math.min(state.current, points.length - 1), false);
}

// Shapes of one x stand a little beside each other, else their intervals would hide one another.
function placedOf(points, x, y) {
  const shapes = [...new Set(points.map((p) => p.shape))].sort((a, b) => a - b);
  const step = Math.min(6, 30 / shapes.length);
  const aside = new Map(shapes.map((shape, i) => [shape, (i - (shapes.length - 1) / 2) * step]));
  const placed = points.map((p) => ({
    ...p, px: x.at(p.x) + aside.get(p.shape), py: y.at(p.y),
    ends: p.low === null || p.high === null ? null : [y.at(p.low), y.at(p.high)],
  }));
  return placed.sort((one, other) => one.x - other.x || one.y - other.y);
}

function drawFrame(frame, { x, y, width, xTitle, yTitle }) {
  const [bottom, right] = [HEIGHT - EDGE.bottom, width - EDGE.right];
  frame.setAttribute("width", width);
  frame.setAttribute("height", HEIGHT);
  const across = y.ticks.map((tick) => [
    svg("line", { class: "grid", x1: EDGE.left, x2: right, y1: y.at(tick), y2: y.at(tick) }),
    svg("text", { x: EDGE.left - 8, y: y.at(tick) + 4, "text-anchor": "end" }, short(tick)),
  ]);
  const along = x.ticks.map((tick) => [
    svg("line", { class: "tick", x1: x.at(tick), x2: x.at(tick), y1: bottom, y2: bottom + 5 }),
    svg("text", { x: x.at(tick), y: bottom + 19, "text-anchor": "middle" }, short(tick)),
  ]);
  replace(frame, across, along,
    svg("line", { class: "axis", x1: EDGE.left, x2: right, y1: bottom, y2: bottom }),
    svg("text", { class: "title", x: (EDGE.left + right) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, xTitle),
    svg("text", { class: "title", "text-anchor": "middle", transform: `translate(13 ${(EDGE.top + bottom) / 2}) rotate(-90)` }, yTitle));
}

function drawMarks(canvas, placed, width) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = HEIGHT * ratio;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${HEIGHT}px`;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const colours = Array.from({ length: 8 }, (_, i) => resolved(canvas, `--c${i}`));
  const ground = resolved(canvas, "--ground");
  drawBars(pen, placed, colours);
  drawMarkers(pen, placed, { colours, ground, ratio });
}

// Each marker is drawn once and then copied, to whole pixels and to each pixel once: ten thousand outlines would take half a
// second, and what lies under its like is not seen.
function drawMarkers(pen, placed, { colours, ground, ratio }) {
  const stamps = new Map();
  const drawn = new Set();
  for (const p of placed) {
    const [left, top] = [p.px, p.py].map((middle) => Math.round((middle - STAMP / 2) * ratio) / ratio);
    const name = `${p.colour % colours.length} ${p.shape}`;
    const place = `${name} ${left} ${top}`;
    if (drawn.has(place)) continue;
    drawn.add(place);
    if (!stamps.has(name)) stamps.set(name, stampOf(p.shape, colours[p.colour % colours.length], ground, ratio));
    pen.drawImage(stamps.get(name), left, top, STAMP, STAMP);
  }
}

function drawBars(pen, placed, colours) {
  pen.globalAlpha = 0.55;
  pen.lineWidth = 1.3;
  colours.forEach((colour, i) => {
    pen.strokeStyle = colour;
    pen.beginPath();
    for (const p of placed) {
      if (!p.ends || p.colour % colours.length !== i) continue;
      pen.moveTo(p.px, p.ends[0]);
      pen.lineTo(p.px, p.ends[1]);
    }
    pen.stroke();
  });
  pen.globalAlpha = 1;
}

function stampOf(shape, colour, ground, ratio) {
  const canvas = el("canvas", { width: STAMP * ratio, height: STAMP * ratio });
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.beginPath();
  trace(pen, shape, STAMP / 2, STAMP / 2, 5);
  pen.fillStyle = colour;
  pen.fill();
  pen.strokeStyle = ground;
  pen.stroke();
  return canvas;
}

// A canvas reads no light-dark(): the browser says which of the two colours it is.
function resolved(canvas, name) {
  canvas.style.color = `var(${name})`;
  return getComputedStyle(canvas).color;
}

function moveTo(place, { cursor, tip, state, seen }) {
  tip.hidden = place === null || !seen;
  if (place === null) return;
  const p = state.placed[place];
  state.current = place;
  cursor.style.left = `${p.px}px`;
  cursor.style.top = `${p.py}px`;
  cursor.href = state.spec.href(p);
  const interval = p.low === null ? "" : ` (${percent(p.low)} to ${percent(p.high)})`;
  const text = `${p.label}: ${percent(p.y)}${interval}, at ${short(p.x)}`;
  cursor.setAttribute("aria-label", text);
  replace(tip, el("strong", {}, p.label), el("br"), `${percent(p.y)}${interval}`);
  tip.classList.toggle("left", p.px > cursor.parentElement.clientWidth / 2);
  tip.style.left = `${p.px}px`;
  tip.style.top = `${p.py}px`;
}

function nearest(event, canvas, state) {
  const box = canvas.getBoundingClientRect();
  const [mx, my] = [event.clientX - box.left, event.clientY - box.top];
  let [best, found] = [NEAR * NEAR, null];
  state.placed.forEach((p, place) => {
    const distance = (p.px - mx) ** 2 + (p.py - my) ** 2;
    if (distance < best) [best, found] = [distance, place];
  });
  return found;
}

function stepped(event, state, move) {
  const { placed, current } = state;
  const here = placed[current];
  const ways = {
    ArrowRight: () => placed.findIndex((p) => p.x > here.x),
    ArrowLeft: () => placed.findLastIndex((p) => p.x < here.x),
    ArrowUp: () => (placed[current + 1]?.x === here.x ? current + 1 : -1),
    ArrowDown: () => (placed[current - 1]?.x === here.x ? current - 1 : -1),
    Home: () => 0,
    End: () => placed.length - 1,
  };
  if (!ways[event.key]) return;
  event.preventDefault();
  const next = ways[event.key]();
  if (next >= 0) move(next);
}
