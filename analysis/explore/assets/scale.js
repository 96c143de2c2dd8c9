// An axis: values to pixels, and the values that get a tick.
//
//   const x = scale({ values: [128, 256, 512], log: true, from: 60, to: 600 });
//   x.at(256), x.ticks                         // 330, [128, 256, 512]

const FEW = 7; // distinct values that all get a tick

export function scale({ values, log = false, from, to, low = null, high = null }) {
  const logged = log && values.every((value) => value > 0);
  const forward = logged ? Math.log : (value) => value;
  let [first, last] = [low ?? Math.min(...extremes(values)), high ?? Math.max(...extremes(values))].map(forward);
  if (first === last) [first, last] = logged ? [first - 1, last + 1] : [first - (Math.abs(first) || 1) / 10, last + (Math.abs(last) || 1) / 10];
  const pad = low === null ? (last - first) * 0.06 : 0;
  [first, last] = [first - pad, last + (high === null ? pad : 0)];
  const at = (value) => from + ((forward(value) - first) / (last - first)) * (to - from);
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  const all = distinct.length <= FEW && low === null;
  const ticks = all ? distinct : logged ? decades(Math.exp(first), Math.exp(last)) : rounds(first, last);
  return { at, ticks: apart(ticks, at) };
}

const extremes = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

function decades(low, high) {
  const found = [];
  const wide = Math.log10(high / low) > 3;
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) {
    for (const digit of wide ? [1] : [1, 2, 5]) if (digit * 10 ** power >= low && digit * 10 ** power <= high) found.push(digit * 10 ** power);
  }
  return found;
}

function rounds(low, high) {
  const rough = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * unit).find((size) => size >= rough);
  const found = [];
  for (let i = Math.ceil(low / step); i * step <= high + step / 1e6; i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

// Ticks whose labels would run into each other are left out, the first one kept.
function apart(ticks, at) {
  const kept = [];
  for (const tick of ticks) if (!kept.length || Math.abs(at(tick) - at(kept.at(-1))) >= 42) kept.push(tick);
  return kept;
}
