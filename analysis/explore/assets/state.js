// The state of the page stands in its address, behind the #, so that every view can be shared and gone back to.
//
//   read()                                       // { page: "cell", params: URLSearchParams("c=nano-s_sft...") }
//   link("cell", { c: "nano-s_sft..." })         // "#/cell?c=nano-s_sft..."
//   change({ sort: "accuracy" })                 // the same page with another value; null takes one away

const listeners = [];

export function read() {
  const [page, query] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { page: page || "overview", params: new URLSearchParams(query ?? "") };
}

export function link(page, params = {}) {
  const query = new URLSearchParams();
  for (const [name, found] of Object.entries(params)) {
    for (const one of [found].flat()) if (one !== null && one !== undefined && one !== "") query.append(name, one);
  }
  const text = query.toString();
  return `#/${page}${text ? `?${text}` : ""}`;
}

// With `replace` no step back is added: for what is typed letter by letter.
export function change(changes, { replace = false } = {}) {
  const { page, params } = read();
  for (const [name, found] of Object.entries(changes)) {
    params.delete(name);
    for (const one of [found].flat()) if (one !== null && one !== undefined && one !== "") params.append(name, one);
  }
  const text = params.toString();
  const address = `#/${page}${text ? `?${text}` : ""}`;
  if (address === location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  for (const listener of listeners) listener();
}

export function listen(listener) {
  listeners.push(listener);
  window.addEventListener("hashchange", listener);
  window.addEventListener("popstate", listener);
}
