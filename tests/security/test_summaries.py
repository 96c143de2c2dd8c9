"""The summary of a drawing is a file that anyone may have edited: it names nothing outside, and is not repeated unseen."""

from __future__ import annotations

from pathlib import Path

import pytest
from pictures import pictures
from synthetic_study import Truth, grid, write_study

from analysis.study import SUMMARY_FILE, draw_study, drawn_in


@pytest.mark.parametrize("name", ["../../notes", "/etc/notes", "a/b", "..", ".hidden"])
def test_names_that_lead_elsewhere_are_no_files_of_a_drawing(name: str, tmp_path: Path):
    summary = f"figure: {tmp_path}/{name}.png (.svg, .pdf)\ntables (.md, .tex, .csv): table1, {name}\n"
    found = drawn_in(summary, out=tmp_path)
    assert {path.parent for path in found} == {tmp_path}
    assert {path.name for path in found if path.stem == "table1"} == {"table1.md", "table1.tex", "table1.csv"}


@pictures("png")
def test_an_edited_summary_is_drawn_again_and_deletes_nothing(tmp_path: Path):
    study = write_study(tmp_path / "s", specs=grid(models=("nano-s",), methods=("sft",)), truth=Truth())
    out = tmp_path / "figures"
    said = draw_study([study], out=out)
    assert draw_study([study], out=out) == said
    (tmp_path / "notes.md").write_text("mine")
    summary = out / SUMMARY_FILE
    first, _, text = summary.read_text().partition("\n")
    summary.write_text(f"{first}\n{text.replace(' ± ', ' ± 9')}tables (.md, .tex, .csv): ../notes\n")
    assert draw_study([study], out=out) == said
    assert (tmp_path / "notes.md").read_text() == "mine"
