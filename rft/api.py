"""The library behind the command `rft`, for scripts and notebooks: plan a cell, run it, read studies, fit and draw.

    from rft import api

    cell = api.plan("model=nano-xs", "method=sft", "data_frac=0.5", study="mine")
    print(cell.text)                                       # stages, what is finished, tokens, time
    record = api.run(cell)                                 # computes what is missing
    results = api.read("multirun_outputs/mine")
    for fit in api.fit(api.where(results, method="sft")):
        print(fit.what, fit.line)
    api.draw(results, out="figures")

Everything else in the package may change from one version to the next; examples/ uses this module alone. Nothing slow is
imported before it is needed, and the analysis only by the functions that need it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rft.folders import OUTPUTS
from rft.records import Record, read_json

if TYPE_CHECKING:
    from pandas import DataFrame

    from analysis.compare.fits import SeriesFit
    from analysis.load.cells import Missing
    from analysis.load.outcomes import Outcomes
    from analysis.load.points import Point
    from rft.execute.planned import PlannedCell

DEFAULT_STUDY = "api"


@dataclass(frozen=True)
class PlannedStage:
    """One stage of a planned cell."""

    label: str  # 'finetune nano-xs sft'
    key: str  # its identity, the same on every machine
    finished: bool  # when it was planned: found in the store


@dataclass(frozen=True)
class Plan:
    """A planned cell: one model, method, data fraction, k and seed."""

    cell_id: str  # unique in its study
    folder: Path  # where its record will lie
    stages: tuple[PlannedStage, ...]  # in dependency order
    text: str  # the plan as `rft plan` prints it
    planned: PlannedCell  # what `run` needs


@dataclass(frozen=True)
class Results:
    """What studies hold: a point for each setting, over its replicates."""

    points: tuple[Point, ...]
    outcomes: Outcomes  # per problem, for paired comparisons
    missing: tuple[Missing, ...]  # cells without a usable record, with the reason
    notes: tuple[str, ...] = ()  # what was found on reading

    def to_frame(self) -> DataFrame:
        """A pandas frame (extra `frame`): the rows of records.csv, with a column for every key, seed and score."""
        from analysis.load.cells import Table
        from analysis.tables.results import records_rows

        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ValueError("to_frame needs pandas: pip install 'rft-scaling[frame]', or read records.csv") from error
        table = Table(tuple(cell for point in self.points for cell in point.cells))
        columns, rows = records_rows(table, self.outcomes)
        return DataFrame(rows, columns=columns)


def plan(*overrides: str, study: str = DEFAULT_STUDY, config_dir: Path | str | None = None) -> Plan:
    """Plan one cell from `key=value` overrides, as on the command line. Computes and writes nothing.

    `config_dir` has configuration files of your own. Raises ValueError for what cannot work, with what is allowed.
    """
    from rft.execute.cell import plan_cell
    from rft.execute.telling import plan_told
    from rft.infra.stores import open_store
    from rft.plan.composing import composed
    from rft.plan.typed import to_study_config

    cfg = to_study_config(composed([*overrides, f"study_name={study}"], config_dir=config_dir))
    planned, store = plan_cell(cfg), open_store(cfg.store)
    return Plan(
        cell_id=planned.plan.cell_id,
        folder=OUTPUTS / study / planned.plan.cell_id,
        stages=tuple(PlannedStage(s.label, s.key, store.has(s.kind, s.key)) for s in planned.plan.stages),
        text=plan_told([planned], store=store),
        planned=planned,
    )


def run(cell: Plan) -> Record:
    """Compute what the cell lacks and write its record into its study, or find it finished.

    Raises what a failing stage raises; the reason stands in the cell's folder then.
    """
    from rft.execute.cell import run_cell

    path = run_cell(cell.planned, study_folder=cell.folder.parent)
    if path is None:
        raise ValueError(f"{cell.cell_id} was planned with dry_run=true: leave that out to run it")
    return Record.from_json(read_json(path))


def records(folder: Path | str) -> list[Record]:
    """The finished records of one study, as they were written. Raises ValueError for one that was edited since."""
    from rft.archive.files import present
    from rft.archive.sound import sound_record
    from rft.infra.study import Study
    from rft.records import RECORD_FILE

    study = Study(Path(folder), Path(folder).name)
    if not study.cells():
        raise ValueError(f"{folder} is no study with cells: give a folder below {OUTPUTS} that a run has written")
    paths = [study.path_of(entry["folder"]) / RECORD_FILE for entry in study.cells()]
    return [sound_record(path.parent) for path in paths if present(path)]


def read(*folders: Path | str, test_set: str | None = None, sweep: str | None = None) -> Results:
    """The points of one or more studies on ONE test set (by default each cell's own), checked against their outcomes.

    `sweep`: only the cells of one sweep, by number or `latest`. Raises ValueError for a folder that is no study.
    """
    from analysis.load.checks import verified
    from analysis.load.points import make_points
    from analysis.load.studies import load_studies

    table, outcomes = verified(load_studies([Path(folder) for folder in folders], test_set=test_set, sweep=sweep))
    return Results(tuple(make_points(table.cells, outcomes)), outcomes, table.missing, table.notes)


def where(
    results: Results,
    *,
    model: str | None = None,
    data: str | None = None,
    method: str | None = None,
    data_frac: float | None = None,
    k: int | None = None,
    setting: Mapping[str, Any] | None = None,
) -> Results:
    """The points with these values; None asks for nothing. `setting` has any other key, by dotted path: {"train.epochs": 4}.

    Raises ValueError for a key or a value that no point has: a slip would leave nothing over, without a word.
    """
    from analysis.load.query import value_of
    from analysis.load.query import where as select

    wanted = {"model": model, "data": data, "method": method, "data_frac": data_frac, "k": k}
    asked = {name: value for name, value in wanted.items() if value is not None} | dict(setting or {})
    points = results.points
    for name, value in asked.items():
        if not select(points, **{name: value}):
            known = sorted({repr(value_of(point.cell, name)) for point in points})
            raise ValueError(f"no point has {name}={value!r}; there are {', '.join(known) or 'no points at all'}")
    return replace(results, points=tuple(select(points, **asked)))


def interval(point: Point, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a point's accuracy in percent; `point.estimate.kind` says what it holds."""
    from analysis.load.points import accuracy_interval

    return accuracy_interval(point.estimate, level=level)


def fit(results: Results) -> list[SeriesFit]:
    """Accuracy in percent on log2 of the human examples: a line for each base and method, or why there is none."""
    from analysis.compare.fits import fit_series
    from analysis.load.labels import series_by_label
    from analysis.load.names import base_names

    trained = [point for point in results.points if point.mean_of("num_human")]
    found = []
    for base, name in base_names(point.cell for point in trained).items():
        for label, members in series_by_label([p for p in trained if p.cell.base == base]).items():
            found.append(fit_series(members, _doublings, results.outcomes, what=f"{name}, {label}"))
    return found


def _doublings(point: Point) -> float:
    return math.log2(point.mean_of("num_human") or 1)


def draw(results: Results, *, out: Path | str) -> list[Path]:
    """Draw every figure that the points allow, as PNG, SVG and PDF with fits.json; returns the PNG files."""
    from analysis.figures.drawing import Drawing
    from analysis.study import draw_all, save_drawings

    drawings = draw_all(results.points, results.outcomes)
    save_drawings(drawings, out=Path(out))
    return [Path(out) / f"{drawing.name}.png" for drawing in drawings if isinstance(drawing, Drawing)]
