"""Donors without equations, or with fewer draws than k, are told of, each by name, whatever else is in the union."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from byte_model import overrides
from composing import composed, compute

from rft.config import StudyConfig
from rft.execute.executor import LocalProcesses
from rft.execute.sweep import run_sweep
from rft.records import Record, read_json, read_jsonl


def write_pools(folder: Path) -> Path:
    """The training solutions twice a question, as they are and without what stands in angle brackets."""
    rows = list(read_jsonl(folder / "data" / "train.jsonl"))
    for name, change in (("marked", str), ("bare", lambda text: text.replace("<<", "(").replace(">>", ")"))):
        drawn = [{"question": row["question"], "solution": change(row["answer"])} for row in rows for _ in range(2)]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in drawn))
    return folder


def cell(folder: Path, *union: str, more: tuple[str, ...] = ()) -> StudyConfig:
    given = overrides(folder)
    write_pools(folder)
    pools = [f"+pools.{name}.path={folder}/{name}.jsonl" for name in union]
    return composed(*given, "method=rft", "k=2", f"union=[{','.join(union)}]", *pools, *more)


def test_the_one_donor_without_is_named_and_the_record_has_both(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="rft"):
        folder = compute(cell(tmp_path, "marked", "bare"), study=tmp_path / "study")
    (told,) = [line for line in caplog.messages if "equation" in line]
    assert "100% of bare's samples have no <<...>> equation" in told
    assert Record.from_json(read_json(folder / "record.json")).data["no_equation_by_donor"] == {"bare": 1, "marked": 0}
    assert Record.from_json(read_json(folder / "record.json")).data["no_equation_frac"] == 0.5


def test_a_pool_that_ends_before_k_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING, logger="rft"):
        compute(cell(tmp_path, "marked", more=("k=5",)), study=tmp_path / "study")
    assert "marked has at most 2 draws of a question, so that k=5 is k=2 of it" in caplog.text


@pytest.mark.parametrize(("union", "more"), [(("marked",), ()), (("bare",), ("select.equations=plain",))])
def test_whoever_has_equations_that_are_read_is_not_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, union: tuple[str, ...], more: tuple[str, ...]
):
    with caplog.at_level(logging.WARNING, logger="rft"):
        compute(cell(tmp_path, *union, more=more), study=tmp_path / "study")
    assert not any(word in caplog.text for word in ("equation", "at most"))


def test_a_sweep_whose_cells_are_made_by_workers_says_it_once(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    jobs = [cell(tmp_path, "bare", more=(f"train.epochs={epochs}",)) for epochs in (1, 2)]
    with caplog.at_level(logging.WARNING, logger="rft"):
        run_sweep(jobs, study_folder=tmp_path / "study", executor=LocalProcesses(workers=1, threads=1))
    assert len([line for line in caplog.messages if "bare's samples have no" in line]) == 1
