"""The command draws every kind of study, whole or full of holes, and never crashes or draws a line without data."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.claims.run import run_claims, study_view
from analysis.figures.drawing import Drawing
from analysis.figures.overlap import regions
from analysis.load.checks import verified
from analysis.load.outcomes import Outcomes
from analysis.load.points import make_points
from analysis.load.studies import load_studies
from analysis.plot_scaling import main
from analysis.study import draw_all
from analysis.style import METHODS, model_colours, model_lines, model_markers, tint
from analysis.tables.grids import Grid, paper_tables

ROOT = Path(__file__).resolve().parents[3]
SMALL = Truth(num_items=60, num_full=64)


def draw(folder: Path, capsys: pytest.CaptureFixture[str], *extra: str) -> tuple[str, list[dict[str, object]]]:
    assert main([str(folder), *extra]) == 0
    text = capsys.readouterr().out
    fits = json.loads((folder / "figures" / "fits.json").read_text())["fits"]
    return text, fits


def test_quickstart_shape(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_study(tmp_path / "s", specs=grid(), truth=SMALL, missing={3: "out of memory"}, paths=True)
    text, fits = draw(folder, capsys)
    assert "out of memory" in text
    assert "item noise only" in text
    for name in ("accuracy_vs_data", "accuracy_vs_loss", "accuracy_vs_k", "distinct_vs_k"):
        for ending in ("png", "svg"):
            assert (folder / "figures" / f"{name}.{ending}").stat().st_size > 1000
        mine = [fit for fit in fits if fit.get("figure") == name]
        assert mine
        for fit in mine:
            assert "not_enough_data" in fit or {"a", "se_a", "b", "se_b", "r2", "n"} <= set(fit)
    loss = [fit for fit in fits if fit.get("figure") == "accuracy_vs_loss"]
    assert all(
        "at least 3" in str(fit["not_enough_data"]) or "no points" in str(fit["not_enough_data"]) for fit in loss
    )


HOLES = {
    "one cell": grid(models=("nano-m",), fracs=(1.0,), methods=("rft",), ks=(4,)),
    "icl alone": grid(models=("nano-s", "nano-m"), methods=("icl",)),
    "two sizes": grid(models=("nano-s", "nano-m"), fracs=(0.5, 1.0)),
    "ragged seeds": grid(models=("nano-m",), seeds=range(3))[::2],
    "all at zero": grid(models=("nano-s", "nano-m")),
    "controls alone": grid(models=("nano-m",), fracs=(1.0,), methods=("sft_matched", "oracle_paths")),
    "self-made": [
        {"model": "nano-m", "method": method, "data_frac": 1.0, "k": k, "seed": seed}
        for method, k in (("sft", None), ("self_query", 1), ("self_revise", 1))
        for seed in range(5)
    ],
    "unions": [
        {"model": model, "method": "rft", "data_frac": 1.0, "k": k, "union": union, "seed": 0, "policy": policy}
        for model in ("nano-s", "nano-m")
        for k, union, policy in ((4, [], "paper"), (2, ["nano-s", "nano-m"], "paper"), (4, [], "no_dedup"))
    ],
}


@pytest.mark.parametrize("name", HOLES)
def test_holes_do_not_crash(name: str, tmp_path: Path) -> None:
    truth = Truth(num_items=40, num_full=32, at_full=0.0, per_doubling=0.0, per_loss=0.0, icl=0.0, rft_at_1=0.0, rft_per_k=0.0, control={})  # fmt: skip # noqa: E501
    folder = write_study(
        tmp_path / "s", specs=HOLES[name], truth=truth if name == "all at zero" else SMALL, vote_k=4, paths=True
    )
    table = load_studies([folder])
    table, outcomes = verified(table)
    points = make_points(table.cells, outcomes)
    drawings = draw_all(points, outcomes)
    run_claims(study_view(points, outcomes))
    assert all(grid_.texts() for grid_ in paper_tables(table, Outcomes({}, {})).values())
    fits = [{"figure": d.name, **fit} for d in drawings if isinstance(d, Drawing) for fit in d.fits]
    json.dumps(fits, allow_nan=False)
    if name == "all at zero":
        data = [fit for fit in fits if fit.get("figure") == "accuracy_vs_data"]
        assert data
        assert all("not_enough_data" in fit for fit in data)


@pictures("png")
def test_a_second_run_draws_nothing_and_prints_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_study(tmp_path / "s", specs=grid(models=("nano-m",), fracs=(1.0,)), truth=SMALL)
    first, _ = draw(folder, capsys)
    figure = folder / "figures" / "accuracy_vs_k.png"
    before = figure.stat().st_mtime_ns
    second, _ = draw(folder, capsys)
    assert first == second
    assert figure.stat().st_mtime_ns == before
    figure.unlink()
    draw(folder, capsys)
    assert figure.is_file()


def test_everything_missing_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    specs = grid(models=("nano-m",), fracs=(1.0,))
    folder = write_study(tmp_path / "s", specs=specs, missing=dict.fromkeys(range(len(specs)), "no disk"))
    text, _ = draw(folder, capsys)
    assert "no finished cell" in text
    assert text.count("no disk") == len(specs)


def test_the_paper_is_redrawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--paper", "--out", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert "never published" in text
    entries = json.loads((tmp_path / "fits.json").read_text())["fits"]
    fits = {fit["series"]: fit for fit in entries if fit.get("figure") == "published_fig2"}
    assert round(fits["SFT + GPT-3 + GPT-4"]["b"], 2) == -88.16
    assert "disagrees" in (tmp_path / "all_vs_loss.svg").read_text() or (tmp_path / "all_vs_loss.png").exists()
    assert "35.9 ± 1.3" in (tmp_path / "table5.md").read_text()
    assert [len(list(tmp_path.glob(f"*.{ending}"))) for ending in ("png", "svg", "pdf")] == [11, 11, 11]
    for name in ("table1", "table2", "table4", "table5", "table6"):
        assert {path.suffix for path in tmp_path.glob(f"{name}.*")} == {".md", ".tex", ".csv"}


@pytest.mark.slow
def test_the_paper_has_a_report(tmp_path: Path) -> None:
    assert main(["--paper", "--report", "--out", str(tmp_path)]) == 0
    text = (tmp_path / "report.html").read_text()
    assert "never published" in text
    assert "disagrees with table 5" in text


@pytest.mark.slow
def test_overlay_keeps_losses_on_different_texts_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_study(tmp_path / "s", specs=grid(), truth=SMALL)
    _, fits = draw(folder, capsys, "--overlay", "paper")
    texts = {str(fit["loss_text"]) for fit in fits if fit.get("figure") == "accuracy_vs_loss"}
    assert len(texts) == 2
    for fit in (f for f in fits if f.get("figure") == "accuracy_vs_loss" and "n" in f):
        assert fit["n"] in (5, 7)  # published alone: the study's two bases are not among them


@pytest.mark.slow
def test_script_runs_from_anywhere_without_installation(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", specs=grid(models=("nano-m",), fracs=(1.0,)), truth=SMALL)
    script = [sys.executable, str(ROOT / "analysis" / "plot_scaling.py")]
    done = subprocess.run([*script, str(folder)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "figures" in done.stdout
    bad = subprocess.run([*script, str(tmp_path / "none")], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert bad.returncode == 2
    assert "is not a folder" in bad.stderr


def test_styles_are_distinct() -> None:
    names = [f"m{i}" for i in range(8)]
    assert len(set(model_colours(names).values())) == 8
    markers = [style.marker for style in METHODS.values()]
    assert len(set(markers)) == len(markers)
    assert tint("#000000", strength=0.0) == "#ffffff"
    many = [f"m{i}" for i in range(20)]  # a study beside the published bases
    colours, markers, lines = model_colours(many), model_markers(many), model_lines(many)
    assert len({(colours[name], markers[name]) for name in many}) == 20
    assert len({(colours[name], str(lines[name])) for name in many}) == 20


def test_regions_count_each_path_once() -> None:
    counts = regions({"a": {("q", "1"), ("q", "2")}, "b": {("q", "2"), ("r", "1")}})
    assert counts == {("a",): 1, ("a", "b"): 1, ("b",): 1}
    more = regions({"a": {("q", "1"), ("q", "2"), ("q", "3")}, "b": {("q", "2"), ("r", "1")}})
    assert [list(counts), list(more)] == [
        [("a",), ("a", "b"), ("b",)],
        [("a",), ("a", "b"), ("b",)],
    ]  # as the file has it


def test_tables_escape() -> None:
    grid_ = Grid("t", ("a_b", "%"), (("x|y", "1 ± 2"),))
    assert r"x\|y" in grid_.markdown()
    assert r"a\_b" in grid_.latex()
    assert r"$\pm$" in grid_.latex()
    assert grid_.comma_separated().splitlines()[1] == "x|y,1 ± 2"
