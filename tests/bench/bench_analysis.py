"""10,000 records with 1,319 outcomes each: loaded, fitted, drawn. Under 60 s and 4 GiB.

    python tests/bench/bench_analysis.py [--cells 10000]

Prints one JSON object per line: {"name": "analysis", "ours": 31.2, "peer": 60, "unit": "s", ...} and the parts' times.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[2])]

from synthetic_study import Truth, cell_name, grid, item_chances, make_record  # noqa: E402

from rft.records import Score, write_json, write_jsonl  # noqa: E402

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


def measure(folder: Path) -> dict[str, float]:
    """Seconds of each part, in one fresh process' worth of work."""
    marks = {"start": time.perf_counter()}
    from analysis.claims.run import run_claims, study_view
    from analysis.load.checks import verified
    from analysis.load.points import make_points
    from analysis.load.studies import load_studies
    from analysis.study import draw_all, save_drawings

    table, outcomes = verified(load_studies([folder]))
    marks["load"] = time.perf_counter()
    points = make_points(table.cells, outcomes)
    claims = run_claims(study_view(points, outcomes))
    marks["fit"] = time.perf_counter()
    save_drawings(draw_all(points, outcomes, claims=claims), out=folder / "figures")
    marks["draw"] = time.perf_counter()
    names = list(marks)
    return {name: marks[name] - marks[before] for before, name in pairwise(names)}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Time and memory of the analysis at 10,000 records.")
    parser.add_argument("--cells", type=int, default=10_000)
    cells = parser.parse_args().cells
    scratch = Path(tempfile.mkdtemp(prefix="bench-analysis-"))
    try:
        write_records(scratch / "study", num_cells=cells)
        parts = measure(scratch / "study")
    finally:
        shutil.rmtree(scratch)
    total = sum(parts.values())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"name": "analysis", "ours": round(total, 1), "peer": 60, "unit": "s", "ratio": round(60 / total, 2), "n": cells}))  # fmt: skip # noqa: E501
    print(json.dumps({"name": "analysis-memory", "ours": round(memory, 2), "peer": 4, "unit": "GiB", "ratio": round(4 / memory, 2), "n": cells}))  # fmt: skip # noqa: E501
    print(json.dumps({"name": "analysis-parts", "unit": "s", **{k: round(v, 1) for k, v in parts.items()}}))


if __name__ == "__main__":
    main()
