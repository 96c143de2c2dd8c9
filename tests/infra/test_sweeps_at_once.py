"""Several sweeps at work in one study: each has the cells that it asked for, however their steps fall between each other."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from rft.infra.study import Study
from rft.records import STUDY_FILE, read_json
from tests.infra.test_study import start


def sweep(folder: Path, token: str) -> Study:
    return Study(folder / "s", "s", token)


def killed(study: Study, *, replace: bool = False) -> None:
    """The sweep begins in a process of its own, which ends at once and without a word."""
    child = os.fork()
    if child == 0:
        study.begin(replace=replace, command=["killed"])
        os._exit(0)
    os.waitpid(child, 0)


def cells_of(study: Study) -> dict[str, tuple[str, ...]]:
    return {one.command: one.cells for one in study.sweeps()}


def names(study: Study) -> list[str]:
    return [str(entry["cell_id"]) for entry in study.cells()]


@pytest.mark.parametrize("seed", range(8))
def test_each_sweep_has_what_it_asked_for_in_any_order_of_their_steps(tmp_path: Path, seed: int):
    """Three sweeps of several cells each, some in two of them; the steps of all are shuffled, each sweep's own order kept."""
    asked = {"one": ["a-1", "b-2", "c-3"], "two": ["b-2", "d-4"], "three": ["e-5", "a-1", "f-6"]}
    order = [token for token, cells in asked.items() for _ in range(len(cells) + 2)]
    random.Random(seed).shuffle(order)
    steps = {token: iter(["begin", *cells, "end"]) for token, cells in asked.items()}
    first = []
    for token in order:
        study, step = sweep(tmp_path, token), next(steps[token])
        if step == "begin":
            study.begin(command=[token])
        elif step == "end":
            study.end()
        else:
            study.register([step])
            first += [token] if token not in first else []
    study = sweep(tmp_path, "")
    assert cells_of(study) == {token: tuple(cells) for token, cells in asked.items()}
    assert [(one.number, one.command) for one in study.sweeps()] == list(enumerate(first, 1))
    assert sorted(names(study)) == ["a-1", "b-2", "c-3", "d-4", "e-5", "f-6"]
    assert set(read_json(study.folder / STUDY_FILE)) == {"schema_version", "study", "group", "cells", "sweeps"}


def test_a_sweep_that_was_killed_before_its_first_cell_takes_no_others_and_drops_nothing(tmp_path: Path):
    sweep(tmp_path, "").register(["a-1"])
    killed(sweep(tmp_path, "dead"), replace=True)
    later = sweep(tmp_path, "later")
    later.begin(command=["later"])
    later.register(["b-2"])
    assert cells_of(later) == {"": ("a-1",), "later": ("b-2",)}
    assert names(later) == ["a-1", "b-2"]
    assert list(read_json(later.folder / STUDY_FILE)["under_way"]) == ["later"]


def test_a_refused_sweep_leaves_the_list_as_it_was(tmp_path: Path):
    study = sweep(tmp_path, "refused")
    sweep(tmp_path, "").register(["a-1"])
    before = (study.folder / STUDY_FILE).read_bytes()
    study.begin(replace=True)
    study.end()
    assert (study.folder / STUDY_FILE).read_bytes() == before


def test_a_replacing_sweep_drops_what_was_there_and_nothing_that_was_asked_for_since(tmp_path: Path):
    first, replacing, other = (sweep(tmp_path, token) for token in ("first", "replacing", "other"))
    first.begin(command=["first"])
    first.register(["a-1", "b-2", "c-3"])
    first.end()
    other.begin(command=["other"])
    replacing.begin(replace=True, command=["replacing"])
    other.register(["b-2", "d-4"])
    replacing.register(["e-5"])
    assert names(other) == ["b-2", "d-4", "e-5"]
    assert {"other": ("b-2", "d-4"), "replacing": ("e-5",)}.items() <= cells_of(other).items()


def test_a_sweep_all_of_whose_cells_another_replaced_goes_on_as_a_sweep_of_its_own(tmp_path: Path):
    first, replacing = sweep(tmp_path, "first"), sweep(tmp_path, "replacing")
    first.begin(command=["first"])
    first.register(["a-1"])
    replacing.begin(replace=True, command=["replacing"])
    replacing.register(["b-2"])
    first.register(["c-3"])
    assert cells_of(first) == {"replacing": ("b-2",), "first": ("c-3",)}
    assert len({one.number for one in first.sweeps()}) == 2


def test_an_invalid_job_is_forgotten_by_a_later_sweep_and_not_by_one_at_the_same_time(tmp_path: Path):
    first, second, third = (sweep(tmp_path, token) for token in ("first", "second", "third"))
    first.begin()
    first.register_invalid("k=0", reason="k is 0")
    second.begin()
    second.register(["a-1"])
    assert names(first) == ["invalid job (k=0)", "a-1"]
    first.end()
    third.begin()
    third.register(["a-1"])
    assert names(first) == ["a-1"]
    assert not list(first.folder.glob("invalid-*"))


@pytest.mark.parametrize("launcher", ["basic", "dag_local"])
def test_two_commands_at_once(tmp_path: Path, launcher: str):
    """Jobs that run one by one, so that the cells of both come between each other; and two graphs."""
    words = ("-m", f"hydra/launcher={launcher}", "study_name=s", "model=nano-xs", "method=icl")
    commands = [start(tmp_path, *words, f"data_seed={seeds}") for seeds in ("1,2,3", "4,5,6")]
    assert [one.wait(timeout=300) for one in commands] == [0, 0]
    study = Study(tmp_path / "multirun_outputs" / "s", "s")
    found = {one.command.rpartition("=")[2]: one.cells for one in study.sweeps()}
    assert {seeds: len(cells) for seeds, cells in found.items()} == {"1,2,3": 3, "4,5,6": 3}
    assert sorted(cell for cells in found.values() for cell in cells) == sorted(names(study))
    seeds = {read_json(study.folder / cell / "record.json")["seeds"]["data_seed"] for cell in found["1,2,3"]}
    assert seeds == {1, 2, 3}
    assert "under_way" not in read_json(study.folder / STUDY_FILE)
