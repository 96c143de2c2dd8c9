// Numbers and values as people read them.
//
//   number(1319)            // "1,319"
//   percent(44.579)         // "44.6 %"
//   value({ a: [1, 2] })    // '{"a":[1,2]}'

export const OUTCOMES = ["not at hand", "correct", "wrong", "no answer", "truncated"]; // by the byte of the outcomes document
export const LETTERS = { C: 1, W: 2, N: 3, T: 4 };
export const KINDS = { a: "arithmetic error", p: "plan error", l: "right by invalid reasoning" };
export const NOT_STORED = "text not stored in the study folder";

const formats = [0, 1, 2].map((digits) => new Intl.NumberFormat("en", { maximumFractionDigits: digits, minimumFractionDigits: digits }));

export const number = (x, digits = 0) => (x === null || x === undefined ? "" : formats[digits].format(x));

export const percent = (x) => (x === null || x === undefined ? "" : `${number(x, 1)} %`);

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// 7.7e11 as 7.7 × 10¹¹.
function power(x) {
  const [digits, exponent] = x.toExponential(1).split("e+");
  return `${digits.replace(".0", "")} × 10${[...exponent].map((digit) => RAISED[digit]).join("")}`;
}

export function short(x) {
  if (x === null || x === undefined) return "";
  const size = Math.abs(x);
  if (size >= 1e6) return power(x);
  if (size >= 1000) return number(x);
  return Number(x.toPrecision(3)).toString();
}

export function seconds(x) {
  if (x >= 5400) return `${number(x / 3600, 1)} h`;
  if (x >= 90) return `${number(x / 60, 1)} min`;
  return `${number(x, 1)} s`;
}

// Any value of a record, as one line of text.
export function value(x) {
  if (x === null || x === undefined) return "null";
  if (typeof x === "string") return x;
  return JSON.stringify(x);
}

export const plural = (count, word, many = `${word}s`) => `${number(count)} ${count === 1 ? word : many}`;
