"""The embedded world's corpus and problems, beside the code before: processor seconds, and equal bytes.

python tests/bench/bench_corpus.py [--tokens 300000] [--problems 4000] [--pairs 5]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.baseline import code_before
from tests.bench.harness import REPOSITORY, Cost, alternate, of_command, python, row, tell

SCRIPT = Path(__file__).with_name("world_work.py")


def main() -> None:
    """Command line. Raises RuntimeError where the two codes make different bytes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=300_000)
    parser.add_argument("--problems", type=int, default=4_000)
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    with code_before() as before:
        for name, count, unit in (("corpus", options.tokens, "tokens"), ("data", options.problems, "problems")):

            def side(folder: Path, name: str = name, count: int = count) -> Cost:
                return of_command(python(str(SCRIPT), name, str(count)), folder=folder, units=count)

            costs = alternate(lambda: side(REPOSITORY), lambda: side(before), pairs=options.pairs)
            if len({cost.output for pair in costs for cost in pair}) > 1:
                raise RuntimeError(f"{name}: the code before made other bytes")
            found = row(
                name, costs, figure=lambda c: c.per_cpu_s, unit=f"{unit}/CPU s", must=4.0,
                work=f"{count:,} {unit}, the start included", against="the code before; equal bytes",
            )  # fmt: skip
            tell(found)


if __name__ == "__main__":
    main()
