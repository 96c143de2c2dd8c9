"""The parts of RFT's gain, of settings with unlike draws and replicates, against sums over single cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.compare.exchange import Split, split_gain
from analysis.figures.drawing import Drawing
from analysis.figures.exchange import exchange_figure
from analysis.figures.paths import accuracy_against_k
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.query import where
from analysis.load.studies import load_studies

PARTS = {"steps": ("sft_matched", "sft"), "diversity": ("oracle_paths", "sft_matched"), "rest": ("rft", "oracle_paths")}
Study = tuple[Sequence[Cell], Outcomes]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Five draws by two replicates; every setting lies elsewhere in every draw."""
    methods = ("sft", "sft_matched", "oracle_paths", "rft", "fresh_human")
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=methods, draws=range(5), seeds=(0, 1))
    fresh = [spec for spec in specs if spec["method"] == "fresh_human"]
    specs = [spec for spec in specs if spec not in fresh]
    specs += [{**spec, "fresh": count} for spec in fresh for count in (128, 256, 512)]
    truth = Truth(num_items=400, gain_sd=8.0, fresh_gain=lambda share: 8 * share)
    table, outcomes = verified(
        load_studies([write_study(tmp_path_factory.mktemp("parts") / "s", specs=specs, truth=truth)])
    )
    return table.cells, outcomes


def place(cell: Cell) -> tuple[int, int]:
    return cell.seeds["pretrain_seed"], cell.seeds["data_seed"] % 1000


def parts_of(cells: Sequence[Cell], outcomes: Outcomes) -> Split | None:
    points = make_points(cells, outcomes)
    (rft,) = where(points, method="rft")
    return split_gain(rft, points, outcomes)


def by_hand(cells: Sequence[Cell], first: str, second: str, *, at: set[tuple[int, int]]) -> float:
    """Mean over draws of the mean over replicates of a difference, from the records' accuracies."""
    share = {(c.method, place(c)): c.scores["maj1@1"].value for c in cells if c.method != "fresh_human"}
    gaps = {(d, r): share[first, (d, r)] - share[second, (d, r)] for d, r in at}
    return 100 * float(
        np.mean([np.mean([g for (d, _), g in gaps.items() if d == draw]) for draw in {d for d, _ in at}])
    )


EVERY = {(draw, replicate) for draw in range(5) for replicate in (0, 1)}
KEPT: dict[str, dict[str, set[tuple[int, int]]]] = {
    "oracle paths of two draws": {"oracle_paths": {(0, 0), (0, 1), (1, 0), (1, 1)}},
    "each lacks another": {"oracle_paths": EVERY - {(0, 0)}, "sft": EVERY - {(1, 1)}, "rft": EVERY - {(2, 0), (2, 1)}},
    "all that there is": {},
}


@pytest.mark.parametrize("case", list(KEPT))
def test_the_parts_are_of_the_replicates_of_all_parts(study: Study, case: str) -> None:
    cells, outcomes = study
    kept = KEPT[case]
    some = [c for c in cells if place(c) in kept.get(c.method, EVERY)]
    at = EVERY.intersection(*kept.values())
    split = parts_of(some, outcomes)
    assert split is not None
    found = {name: getattr(split, name).value for name in PARTS}
    assert found == pytest.approx({name: by_hand(cells, *pair, at=at) for name, pair in PARTS.items()})
    assert sum(found.values()) == pytest.approx(split.total.value)
    assert split.left_out == len(kept.get("rft", EVERY)) - len(at)
    assert {getattr(split, name).num_draws for name in (*PARTS, "total")} == {len({d for d, _ in at})}


