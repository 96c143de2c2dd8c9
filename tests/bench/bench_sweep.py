"""A sweep beside the work it must do: overhead over its stages' own times, two workers beside one, and a sweep run again.

    python tests/bench/bench_sweep.py [--pairs 3] [--warm-cells 1000] [--only shared]

`sweep-shared`: wall seconds of one worker from the command to its end, over the seconds that its stages took by their own
manifests (starting Python and planning are in ours alone). `sweep-parallel`: one worker's wall seconds over two workers'.
`sweep-warm`: seconds of the command when every cell is there. Each cold sweep has a store of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bench.harness import Cost, alternate, of_command, python, row, tell

TOKENS = 1_000_000
GRID = ("model=nano-xs,nano-s", "data_frac=0.125,0.25,0.5,1", "method=sft,rft", "k=1,4,16")
WORK = f"2 models of {TOKENS:,} tokens x 4 fractions x k in 1, 4, 16, SFT and RFT"
SMALL = (
    "model=nano-xs", "pretrain_tokens=100000", "method=icl", "data.num_train=64", "data.num_pool=256",
    "data.num_validation=16", "data.num_test=64", "data.eval_problems=16",
)  # fmt: skip


def sweep(scratch: Path, *words: str, workers: int = 1) -> Cost:
    """A sweep with its store and its study in a folder."""
    places = (f"store.root={scratch}/store", f"hydra.sweep.dir={scratch}/study", "study_name=bench")
    launcher = ("hydra/launcher=dag_local", f"hydra.launcher.workers={workers}", "hydra.launcher.threads=1")
    return of_command(python("-m", "rft.run", "-m", *places, *launcher, *words))


def cold(*, workers: int) -> tuple[Cost, Cost]:
    """A sweep in a new store, and its stages' own times as a cost."""
    with tempfile.TemporaryDirectory(prefix="bench-sweep-") as folder:
        whole = sweep(Path(folder), f"pretrain_tokens={TOKENS}", *GRID, workers=workers)
        own_s = sum(json.loads(path.read_bytes())["seconds"] for path in Path(folder, "store").rglob("manifest.json"))
        return whole, Cost(own_s, own_s)


def tell_shared(pairs: int) -> None:
    """One worker beside its stages."""
    costs = [cold(workers=1) for _ in range(pairs)]
    words = {"work": WORK, "against": "the sum of its unique stages' own times, in the same run"}
    tell(row("sweep-shared", costs, figure=lambda c: c.wall_s, unit="s", must=1.1, **words))


def tell_parallel(pairs: int) -> None:
    """One worker beside two."""
    costs = alternate(lambda: cold(workers=1)[0], lambda: cold(workers=2)[0], pairs=pairs)
    words = {"work": WORK + "; one worker", "against": "two workers"}
    tell(row("sweep-parallel", costs, figure=lambda c: c.wall_s, unit="s", must=1.8, **words))


def tell_warm(pairs: int, cells: int) -> None:
    """The same command again."""
    with tempfile.TemporaryDirectory(prefix="bench-warm-") as folder:
        words = (*SMALL, f"seed=range({cells})")
        first = sweep(Path(folder), *words, workers=2)
        costs = [(sweep(Path(folder), *words, workers=2), first) for _ in range(pairs)]
    work = {"work": f"{cells:,} finished cells run again", "against": "the first run of the same command"}
    tell(row("sweep-warm", costs, figure=lambda c: c.wall_s, unit="s", must_be=10.0, **work))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--warm-cells", type=int, default=1000)
    parser.add_argument("--only", choices=("shared", "parallel", "warm"))
    options = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "shared": lambda: tell_shared(options.pairs),
        "parallel": lambda: tell_parallel(options.pairs),
        "warm": lambda: tell_warm(options.pairs, options.warm_cells),
    }
    for name, part in parts.items():
        if options.only in (None, name):
            part()


if __name__ == "__main__":
    main()
