"""The figure of simulated sweeps: stages at work over time, and how long each run takes beside what no schedule beats.

python tests/scaling/sweep_figure.py docs/simulated-sweep.json docs/simulated-sweep.png
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def draw(told: dict[str, Any], path: Path) -> None:
    """One line and one bar for each run."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    runs, first = told["runs"], told["runs"][0]
    figure, (over_time, bars) = plt.subplots(1, 2, figsize=(10, 3.4), width_ratios=(3, 2))
    for run in runs:
        over_time.step(
            run["at_work"]["hours"], run["at_work"]["stages"], where="post", linewidth=0.9, label=_label(run)
        )
    over_time.axvline(first["bound_h"], color="black", linestyle="--", linewidth=0.8, label="bound")
    over_time.set_xlabel("simulated hours")
    over_time.set_ylabel("stages at work")
    over_time.set_title(
        f"{told['cells']:,} cells, {first['stages']:,} stages, {first['workers']:,} workers", fontsize=9
    )
    over_time.legend(loc="lower left", fontsize=7)
    rows = [("longest chain", first["chain_h"], ""), ("bound", first["bound_h"], "")]
    rows += [(_label(run), run["makespan_h"], f" +{run['over_bound']:.2%}, idle {run['idle']:.2%}") for run in runs]
    for place, (_, hours, said) in enumerate(rows):
        bars.barh(place, hours, color="0.6" if place < 2 else f"C{place - 2}")
        bars.text(0.4, place, f"{hours:.2f} h{said}", va="center", fontsize=7)
    bars.set_yticks(range(len(rows)), [name for name, _, _ in rows], fontsize=7)
    bars.set_xlabel("simulated hours")
    spent = f"{first['start_us']:.0f} us before the first, {first['stage_us']:.0f} us to choose and end it"
    bars.set_title(f"graph code a stage, one core:\n{spent}", fontsize=7)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def _label(run: dict[str, Any]) -> str:
    return f"engine adds {run['latency_s']:g} s a stage"


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
