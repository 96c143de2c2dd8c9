"""A field of another kind, in any file that is read by name: a fault in words from every tool, never a traceback."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from synthetic_study import seal_cell

from rft import cli
from rft.archive.reading import ABOUT_FILE, About, _digest_of
from rft.archive.seals import seal
from rft.archive.writing import write_archive
from rft.check.finding import Verdict
from rft.check.verify import Asked, verify
from rft.infra.manifest import read_manifest, write_manifest
from rft.records import FAILURE_FILE, RECORD_FILE, STUDY_FILE, Record, read_json, write_json

Row = dict[str, Any]
ODD: tuple[Any, ...] = (None, 7, "text", [], {}, [None], {"a": None}, True)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every part of a record but of values that may be anything (settings, facts): of a list its first item."""
    yield path
    if path and path[0] in ("setting", "model", "data"):
        return
    if isinstance(value, dict):
        for name, one in value.items():
            yield from places(one, (*path, name))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def put(row: Row, path: tuple[Any, ...], value: Any) -> Row:
    changed: Any = copy.deepcopy(row)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    return dict(changed)


def cell(place: Path) -> Path:
    return next((place / "study").glob("*_rft_*"))


def test_a_record_with_any_part_of_another_kind_is_a_record_or_a_sentence(made: Path):
    """What passes has what every reader takes from it."""
    row = read_json(cell(made) / RECORD_FILE)
    refused = 0
    for path in [path for path in places(row) if path]:
        for odd in ODD:
            changed = put(row, path, odd)
            try:
                record = Record.from_json(changed)
            except ValueError:
                refused += 1
                continue
            origins = record.provenance.get("origins", [])
            assert all(isinstance(stage["key"] + stage["name"], str) for stage in record.stages), path
            assert not origins or all(isinstance(origins[stage["origin"]], dict) for stage in record.stages), path
            assert all(cost.key[:8] and cost.seconds + cost.flops + cost.tokens >= 0 for cost in record.cost), path
            assert all(f"{name}{file}" for name, file in record.files.items()), path
    assert refused > 300


# One of each kind, through the whole of verify with digests made to fit
SOME: list[tuple[tuple[Any, ...], Any]] = [
    (("stages", 0), None),
    (("stages", 0, "origin"), 99),
    (("setting",), {}),
    (("setting", "method"), 7),
    (("setting", "data.rule"), None),
    (("seeds", "train_seed"), "x"),
    (("model",), {}),
    (("data",), {}),
    (("data", "perturbed"), 7),
    (("scores",), {}),
    (("names",), {}),
    (("provenance", "command"), [7]),
]


def test_verify_says_what_is_odd(place: Path):
    row = read_json(cell(place) / RECORD_FILE)
    for path, odd in SOME:
        changed = put(row, path, odd)
        write_json(cell(place) / RECORD_FILE, changed)
        seal(cell(place), record=changed, files=row["files"].values())
        found = verify(place / "study", Asked())
        bad = [one for one in found if one.verdict is not Verdict.SAME and "rft" in one.place]
        assert bad, path
        assert all(one.why for one in bad)
        assert cli.call(["explain", str(place / "study"), cell(place).name, "--store", str(place / ".store")]) in (0, 2)
        assert cli.call(["diff", str(cell(place)), str(place / "study")]) in (0, 2)


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"cells": 7}', '{"cells": []}', '{"cells": [7], "study": "s"}', '{"cells": [], "study": 7}',
             '{"cells": [{"cell_id": 7, "folder": "a"}], "study": "s"}']
)  # fmt: skip
def test_a_malformed_list_of_cells_is_a_fault_for_every_tool(place: Path, text: str, tmp_path: Path):
    study = str(place / "study")
    (place / "study" / STUDY_FILE).write_text(text)
    assert cli.call(["verify", study]) in (1, 2)
    for words in (["explain", study, "nano"], ["archive", study, "--to", str(tmp_path / "a")], ["plot", study]):
        assert cli.call(words) == 2, words


def test_a_malformed_reason_is_no_crash(place: Path):
    (cell(place) / RECORD_FILE).unlink()
    for text in ("[]", "{}", '{"reason": 7}', "no json"):
        (cell(place) / FAILURE_FILE).write_text(text)
        assert cli.call(["status", str(place / "study")]) == 0
        assert cli.call(["verify", str(place / "study")]) == 0


def test_a_malformed_stage_is_a_fault(place: Path):
    for manifest in sorted((place / ".store").glob("[!.]*/*/*/manifest.json")):
        old = read_manifest(manifest.parent)
        assert old is not None
        manifest.unlink()
        write_manifest(manifest.parent, name=old.name, key=old.key, seconds=old.seconds, meta={"tokens": "x"})
    found = verify(place / "study", Asked(str(place / ".store")))
    assert any(one.verdict is Verdict.DIFFERS for one in found)


def test_a_malformed_archive_is_a_fault(place: Path, tmp_path: Path):
    write_archive(place / "study", to=tmp_path / "archive")
    about = tmp_path / "archive" / ABOUT_FILE
    body = read_json(about)
    del body["digest"]
    for name in body:
        for odd in (None, 7, {"a": 1}, [7]):
            changed = {**body, name: odd}
            about.write_text(json.dumps({**changed, "digest": _digest_of(changed)}))
            try:
                About.read(about)
            except ValueError:
                assert cli.call(["verify", str(tmp_path / "archive")]) in (1, 2)
    seal_cell(cell(place))
