"""A study that names what lies outside it is refused, whichever way it does, and nothing of the outside is read."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from analysis.explore.documents import Documents
from analysis.explore.opened import open_study
from rft.records import read_json, write_json


@pytest.fixture
def study(tmp_path: Path) -> Path:
    specs = grid(models=("nano-m",), fracs=(1.0,), ks=(4,), methods=("sft", "rft"))
    (tmp_path / "secret.jsonl").write_text('{"id": "secret", "text": "secret", "question": "secret"}\n')
    write_study(tmp_path / "elsewhere", specs=specs, truth=Truth(num_items=20), rng_seed=1)
    return write_study(tmp_path / "study", specs=specs, truth=Truth(num_items=20), samples=2)


def _entry(study: Path) -> None:
    manifest = read_json(study / "study.json")
    manifest["cells"][0]["folder"] = "../elsewhere/0"
    write_json(study / "study.json", manifest)


def _absolute_entry(study: Path) -> None:
    manifest = read_json(study / "study.json")
    manifest["cells"][0]["folder"] = str(study.parent / "elsewhere" / "0")
    write_json(study / "study.json", manifest)


def _linked_cell(study: Path) -> None:
    os.rename(study / "0", study.parent / "moved")
    (study / "0").symlink_to(study.parent / "moved")


def _linked_record(study: Path) -> None:
    os.rename(study / "0" / "record.json", study.parent / "record.json")
    (study / "0" / "record.json").symlink_to(study.parent / "record.json")


def _linked_samples(study: Path) -> None:
    (study / "0" / "samples.jsonl").unlink()
    (study / "0" / "samples.jsonl").symlink_to(study.parent / "secret.jsonl")


def _named(name: str) -> Callable[[Path], None]:
    def spoil(study: Path) -> None:
        record = read_json(study / "0" / "record.json")
        record["files"]["samples"] = name.format(parent=study.parent)
        write_json(study / "0" / "record.json", record)

    return spoil


WAYS = [
    _entry, _absolute_entry, _linked_cell, _linked_record, _linked_samples,
    _named("../../secret.jsonl"), _named("{parent}/secret.jsonl"), _named(".."), _named(""),
]  # fmt: skip


@pytest.mark.parametrize("spoil", WAYS)
def test_it_is_refused_when_it_is_opened(study: Path, spoil: Callable[[Path], None]):
    open_study([study])
    spoil(study)
    with pytest.raises(ValueError, match=r"leads out of the study|files lie beside it"):
        open_study([study])


def test_links_inside_the_study_are_fine_and_so_is_a_link_to_it(study: Path):
    os.rename(study / "0", study / "moved")
    (study / "0").symlink_to(study / "moved")
    (study.parent / "link").symlink_to(study)
    assert len(open_study([study.parent / "link"]).cells) == 2


def test_what_is_linked_later_is_not_shown(study: Path):
    documents = Documents(open_study([study]))
    _linked_samples(study)
    shown = b"".join(documents.get(name) or b"" for name in documents.names())
    assert b"secret" not in shown
    place = next(i for i, cell in enumerate(documents.study.cells) if cell.folder and cell.folder.name == "0")
    assert b"leads out of the study" in gzip.decompress(documents.get(f"cells/{place}.json.gz") or b"")
