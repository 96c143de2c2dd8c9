"""maj@k and pass@k: one standard error and interval wherever they are shown, and whether it covers a known truth."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.explore.index import points as explored
from analysis.explore.opened import open_study
from analysis.figures.drawing import Drawing
from analysis.figures.votes import votes_against_k
from analysis.load.cells import Cell, Table
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes, greedy_of
from analysis.load.points import make_points, score_of, share_interval
from analysis.load.studies import load_studies
from analysis.tables.grids import paper_tables
from analysis.tables.results import records_csv, results_rows
from rft.archive.files import rows_at
from rft.records import Score
from rft.votes import Tally, pool_scores

K = 8
NAMES = {"pass@1": ("pass", "1"), f"maj1@{K}": ("maj", str(K)), f"pass@{K}": ("pass", str(K))}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """nano-s of one run, nano-m of three draws of two replicates."""
    specs = [{**spec, "pretrain_seed": 0} for spec in grid(models=("nano-s",), fracs=(1.0,), methods=("sft",))]
    specs += grid(models=("nano-m",), fracs=(1.0,), methods=("sft",), seeds=range(2), draws=range(3))
    truth = Truth(num_items=120, draw_sd=2.0, replicate_sd=1.0, item_sd=1.5)
    return write_study(tmp_path_factory.mktemp("voted") / "s", specs=specs, truth=truth, vote_k=K)


def test_the_error_of_one_run_is_that_of_its_single_problems(study: Path) -> None:
    """It was binomial, twice too wide: a problem's share of right draws is no coin. Here by hand, from the file."""
    table, outcomes = verified(load_studies([study]))
    (cell,) = (c for c in table.cells if c.model == "nano-s")
    shares = [row["draws"]["outcomes"].count("C") / K for row in rows_at(cell.outcomes_path or Path())]
    found = score_of([cell], "pass@1", outcomes)
    assert found is not None
    assert found.value == pytest.approx(100 * np.mean(shares))
    assert found.se == pytest.approx(100 * np.std(shares, ddof=1) / np.sqrt(len(shares)))
    without = score_of([cell], "pass@1", Outcomes({}, {}))
    assert without is not None
    assert without.se > 1.5 * found.se, "the bound, where no vote is at hand"


def test_tables_records_explorer_and_figure_show_one_error_and_one_interval(study: Path) -> None:
    table, outcomes = verified(load_studies([study]))
    points = make_points(table.cells, outcomes)
    drawing = votes_against_k(points, outcomes)
    assert isinstance(drawing, Drawing)
    header, rows = results_rows(table, outcomes)
    six = paper_tables(table, outcomes)["table6"]
    records = list(csv.DictReader(records_csv(table, outcomes).splitlines()))
    opened = open_study([study])
    page = explored(opened)["scores"]
    for point in points:
        drawn = next(fit for fit in drawing.fits if fit["series"] == point.cell.cell_id)
        place = next(i for i, p in enumerate(opened.points) if p.cell.cell_id == point.cell.cell_id)
        (row,) = (row for row in rows if row[0] == point.cell.model)
        (of_six,) = (row for row in six.rows if row[0] == point.cell.model)
        for name, (line, k) in NAMES.items():
            fit = drawn[line][k]
            text = f"{fit['value']:.1f} ± {fit['se']:.1f}"
            assert row[header.index(f"{name} [%]")] == text
            if name in six.header:
                assert of_six[six.header.index(name)] == text
            errors = [float(r[f"{name} setting se"]) for r in records if r["model"] == point.cell.model]
            assert errors == pytest.approx([fit["se"] / 100] * len(point.cells))
            ends = [page[name][end][place] for end in ("low", "high")]
            assert ends == pytest.approx(fit["interval_95"])


@dataclass(frozen=True)
class Known:
    """Simulated votes of one setting: problems, draws of the base and replicates shift the log-odds of a right draw."""

    draws: int
    replicates: int
    sd: float  # of each
    items: int = 60

    def hits(self, rng: np.random.Generator) -> np.ndarray:
        """Right draws of K, [draws, replicates, items]."""
        odds = rng.normal(0.5, 1.5, self.items)
        base = rng.normal(0, self.sd, (self.draws, 1, 1)) if self.draws > 1 else 0.0
        odds = odds + base + rng.normal(0, self.sd, (self.draws, self.replicates, 1))
        return rng.binomial(K, 1 / (1 + np.exp(-odds)))

    def truth(self) -> float:
        """maj@K of K draws in percent, of one rival alone: half of a tie is right."""
        rng, shifts = np.random.default_rng(99), 2 if self.draws > 1 else 1
        odds = rng.normal(0.5, np.sqrt(1.5**2 + shifts * self.sd**2), 1_000_000)
        hits = rng.binomial(K, 1 / (1 + np.exp(-odds)))
        return float(100 * (np.mean(2 * hits > K) + np.mean(2 * hits == K) / 2))


