"""The report's first sentences agree with planted truth, and every command that it offers plans what it says."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import forked
import pytest
from synthetic_study import Truth, grid, write_study

from analysis.claims.remedies import NEEDED, remedy_of
from analysis.claims.rulings import ClaimResult, Ruling
from analysis.claims.run import CLAIMS, run_claims, study_view
from analysis.compare.comparisons import Verdict
from analysis.load.cells import Cell
from analysis.load.checks import verified
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.report.findings import Findings, findings
from analysis.stats.power import Needed
from analysis.tables.matched import compared

REFERENCE = Path(__file__).parents[3] / "multirun_outputs" / "reference" / "quickstart"


def found_of(folder: Path) -> Findings:
    table, outcomes = verified(load_studies([folder]))
    points = make_points(table.cells, outcomes)
    claims = run_claims(study_view(points, outcomes))
    return findings(table, points, against=compared(points, outcomes), claims=claims)


def written(folder: Path, *, gain: float, draws: int, missing: dict[int, str] | None = None) -> Findings:
    """A study of one base whose RFT lies `gain` points above both SFT and its control."""
    truth = Truth(
        rft_at_1=gain, rft_per_k=0.0, control={"sft_matched": 0.0}, replicate_sd=0.3, draw_sd=3.0, item_sd=0.3
    )
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("sft", "sft_matched", "rft"), draws=range(draws))
    return found_of(write_study(folder, specs=specs, truth=truth, missing=missing))


def test_a_planted_gain_is_told_with_its_sign(tmp_path: Path) -> None:
    better = written(tmp_path / "better", gain=15.0, draws=6)
    worse = written(tmp_path / "worse", gain=-15.0, draws=6)
    assert better.separates.startswith("For new bases of this kind: RFT k=4 minus SFT at equal steps alone on nano-s +")
    assert "claims 4a, 4b are supported" in better.separates
    assert worse.separates.startswith("For new bases of this kind: RFT k=4 minus SFT at equal steps alone on nano-s -")
    assert "RFT; SFT; and SFT, matched steps on nano-s (6 draws), by 400 test problems" in better.run


def test_no_gain_and_one_draw_separate_nothing(tmp_path: Path) -> None:
    null = written(tmp_path / "null", gain=0.0, draws=6)
    assert null.separates.startswith("Nothing separates")
    assert "the one comparison does not separate (" in null.open.lower()
    single = written(tmp_path / "single", gain=15.0, draws=1)
    assert single.separates.startswith("On new bases of this kind nothing can be said yet; for these bases as they are")
    assert "the one difference is apart from 0: RFT k=4 minus SFT at equal steps alone on nano-s +" in single.separates
    assert "(one draw)" in single.run
    assert "None of the paper's 17 claims can be tested on these cells: " in single.open


def test_draws_are_promised_to_no_more_comparisons_than_they_would_separate(tmp_path: Path) -> None:
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("sft", "sft_matched", "rft"), draws=range(6))
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200))]))
    points = make_points(table.cells, outcomes)
    (one,) = compared(points, outcomes)

    def told(*needed: Needed | None) -> str:
        results = [replace(one.result, verdict=Verdict.NOT_SEPARABLE, needed=size) for size in needed]
        return findings(table, points, against=[replace(one, result=r) for r in results], claims=[]).open

    six, ten, wide = Needed(6, 200), Needed(10, 200), Needed(10, 900)
    assert told(six, ten, None) == (
        "3 of 3 comparisons do not separate (6 to 10 draws would separate 2 of them, each alone; no feasible study the "
        "others)."
    )
    assert told(six, six) == "2 of 2 comparisons do not separate (6 draws would, each alone)."
    assert told(wide) == "The one comparison does not separate (10 draws, with more test problems, would)."
    assert told(None, None) == "2 of 2 comparisons do not separate (no feasible study would)."


def test_a_small_difference_that_separates_is_told_before_a_large_one_that_does_not(tmp_path: Path) -> None:
    """Of one comparison two are made: +9 of unknown sign, +2 apart from 0 for these bases; neither holds for new ones."""
    specs = grid(models=("nano-s",), fracs=(1.0,), ks=(4,), methods=("sft", "sft_matched", "rft"), seeds=(0, 1, 2))
    table, outcomes = verified(load_studies([write_study(tmp_path / "s", specs=specs, truth=Truth(num_items=200))]))
    points = make_points(table.cells, outcomes)
    (one,) = compared(points, outcomes)
    made = []
    for value, se in ((9.0, 10.0), (2.0, 0.1)):
        estimate = replace(one.result.estimate.these_bases, value=value, se=se)
        made.append(replace(one, result=replace(one.result, estimate=estimate)))
    text = findings(table, points, against=made, claims=[]).separates
    assert "for these bases as they are, 1 of 2 differences is apart from 0: RFT k=4" in text
    assert "+2.0 points" in text
    alone = findings(table, points, against=made[:1], claims=[]).separates
    assert alone.startswith("Nothing separates, neither for new bases of this kind nor for these: the largest of 1")


def test_missing_cells_are_told_first(tmp_path: Path) -> None:
    found = written(tmp_path / "gap", gain=5.0, draws=3, missing={2: "died"})
    assert "8 cells (1 missing)" in found.run


def test_every_claim_has_a_remedy() -> None:
    table, outcomes = verified(load_studies([REFERENCE]))
    results = run_claims(study_view(make_points(table.cells, outcomes), outcomes))
    assert {result.claim for result in results} == set(NEEDED)
    assert len(CLAIMS) == 8


def planned(command: str, folder: Path) -> str:
    """What a dry run of a command says."""
    words = shlex.split(command)
    assert words[:3] == ["python", "-m", "rft.run"]
    done = forked.run(*words[1:], "dry_run=true", f"store.root={folder}", cwd=REFERENCE.parents[2])
    assert done.returncode == 0, done.stderr
    return done.stdout


def remedy_command(claim: str) -> str:
    table, _ = verified(load_studies([REFERENCE]))
    blank = ClaimResult(claim, "", "", Ruling.NOT_TESTABLE, "")  # nothing could be computed
    return remedy_of(blank, cells=table.cells).command


def with_command(command: str) -> list[Cell]:
    """The reference's cells, as if a command had made them."""
    table, _ = verified(load_studies([REFERENCE]))
    told = [{**cell.provenance, "command": shlex.split(command)} for cell in table.cells]
    return [replace(cell, provenance=one) for cell, one in zip(table.cells, told, strict=True)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "python -m rft.run model=nano-s method=sft",
            "python -m rft.run -m model=nano-s method=sft,self_query k=16 pretrain_seed=0,1,2,3,4 'seed=${pretrain_seed}'",
        ),
        (
            "python -m rft.run -m study_name=mine model=nano-s k=4 seed=0,1",
            "python -m rft.run -m study_name=mine model=nano-s method=sft,self_query k=16 pretrain_seed=0,1,2,3,4 "
            "'seed=${pretrain_seed}'",
        ),
    ],
)
def test_a_command_of_ones_own_says_each_key_once_and_sweeps(before: str, after: str) -> None:
    blank = ClaimResult("8a", "", "", Ruling.NOT_TESTABLE, "")
    assert remedy_of(blank, cells=with_command(before)).command == after


def test_a_study_that_was_extended_is_extended_again(tmp_path: Path) -> None:
    first = remedy_command("8a")
    blank = ClaimResult("8b", "", "", Ruling.NOT_TESTABLE, "")
    second = remedy_of(blank, cells=with_command(first)).command
    keys = [word.partition("=")[0] for word in shlex.split(second)[3:]]
    assert len(keys) == len(set(keys))
    text = planned(second, tmp_path)
    assert "self_revise" in text
    assert "cells: 120 of 130 jobs" in text


def test_an_offered_command_keeps_the_studys_cells_and_adds_those_it_names(tmp_path: Path) -> None:
    text = planned(remedy_command("8a"), tmp_path)
    assert "cells: 120 of 130 jobs" in text  # 22 cells and 2 of self-query, in five draws
    kept = {path.name for path in tmp_path.iterdir()} if tmp_path.exists() else set()
    assert not kept, "a dry run leaves nothing"


@pytest.mark.slow
@pytest.mark.parametrize("claim", sorted(NEEDED))
def test_every_offered_command_plans(claim: str, tmp_path: Path) -> None:
    assert "stages, about" in planned(remedy_command(claim), tmp_path)
