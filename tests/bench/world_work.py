"""What benchmarks of the embedded world compute, by whichever code PYTHONPATH names: a digest of the output on its line.

python tests/bench/world_work.py corpus 60000
python tests/bench/world_work.py data 400
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from rft.config import WorldConfig
from rft.stages.corpus import Corpus
from rft.stages.stage import StageContext
from rft.text.world.graphs import WorldSplit
from rft.text.world.problems import world_problems

WORLD: dict[str, Any] = {
    "min_steps": 2, "max_steps": 3, "num_graphs": 128, "max_distractors": 0, "composed_frac": 0.15, "seed": 0,
}  # fmt: skip


def corpus(num_tokens: int) -> bytes:
    """The files of a corpus of so many tokens."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        nothing: Any = None  # a corpus asks for no more than where to write and whom to tell
        context = StageContext(out, nothing, report=lambda share: None, sampler=nothing, folder_of=nothing)
        Corpus(world=WORLD, num_tokens=num_tokens, singles=num_tokens // 10).run(context)
        return b"".join(path.read_bytes() for path in sorted(out.iterdir()) if path.suffix == ".npy")


def data(num_problems: int) -> bytes:
    """Training problems."""
    world = WorldConfig(**WORLD, human_style=0.9)
    return repr(world_problems(world, split=WorldSplit.POOL, count=num_problems)).encode()


if __name__ == "__main__":
    made = {"corpus": corpus, "data": data}[sys.argv[1]](int(sys.argv[2]))
    print(hashlib.sha256(made).hexdigest())