def cells_of(hits: np.ndarray) -> tuple[list[Cell], Outcomes]:
    """Cells of these votes as loading gives them."""
    cells, outcomes = [], Outcomes({}, {})
    for draw, of_draw in enumerate(hits):
        for replicate, of_run in enumerate(of_draw):
            ids = [f"t-{i}" for i in range(len(of_run))]
            tallies = tuple(Tally(K, int(h), (K - int(h),) if h < K else ()) for h in of_run)
            scores = pool_scores(dict(zip(ids, tallies, strict=True)))
            folder = Path(f"/none/{draw}-{replicate}")
            cell = Cell(
                study="s", cell_id=folder.name, names={"model": "m", "data": "d"}, setting={"method": "sft"}, base="b",
                draw=f"b{draw}", scores=scores, seeds={"pretrain_seed": draw, "data_seed": 100 * draw + replicate},
                folder=folder,
            )  # fmt: skip
            assert cell.outcomes_path is not None
            outcomes.by_path[cell.outcomes_path] = greedy_of(tuple(ids), "C" * len(ids))
            outcomes.tallies[cell.outcomes_path] = tallies
            cells.append(cell)
    return cells, outcomes


def covered(known: Known, studies: int) -> Sequence[float]:
    """Shares of studies whose 95 % interval of maj@K holds the truth: with votes at hand, and without."""
    rng, truth = np.random.default_rng(5), known.truth()
    inside = np.zeros((studies, 2))
    for number in range(studies):
        cells, outcomes = cells_of(known.hits(rng))
        for place, at_hand in enumerate((outcomes, Outcomes({}, {}))):
            found = score_of(cells, f"maj1@{K}", at_hand)
            assert found is not None
            low, high = share_interval(found)
            inside[number, place] = low <= truth <= high
    return inside.mean(axis=0).tolist()


@pytest.mark.parametrize("known", [Known(1, 2, 0.5), Known(3, 2, 0.5)])
def test_intervals_of_few_runs_hold_a_known_truth(known: Known) -> None:
    """Of two replicates 86 to 89 % did: the binomial part was given with certainty to what two runs had left open."""
    assert all(share > 0.925 for share in covered(known, 300))


def test_a_setting_of_which_one_runs_votes_are_gone_is_one_number_too(study: Path) -> None:
    """Over all its runs, with the bound for the problems; the figure has no curve of the other runs."""
    table, outcomes = verified(load_studies([study]))
    cells = [c for c in table.cells if c.model == "nano-m"]
    lost = replace(
        outcomes, tallies={path: t for path, t in outcomes.tallies.items() if path != cells[0].outcomes_path}
    )
    found, bound = (score_of(cells, "pass@1", some) for some in (lost, Outcomes({}, {})))
    assert found is not None
    assert bound is not None
    assert (found.value, found.se, found.df) == (bound.value, bound.se, bound.df)
    drawing = votes_against_k(make_points(cells, lost), lost)
    assert "not at hand" in str(drawing)


def test_a_copy_of_the_test_set_has_the_error_of_its_problems_in_every_table() -> None:
    """Two replicates that are right on the same half of 100 copies: 5.0 points, from 1/4 over 99."""
    cells, outcomes = cells_of(np.full((1, 2, 100), K))
    name, letters = "maj1@1_perturbed", "CW" * 50
    scored = [replace(c, scores=c.scores | {name: Score.binomial(50, 100)}) for c in cells]
    for cell in scored:
        assert cell.outcomes_path is not None
        outcomes.copies[cell.outcomes_path] = {name: greedy_of(tuple(f"t-{i}" for i in range(100)), letters)}
    found = score_of(scored, name, outcomes)
    assert found is not None
    assert (found.value, found.se) == (50.0, pytest.approx(100 * np.sqrt(0.25 / 99)))
    (row,) = csv.DictReader(records_csv(Table((scored[0],)), outcomes).splitlines())
    assert float(row[f"{name} setting se"]) == pytest.approx(found.se / 100)
