"""10,000 records with 1,319 outcomes each: loaded, fitted, drawn. Under 20 s.

    python tests/bench/bench_analysis.py [--cells 10000] [--pairs 5] [--study FOLDER]

Beside the analysis before its speed was worked on, on the same records, each run in a process of its own; it draws fewer
figures, so that it has less to do. The limit is to read the same files: outcomes unpacked and records parsed. `--study`:
records that an earlier run has written there.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from synthetic_study import Truth, cell_name, grid, item_chances, make_record  # noqa: E402

from rft.records import Score, write_json, write_jsonl  # noqa: E402
from tests.bench.baseline import code_before  # noqa: E402
from tests.bench.harness import REPOSITORY, Cost, alternate, of_command, python, row, tell  # noqa: E402

NUM_ITEMS = 1319


def write_records(folder: Path, *, num_cells: int) -> None:
    """A study of `num_cells` finished cells (written without fsync: writing is not what is measured)."""
    truth = Truth(num_items=NUM_ITEMS)
    rng = np.random.default_rng(0)
    difficulty = rng.normal(0, truth.item_sd, NUM_ITEMS)
    shape = grid(
        models=("nano-xs", "nano-s", "nano-m", "nano-l"),
        fracs=(1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0),
        ks=(1, 4, 16, 64),
        methods=("icl", "sft", "sft_matched", "oracle_paths", "fresh_human", "rft"),
    )
    chances = [item_chances(max(1.0, truth.accuracy(spec)), difficulty) for spec in shape]
    folder.mkdir(parents=True)
    entries = []
    for place in range(num_cells):
        spec = {**shape[place % len(shape)], "seed": place // len(shape)}
        cell_id = cell_name(spec)
        right = rng.random(NUM_ITEMS) < chances[place % len(shape)]
        here = folder / str(place)
        here.mkdir()
        outcomes = ({"outcome": "C", "answer": "51"} if hit else {"outcome": "W", "answer": "7"} for hit in right)
        rows = ({"id": f"t-{i:04x}", "gold": "51", "greedy": greedy} for i, greedy in enumerate(outcomes))
        write_jsonl(here / "outcomes.jsonl.gz", rows)
        score = Score.binomial(int(right.sum()), NUM_ITEMS)
        record = make_record(spec, cell_id=cell_id, score=score, truth=truth).to_json()
        (here / "record.json").write_text(json.dumps(record))
        entries.append({"cell_id": cell_id, "folder": str(place)})
    write_json(folder / "study.json", {"schema_version": 2, "study": "bench", "group": "bench", "cells": entries})


def analysed(code: Path, study: Path, *, out: Path) -> Cost:
    """The analysis of the code in a folder, figures written to `out`."""
    return of_command(python(str(Path(__file__).with_name("analysis_work.py")), str(study), str(out)), folder=code)


def read_alone(study: Path) -> float:
    """Processor seconds of unpacking and parsing all files."""
    started_s = time.process_time()
    for path in study.glob("*/record.json"):
        json.loads(path.read_bytes())
        gzip.decompress((path.parent / "outcomes.jsonl.gz").read_bytes())
    return time.process_time() - started_s


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Time and memory of the analysis at 10,000 records.")
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--study", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-analysis-") as folder, code_before() as before:
        study, ours, theirs = options.study or Path(folder, "study"), Path(folder, "ours"), Path(folder, "theirs")
        if options.study is None:
            write_records(study, num_cells=options.cells)
        costs = alternate(
            lambda: analysed(REPOSITORY, study, out=ours),
            lambda: analysed(before, study, out=theirs),
            pairs=options.pairs,
        )
        limit = read_alone(study)
    words = {"work": f"load, fit and draw {options.cells:,} records", "against": "the analysis before, fewer figures"}
    tell(
        row(
            "analysis",
            costs,
            figure=lambda c: c.cpu_s,
            unit="CPU s",
            limit=limit,
            must_be=20.0,
            limit_is="reading the files",
            **words,
        )
    )
    tell(row("analysis-memory", costs, figure=lambda c: c.peak_bytes / 2**30, unit="GiB", **words))


if __name__ == "__main__":
    main()