def test_several_samplings_of_one_replicate_add_up_too(study: Study) -> None:
    """SFT knows no sampling seed: RFT and oracle paths of several are each a mean over theirs, in every part."""
    cells, outcomes = study
    pairs = {"rft": {0: 0, 1: 1}, "oracle_paths": {0: 1, 1: 2}}  # by replicate, the seed of its sampling
    one = [
        replace(
            c, seeds={**c.seeds, "data_seed": place(c)[0], "train_seed": place(c)[0], "sample_seed": own[place(c)[1]]}
        )
        for c in cells
        if (own := pairs.get(c.method))
    ]
    rest = [
        replace(c, seeds={name: value if name == "pretrain_seed" else place(c)[0] for name, value in c.seeds.items()})
        for c in cells
        if c.method in ("sft", "sft_matched") and place(c)[1] == 0
    ]
    rest = [replace(c, seeds={n: v for n, v in c.seeds.items() if n != "sample_seed"}) for c in rest]
    split = parts_of([*one, *rest], outcomes)
    assert split is not None
    assert sum(getattr(split, name).value for name in PARTS) == pytest.approx(split.total.value)
    assert split.left_out == 0


def test_a_control_of_no_shared_replicate_is_no_part(study: Study) -> None:
    cells, outcomes = study
    apart: Callable[[Cell], bool] = lambda c: place(c)[0] < 2  # noqa: E731
    some = [c for c in cells if apart(c) == (c.method == "oracle_paths")]
    split, without = parts_of(some, outcomes), parts_of([c for c in some if c.method != "oracle_paths"], outcomes)
    assert split is not None
    assert without is not None
    assert (split.diversity, split.rest, split.left_out) == (None, None, 0)
    assert (split.total, split.steps) == (without.total, without.steps)


def test_the_parts_do_not_wait_for_fresh_problems(study: Study) -> None:
    """Of one replicate in two, the rate is of that one; the parts are of both."""
    cells, outcomes = study
    some = [c for c in cells if c.method != "fresh_human" or place(c)[1] == 0]
    drawing = exchange_figure(make_points(some, outcomes), outcomes)
    assert isinstance(drawing, Drawing)
    found = [entry["estimate"]["value"] for entry in drawing.fits if "estimate" in entry]
    wanted = [by_hand(cells, *pair, at=EVERY) for pair in (*PARTS.values(), ("rft", "sft"))]
    assert found == pytest.approx(wanted)


def test_the_caption_says_of_how_many_cells_the_parts_are(study: Study) -> None:
    cells, outcomes = study
    some = [c for c in cells if c.method != "oracle_paths" or place(c)[0] < 2]
    for shown, told in ((some, True), (cells, False)):
        drawing = exchange_figure(make_points(shown, outcomes), outcomes)
        assert isinstance(drawing, Drawing)
        assert ("Parts of nano-s: of the 4 of RFT's 10 cells" in drawing.caption) is told
        parts = [entry for entry in drawing.fits if "estimate" in entry]
        assert [entry.get("replicates_left_out") for entry in parts] == [6 if told else None] * 4


def test_true_paths_at_other_steps_are_no_part(tmp_path: Path) -> None:
    """30 % fewer steps than RFT and its step-matched SFT: their difference from these is of steps too. A figure says so."""
    methods = ("sft", "rft", "sft_matched", "oracle_paths")
    specs = grid(models=["nano-s"], fracs=[1.0], ks=[4], methods=methods, draws=range(3))
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs)]))
    of_steps = {
        share: [
            replace(c, num_optimizer_steps=round(100 * share) if c.method == "oracle_paths" else 100)
            for c in table.cells
        ]
        for share in (1.0, 0.7)
    }
    for share, cells in of_steps.items():
        points = make_points(cells, outcomes)
        (rft,) = where(points, method="rft")
        split = split_gain(rft, points, outcomes)
        assert split is not None
        assert (split.diversity is None) == (split.rest is None) == (share < 1)
        drawing = accuracy_against_k(points, outcomes)
        assert isinstance(drawing, Drawing)
        assert ("but for oracle paths, which took others in 1 of 1 cells" in drawing.caption) is (share < 1)
