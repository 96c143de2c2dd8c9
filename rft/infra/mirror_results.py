"""What W&B shows of results: a cell's summary and solutions, the sweep's tables, the figures; all from the study's folder.

digest, extra = cell_extra(plan, max_samples=32)        # of record.json; (digest, None) where it cannot be read
num_cells, tables = sweep_tables(study_folder)          # {'results': (columns, rows), 'missing': (columns, rows)}
images = drawn_figures(study_folder)                    # {'accuracy_vs_data': Path(...png)}
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rft.infra.study import Study
from rft.infra.tracking import RunPlan
from rft.infra.wandb_runs import Extra, Table
from rft.records import RECORD_FILE, SHOWN_FILE, Record, read_json, read_jsonl

TABLE_COLUMNS = ("id", "question", "gold", "text", "outcome", "source", "model", "draw", "kept", "reason")
FIGURES_TIMEOUT_S = 300.0
FIRST_COLUMNS = ("cell", "maj1@1", "se", "n", "flops", "seconds")


def cell_extra(plan: RunPlan, *, max_samples: int) -> tuple[str, Extra | None]:
    """The digest of a cell's record, and what W&B is told of it."""
    assert plan.cell is not None
    try:
        content = (plan.cell / RECORD_FILE).read_bytes()
        record = Record.from_json(json.loads(content))
        shown = list(read_jsonl(plan.cell / SHOWN_FILE))[:max_samples]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return "", None
    rows = [[row.get(name) for name in TABLE_COLUMNS] for row in shown]
    digest = hashlib.sha256(content).hexdigest()[:16]
    return digest, Extra(summary=summary_metrics(record), tables={"samples": (TABLE_COLUMNS, rows)})


def summary_metrics(record: Record) -> dict[str, Any]:
    """Flat metrics of a record: fractions in [0, 1] with their standard errors, counts, losses, costs."""
    flat: dict[str, Any] = {}
    for name, score in (record.scores | record.rates).items():
        flat |= _score(f"eval/{name}", score)
    for one in record.sets:
        for name, score in (one.scores | one.rates).items():
            flat |= _score(f"eval/{one.name}/{name}", score)
    flat |= {f"data/{name}": value for name, value in record.data.items() if isinstance(value, int | float)}
    flat |= {f"drop/{name}": count for name, count in record.data.get("drop_counts", {}).items()}
    flat |= {f"model/{name}": value for name, value in record.model.items() if isinstance(value, int | float)}
    flat["cost/flops"] = sum(cost.used * cost.flops for cost in record.cost)
    flat["cost/seconds"] = sum(cost.used * cost.seconds for cost in record.cost)
    return flat


def _score(place: str, score: Any) -> dict[str, Any]:
    return {place: score.value, f"{place}_se": score.se, f"{place}_n": score.n}


def sweep_tables(folder: Path) -> tuple[int, dict[str, Table]]:
    """The number of finished cells; a row for each, and a row for each cell without a record, with the reason."""
    study = Study(folder, folder.name)
    _, missing = study.summary()  # also of edited records, and of another cell's
    records = []
    for entry in study.cells():
        path = folder / entry["folder"] / RECORD_FILE
        if path.is_file() and entry["cell_id"] not in missing:
            try:
                records.append(Record.from_json(read_json(path)))
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                continue
    return len(records), {
        "results": _results(records),
        "missing": (("cell", "reason"), [[cell, reason] for cell, reason in missing.items()]),
    }


def _results(records: list[Record]) -> Table:
    """What differs between cells, and their results; names first."""
    settings = [flat_config({**one.names, **one.setting, **one.seeds}) for one in records]
    keys = list(dict.fromkeys(key for one in settings for key in one))
    varied = [key for key in keys if len({json.dumps(one.get(key), default=str) for one in settings}) > 1]
    rows = []
    for one, setting in zip(records, settings, strict=True):
        metrics, score = summary_metrics(one), one.scores["maj1@1"]
        told = [one.cell_id, score.value, score.se, score.n, metrics["cost/flops"], metrics["cost/seconds"]]
        rows.append([*told, *(None if (v := setting.get(key)) is None else str(v) for key in varied)])
    return (*FIRST_COLUMNS, *varied), rows


def flat_config(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys as dotted ones: what W&B groups and filters by."""
    flat: dict[str, Any] = {}
    for name, one in value.items():
        flat |= flat_config(one, f"{prefix}{name}.") if isinstance(one, Mapping) and one else {f"{prefix}{name}": one}
    return flat


def drawn_figures(folder: Path) -> dict[str, Path]:
    """Every figure that the study allows, drawn into a folder that is removed with the process's temporary files."""
    out = Path(tempfile.mkdtemp(prefix="rft-figures-"))
    command = [sys.executable, "-m", "analysis.plot_scaling", str(folder), "--out", str(out)]
    try:
        subprocess.run(command, check=True, timeout=FIGURES_TIMEOUT_S, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return {}
    return {path.stem: path for path in sorted(out.glob("*.png"))}
