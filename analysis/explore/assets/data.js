// Documents: fetched when they are needed, unpacked here, kept while they are likely to be needed again.
//
//   const index = await getIndex();
//   const cell = await getCell(3);
//   const { bytes } = await getOutcomes();      // a byte a cell and problem

const KEPT = 200; // documents of single cells in memory
const kept = new Map();

// A host may unpack .gz files itself, by Content-Encoding; the first two bytes tell.
async function unpacked(name) {
  const reply = await fetch(`data/${name}`);
  if (!reply.ok) throw new Error(`${name}: ${reply.status} ${(await reply.text()).slice(0, 300)}`);
  const buffer = await reply.arrayBuffer();
  const start = new Uint8Array(buffer, 0, Math.min(2, buffer.byteLength));
  if (start[0] !== 0x1f || start[1] !== 0x8b) return new Response(buffer);
  return new Response(new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip")));
}

function once(make) {
  let made = null;
  return () => {
    made ??= make().catch((error) => {
      made = null; // asked for again, it is tried again
      throw error;
    });
    return made;
  };
}

const json = async (name) => (await unpacked(name)).json();

export const getIndex = once(async () => {
  const index = await json("index.json.gz");
  index.place = new Map(index.cells.keys.map((key, place) => [key, place]));
  index.column = new Map(index.columns.map((column) => [column.name, column]));
  index.search = index.cells.titles.map((title, place) => `${title}\n${index.cells.ids[place]}`.toLowerCase());
  index.pointOf = new Map(index.points.cells.flatMap((cells, point) => cells.map((cell) => [cell, point])));
  return index;
});

export const getQuestions = once(async () => {
  const found = await json("questions.json.gz");
  found.place = new Map(found.ids.map((id, place) => [id, place]));
  found.search = found.ids.map((id, place) => `${found.texts[place] ?? ""}\n${id}`.toLowerCase());
  found.sets = found.shown.map((questions) => new Set(questions));
  return found;
});

// The outcomes of all cells. rows.get(cell) = { bytes, problems }: its outcome bytes and the questions they are of.
export const getOutcomes = once(async () => {
  const [questions, reply] = await Promise.all([getQuestions(), unpacked("outcomes.bin.gz")]);
  const bytes = new Uint8Array(await reply.arrayBuffer());
  const rows = new Map();
  let start = 0;
  for (const { problems, cells } of questions.blocks) {
    for (const cell of cells) {
      rows.set(cell, { bytes: bytes.subarray(start, start + problems.length), problems });
      start += problems.length;
    }
  }
  return { bytes, rows };
});

function keptJson(name) {
  const found = kept.get(name) ?? json(name);
  kept.delete(name);
  kept.set(name, found);
  found.catch(() => kept.delete(name));
  if (kept.size > KEPT) kept.delete(kept.keys().next().value);
  return found;
}

export const getCell = (place) => keptJson(`cells/${place}.json.gz`);
export const getDraws = (place) => keptJson(`draws/${place}.json.gz`);

// Cells that hold a text on a question.
export const cellsWithTexts = (questions, question) =>
  questions.shown_of.flatMap((set, cell) => (questions.sets[set].has(question) ? [cell] : []));
