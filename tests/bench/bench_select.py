"""Selection from sampled solutions beside the paper's way of doing it: seconds of a processor, memory, and equal rows.

    python tests/bench/bench_select.py GSM8K_TRAIN.jsonl [--questions 7473] [--draws 100] [--pairs 5]

Both sides read one file of solutions (tests/bench/select_rows.py) and write what they keep; `rft.select --compat
paper_script` keeps the rows that the plain way keeps. Needs `editdistance`, which the
paper's script uses: pip install editdistance.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.harness import GSM8K, Cost, alternate, of_command, python, row, tell
from tests.bench.select_rows import sampled_rows


def kept_rows(path: Path) -> list[tuple[str, int, str]]:
    """What a side kept, in one order for both."""
    with open(path, encoding="utf-8") as file:
        return sorted((found["id"], found["draw"], found["key"]) for found in map(json.loads, file))


def main() -> None:
    """Command line. Raises RuntimeError where the two keep other rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?", default=GSM8K)
    parser.add_argument("--questions", type=int, default=7473)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    if find_spec("editdistance") is None or not options.source.is_file():
        sys.exit(
            f"bench_select needs the package editdistance and GSM8K's training file, looked for at {options.source}"
        )
    with tempfile.TemporaryDirectory(prefix="bench-select-") as scratch:
        rows, ours, theirs = (Path(scratch, name) for name in ("rows.jsonl", "ours.jsonl", "theirs.jsonl"))
        with open(rows, "w", encoding="utf-8") as file:
            drawn = sampled_rows(options.source, draws=options.draws, questions=options.questions, seed=0)
            count = sum(bool(file.write(json.dumps(one) + "\n")) for one in drawn)
        command = ("-m", "rft.select", str(rows), "--out", str(ours), "--compat", "paper_script")
        plain = (str(Path(__file__).with_name("plain_select.py")), str(rows), str(theirs))

        def side(arguments: tuple[str, ...]) -> Cost:
            return of_command(python(*arguments), units=count)

        costs = alternate(lambda: side(command), lambda: side(plain), pairs=options.pairs)
        if kept_rows(ours) != kept_rows(theirs):
            raise RuntimeError("the plain way keeps other rows")
        kept = len(kept_rows(ours))
    words = {
        "work": f"{count:,} solutions to {options.questions:,} questions, {kept:,} kept",
        "against": "the released script's way; equal rows",
    }
    tell(row("select", costs, figure=lambda c: c.per_cpu_s, unit="solutions/CPU s", must=10.0, **words))
    tell(row("select-time", costs, figure=lambda c: c.wall_s, unit="s", must_be=15.0, **words))
    tell(row("select-memory", costs, figure=lambda c: c.peak_bytes / 2**30, unit="GiB", must_be=2.0, **words))


if __name__ == "__main__":
    main()
