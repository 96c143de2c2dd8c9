"""Processor seconds of short commands beside importing torch and transformers.

    python tests/bench/bench_start.py [--pairs 5]

The limit is the bare interpreter.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.harness import Cost, alternate, of_command, python, row, tell

RFT = ("-c", "import rft.cli; rft.cli.main()")
PEER = ("-c", "import torch, transformers")
OURS = {  # name -> (command, most that the ratio may be)
    "start": (("-m", "rft.run", "--help"), 0.1),
    "start-plot-help": (("analysis/plot_scaling.py", "--help"), 0.03),
    "start-rft-help": ((*RFT, "--help"), None),
    "start-completion": ((*RFT, "-sc", "query=bash"), None),
    "start-plan": ((*RFT, "plan"), None),
}


def cost(arguments: tuple[str, ...]) -> Cost:
    """Of one command."""
    with tempfile.TemporaryDirectory() as scratch:
        completion = {"COMP_LINE": "rft run model=n", "RFT_SCRATCH": scratch}
        return of_command(python(*arguments), environment=completion)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=OURS, default=list(OURS))
    options = parser.parse_args()
    pairs = options.pairs
    cost(PEER)  # fills the caches of the disk
    bare = statistics.median(cost(("-c", "pass")).cpu_s for _ in range(pairs))
    for name in options.only:
        arguments, most = OURS[name]
        costs = alternate(lambda: cost(arguments), lambda: cost(PEER), pairs=pairs)  # noqa: B023 (called at once)
        found = row(
            name, costs, figure=lambda c: c.cpu_s, unit="CPU s", limit=bare, must=most,
            work=" ".join(arguments), against="import torch, transformers", limit_is="the bare interpreter",
        )  # fmt: skip
        tell(found)


if __name__ == "__main__":
    main()
