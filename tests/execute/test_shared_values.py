"""What all jobs of a sweep must share: two values of one key are refused before anything runs, by the key's name."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from composing import tiny

from rft.config import StudyConfig
from rft.config.fields import Role, leaves
from rft.execute.shared_values import check_shared
from rft.execute.sweep import run_sweep
from tests.infra.test_study import run

OF_CELLS = {"eval.sets"}  # each cell has its own test sets
BY_THE_PROGRAM = {"plan.engine", "plan.is_shown", "plan.sweep"}  # not set by users


class NoWork:
    """Runs nothing: what comes so far was not refused."""

    workers, engine = 1, "none"

    def run(self, tasks: Sequence[Any], *, on_event: Any) -> dict[str, Any]:
        raise AssertionError("the sweep was not refused")


def other(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, Enum):
        return next(one for one in type(value) if one is not value)
    return [*value, "x"] if isinstance(value, list) else value + 1 if isinstance(value, int | float) else f"{value}x"


def changed(cfg: StudyConfig, path: str) -> StudyConfig:
    twin = copy.deepcopy(cfg)
    *parts, last = path.split(".")
    part: Any = twin
    for name in parts:
        part = part[name] if isinstance(part, dict) else getattr(part, name)
    setattr(part, last, other(getattr(part, last)))
    return twin


def refusal(jobs: Sequence[StudyConfig]) -> str:
    try:
        check_shared(jobs)
    except ValueError as error:
        return str(error)
    return ""


def test_every_key_of_how_the_work_is_done_has_one_value_in_a_sweep_and_others_have_two() -> None:
    cfg = tiny(
        "method=rft",
        "union=[teacher]",
        "+servers.teacher.base_url=http://localhost:1/v1",
        "+servers.teacher.model=m",
    )
    told = {leaf.path: refusal([cfg, cfg.with_values(seed=1), changed(cfg, leaf.path)]) for leaf in leaves(cfg)}
    refused = {path for path, text in told.items() if text}
    assert all(told[path].startswith(f"{path} takes two values in one sweep, ") for path in refused)
    how = {leaf.path for leaf in leaves(cfg) if leaf.spec.role is Role.run} - OF_CELLS - BY_THE_PROGRAM
    assert {"store.root", "study_name", "tracking.tags", "runtime.threads", "servers.teacher.retries"} <= how
    assert refused == how | {"numerics"}


@pytest.mark.parametrize("key", ["store.root", "study_name", "runtime.threads", "tracking.tags", "dry_run"])
def test_a_sweep_with_two_values_writes_nothing(tmp_path: Path, key: str) -> None:
    cfg = tiny("method=sft", f"store.root={tmp_path}/store")
    with pytest.raises(ValueError, match=f"{key} takes two values in one sweep"):
        run_sweep([cfg, changed(cfg, key)], study_folder=tmp_path / "study", executor=NoWork())
    assert list(tmp_path.iterdir()) == []


def test_a_cell_has_one_choice_of_further_test_sets_and_two_cells_may_have_two(tmp_path: Path) -> None:
    further = ("eval.sets=[far]", "+eval_sets.far={world:{seed:7}}")
    plain, more = ("method=sft", "dry_run=true"), ("method=icl", "dry_run=true")
    with pytest.raises(ValueError, match=r"eval\.sets takes two values for one cell, \[\] and \['far'\]"):
        run_sweep([tiny(*plain), tiny(*plain, *further)], study_folder=tmp_path, executor=NoWork())
    found = run_sweep([tiny(*plain), tiny(*more, *further)], study_folder=tmp_path, executor=NoWork())
    assert len({cell_id for cell_id, _ in found}) == 2


def test_jobs_that_run_one_by_one_are_of_one_study(tmp_path: Path) -> None:
    text = run(tmp_path, "-m", "model=nano-xs", "method=sft", "study_name=one,two", status=1)
    assert "error: study_name takes two values in one sweep, one and two" in text
    assert "Traceback" not in text
    assert not list(tmp_path.glob("**/record.json"))
