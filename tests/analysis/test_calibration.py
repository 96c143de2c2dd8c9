"""Calibration statistics on hand-made cells with known values, and its targets against the paper's printed numbers."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

from analysis.calibration import by_setting, reached, table, targets
from analysis.load.cells import Cell
from analysis.paper import U13B, find
from rft.records import Score


def made(
    method: str, *, accuracy: float = 0.4, seed: int = 200, style: float = 0.5, k: int | None = None, **facts: Any
) -> Cell:
    setting: dict[str, Any] = {"method": method, "model.name": "nano-s", "data.world.human_style": style}
    setting |= {"data_frac": 1.0} if method != "icl" else {}
    setting |= {"k": k, "temperature": 1.0} if k is not None else {}
    return Cell(
        study="s",
        cell_id=f"{method}-{k}-{style}-{seed}",
        names={"model": "nano-s", "data": "world-easy"},
        setting=setting,
        base="b",
        draw=f"b{seed}",
        scores={"maj1@1": Score(accuracy, 1000, 0.015)},
        seeds={"pretrain_seed": seed, "data_seed": seed} | ({"sample_seed": seed} if k is not None else {}),
        **facts,
    )


def ladder(*, style: float = 0.5, seed: int = 200, scale: float = 1.0) -> list[Cell]:
    """Distinct paths with the human one: scale * k^0.5; half of the sampled paths are new."""
    cells = []
    for k in (1, 4, 16, 100):
        with_human = scale * k**0.5
        own = {"distinct_per_question": 2 * (with_human - 1), "distinct_per_question_with_human": with_human}
        cells.append(made("sampled", k=k, style=style, seed=seed, correct_per_question=0.62 * k, **own))
    return cells


def test_statistics_of_a_ladder_made_by_hand() -> None:
    found = reached([*ladder(), made("icl", accuracy=0.1)])
    assert found["slope_of_distinct", None] == pytest.approx(0.5)
    assert found["distinct_with_human", 16] == pytest.approx(4.0)
    assert found["share_new", 100] == pytest.approx(50.0)
    assert found["correct_of_100", 100] == pytest.approx(62.0)
    assert found["sft_accuracy", None] == pytest.approx(40.0)
    assert found["icl_minus_sft", None] == pytest.approx(-30.0)
    assert ("share_new", 1) not in found  # nothing was sampled that was right: no share


def test_replicates_are_averaged_and_a_model_counts_once_however_often_it_was_sampled() -> None:
    one, other = ladder(scale=1.2), [cell for cell in ladder(seed=201, scale=1.4) if cell.k == 16]
    alone = made("sft", accuracy=0.6, seed=202)
    found = reached([*one, *other, alone])
    assert found["distinct_with_human", 16] == pytest.approx((1.2 + 1.4) / 2 * 4)
    assert found["sft_accuracy", None] == pytest.approx(100 * fmean([0.4, 0.4, 0.6]))


def test_settings_are_kept_apart_and_controls_join_the_setting_they_agree_with() -> None:
    weak, strong = ladder(style=0.3), ladder(style=0.9)
    icl = [made("icl", accuracy=0.1, style=0.3), made("icl", accuracy=0.2, style=0.9)]
    groups = by_setting([*weak, *strong, *icl])
    assert set(groups) == {"data.world.human_style=0.3", "data.world.human_style=0.9"}
    assert reached(groups["data.world.human_style=0.9"])["icl_minus_sft", None] == pytest.approx(-20.0)


def test_the_table_stars_what_misses_its_target() -> None:
    rows = {row.split(" | ")[0][2:]: row for row in table([*ladder(), made("icl", accuracy=0.1)]).splitlines()}
    assert rows["slope of distinct (exponent of k)"].endswith("| 0.50 * |")
    assert rows["correct of 100, k = 100 (samples)"].endswith("| 62.0 |")
    assert rows["share new, k = 12 (%)"].endswith("| - |")


def test_targets_are_the_papers_numbers() -> None:
    for target in targets():
        assert target.low < target.target < target.high
    by_statistic = {target.statistic: target.target for target in targets()}
    for (name, k), value in by_statistic.items():
        if name == "distinct_with_human":
            assert value == pytest.approx(printed("distinct_paths_per_question", k=k), abs=0.006)
    assert by_statistic["correct_of_100", 100] == pytest.approx(printed("correct_paths_per_question", k=100))
    assert by_statistic["sft_accuracy", None] == pytest.approx(fmean([35.9, 41.6, 43.0, 50.0]), abs=0.05)
    for k, size in ((12, 22_000), (100, 47_000)):
        share = 100 * (printed("distinct_paths_per_question", k=k) - 1) / ((size - 7473) / 7473)
        assert by_statistic["share_new", k] == pytest.approx(share, abs=0.6)


def test_the_page_names_the_targets() -> None:
    page = (Path(__file__).parents[2] / "docs" / "calibration.md").read_text()
    for target in targets():
        name, k = target.statistic
        shown = "62" if name == "correct_of_100" else f"{target.target:g}"
        assert re.search(rf"(?<![\d.]){re.escape(shown)}(?![\d.])", page), (name, k, shown)


def printed(metric: str, *, k: int | None) -> float:
    """Mean of the four models of 7B and 13B."""
    wanted = {"metric": metric, "k": str(k), "method": "rejection sampling"}
    rows = [row for row in find(**wanted) if row["model"] in U13B]
    assert len(rows) == len(U13B)
    return fmean(float(row["value"]) for row in rows)
