"""`--overlay paper`: a study says of itself what it says without the published one, figure by figure, word by word."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.plot_scaling import main

METHODS = ("icl", "sft", "sft_matched", "rft")
TRUTH = Truth(num_items=60, num_full=64, replicate_sd=0.5)
PUBLISHED = re.compile(r"\(published\)")
STUDIES: dict[str, dict[str, Any]] = {
    "labels that the paper has too": {"fracs": (0.25, 1.0), "ks": (1, 100)},
    "a k that the paper does not have": {"fracs": (1.0,), "ks": (16,), "draws": range(2)},
    "one base": {"models": ("nano-s",), "fracs": (1.0,), "ks": (3, 12)},
    "too little for lines": {"models": ("nano-s",), "fracs": (1.0,), "ks": (100,), "methods": ("sft",)},
}


def drawn(study: Path, *arguments: str) -> tuple[dict[str, str], dict[tuple[str, str], dict[str, Any]], list[str]]:
    """(titles by figure, entries by figure and series, why figures are missing) of one drawing, read from fits.json."""
    with pictures():
        assert main([str(study), *arguments]) == 0
    entries = json.loads((study / "figures" / "fits.json").read_text())["fits"]
    told = [entry for entry in entries if "figure" in entry]
    of = {(e["figure"], e["series"]): {k: v for k, v in e.items() if k not in ("title", "caption")} for e in told}
    assert len(of) == len(told)
    missing = [entry["not_enough_data"] for entry in entries if "figure" not in entry]
    return {entry["figure"]: entry["title"] for entry in told}, of, missing


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_of_the_study_changes(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = write_study(tmp_path / "s", specs=grid(**{"methods": METHODS, **STUDIES[name]}), truth=TRUTH)
    titles, alone, missing = drawn(study)
    written = {path.name: path.read_bytes() for path in (study / "figures").glob("*.md")}
    capsys.readouterr()
    shown, together, still_missing = drawn(study, "--overlay", "paper")
    assert shown == titles
    assert still_missing == missing
    for key, entry in alone.items():
        assert together[key] == entry
    added = [f"{figure}: {series}" for figure, series in together if (figure, series) not in alone]
    assert added, "published series are drawn beside"
    assert [text for text in added if not PUBLISHED.search(text)] == []
    assert {path.name: path.read_bytes() for path in (study / "figures").glob("*.md")} == written


def test_a_mean_of_published_bases_is_of_the_papers_own_numbers(tmp_path: Path) -> None:
    """RFT k=100 minus SFT, table 5 by hand: 7B, 7B-2, 13B, 13B-2, 33B; and the study's mean holds its two bases alone."""
    study = write_study(tmp_path / "s", specs=grid(fracs=(1.0,), ks=(100,), methods=("sft", "rft")), truth=TRUTH)
    _, entries, _ = drawn(study, "--overlay", "paper")
    gains = (41.7 - 35.9, 47.5 - 41.6, 49.1 - 43.0, 54.8 - 50.0, 54.5 - 54.6)
    mean = entries["rft_over_sft", "RFT k=100 (published) minus SFT, mean of bases"]["estimate"]
    assert mean["value"] == pytest.approx(sum(gains) / 5)
    own = [
        entries["rft_over_sft", f"RFT k=100 minus SFT, {base}"]["estimate"]["value"] for base in ("nano-s", "nano-m")
    ]
    mean = entries["rft_over_sft", "RFT k=100 minus SFT, mean of bases"]["estimate"]
    assert mean["value"] == pytest.approx(sum(own) / 2)


def test_one_figure_alone_has_the_studys_title(tmp_path: Path) -> None:
    """`--figure` draws through another door: its title, as the picture has it, is the one without an overlay."""
    study = write_study(tmp_path / "s", specs=grid(fracs=(1.0,), ks=(16,), methods=METHODS), truth=TRUTH)
    texts = []
    for extra in ((), ("--overlay", "paper")):
        with pictures("svg"):
            assert main([str(study), "--figure", "accuracy_vs_cost", "--out", str(tmp_path / "o"), *extra]) == 0
        texts.append((tmp_path / "o" / "accuracy_vs_cost.svg").read_text())
    heads = [re.findall(r"<!-- (RFT.*?times.*?) -->|>(RFT[^<]*times[^<]*)<", text) for text in texts]
    assert heads[0]
    assert heads[0] == heads[1]
    assert "published" in texts[1]
    assert "published" not in texts[0].lower()
