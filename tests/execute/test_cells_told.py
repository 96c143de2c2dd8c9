"""How many cells are done and how many are missing, as a sweep says while it runs: of the whole study, by its files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from composing import tiny
from synthetic_study import Truth, grid, write_study

from rft.execute import sweep
from rft.infra.graph import Event, Result, Task
from rft.infra.live import LIVE_FOLDER, SWEEP_FILE, Tail
from rft.infra.study import Study
from rft.records import RECORD_FILE, Record, read_json


class AllDone:
    """Computes nothing and says that all went well."""

    workers = 1
    engine = "none"

    def run(self, tasks: Sequence[Task], *, on_event: Callable[[Event], None]) -> dict[str, Result]:
        for task in tasks:
            on_event(Event("started", task))
            on_event(Event("done", task, seconds=1.0))
        return {task.id: Result("done") for task in tasks}


def said(folder: Path) -> tuple[int, int]:
    last = Tail(folder / LIVE_FOLDER / SWEEP_FILE).fresh()[-1]
    return last["sweep/cells_done"], last["sweep/cells_missing"]


def test_cells_without_a_record_are_missing_whichever_sweep_they_are_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "tell_found", lambda *_, **__: None)  # it reads what was computed
    folder = tmp_path / "study"
    study = Study(folder, "study")
    other = write_study(tmp_path / "other", specs=grid(models=["nano-s"], fracs=[1.0]), truth=Truth(num_items=20))
    finished = min(other.glob(f"*/{RECORD_FILE}")).parent
    done = Record.from_json(read_json(finished / RECORD_FILE)).cell_id
    shutil.copytree(finished, folder / done)
    study.register([done, "earlier-edited", "earlier-failed"])
    (folder / "earlier-edited").mkdir()
    (folder / "earlier-edited" / RECORD_FILE).write_text("{}")
    study.fail("earlier-failed", reason="the loss is nan", stage="finetune")
    study.register_invalid("k=0", reason="k is 0")
    jobs = [tiny("method=sft", f"seed={n}", "preflight=true", f"store.root={tmp_path}/store") for n in (0, 1)]
    monkeypatch.setattr(sweep, "_preflight", lambda cells, **_: {cells[0].plan.cell_id: "the model does not load"})
    sweep.run_sweep(jobs, study_folder=folder, executor=AllDone())
    # the earlier one and the second; the one without a readable record, the failed, the invalid and the refused
    assert said(folder) == (2, 4)
