// Markers, one shape a method: the same outline on a canvas and in a legend.
//
//   trace(pen, 2, x, y, 5);          // a triangle's path
//   swatch({ shape: 2 })             // an icon for a legend

import { svg } from "./dom.js";

const corners = (count, turn) =>
  Array.from({ length: count }, (_, i) => [Math.sin((2 * Math.PI * i) / count + turn), -Math.cos((2 * Math.PI * i) / count + turn)]);
const star = (points) =>
  corners(2 * points, 0).map(([x, y], i) => (i % 2 ? [0.45 * x, 0.45 * y] : [x, y]));

const SHAPES = [
  corners(24, 0), // a disc
  corners(4, Math.PI / 4), // a square
  corners(3, 0), // a triangle
  corners(4, 0), // a diamond
  corners(3, Math.PI),
  star(5),
  corners(6, 0),
  star(4),
  corners(5, 0),
  star(3),
];

const outline = (shape, x, y, size) => SHAPES[shape % SHAPES.length].map(([dx, dy]) => [x + size * dx, y + size * dy]);

export function trace(pen, shape, x, y, size) {
  outline(shape, x, y, size).forEach(([px, py], i) => (i ? pen.lineTo(px, py) : pen.moveTo(px, py)));
  pen.closePath();
}

export function swatch({ shape = 1, colour = null }) {
  const points = outline(shape, 7, 7, 6).map((pair) => pair.join(",")).join(" ");
  const name = colour === null ? "swatch plain" : `swatch c${colour % 8}`;
  return svg("svg", { class: name, width: 14, height: 14, "aria-hidden": "true" }, svg("polygon", { points }));
}
