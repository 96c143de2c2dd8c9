"""The paper's selection as its released script goes about it: one question after the other, every text read as it comes.

    python tests/bench/plain_select.py ROWS.jsonl KEPT.jsonl

The oracle's functions (tests/oracle/paper_selection.py: regular expression, comparison of floats, arithmetic through `ast`)
with `editdistance`, which the script uses, in the place of the oracle's slow distance; nothing is kept between calls.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import editdistance

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.oracle import paper_selection


def main(source: Path, out: Path) -> None:
    """Select, and write the kept rows."""
    paper_selection.levenshtein = editdistance.eval
    with open(source, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    kept = paper_selection.select(rows, "released", current="incumbent")
    with open(out, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in kept)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
