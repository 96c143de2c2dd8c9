// Elements from plain values. Every text becomes a text node: nothing here or elsewhere in the page parses HTML.
//
//   el("p", { class: "note" }, "a < b")             // <p class="note">a &lt; b</p>
//   el("button", { onclick: () => go() }, "Go")     // a function is a listener
//   replace(node, el("h1", {}, "Cells"))            // in place of all that it held

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : String(child));
  }
}

export const el = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

export const svg = (name, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

// Text that only screen readers say.
export const unseen = (text) => el("span", { class: "hidden" }, text);

// A list of names with values; pairs whose value is nothing are left out.
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

let numbered = 0;
export const newId = () => `n${++numbered}`;

// Said once by screen readers, after what changed.
export function say(text) {
  document.getElementById("status").textContent = text;
}
