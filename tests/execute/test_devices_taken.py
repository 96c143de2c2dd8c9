"""Device hours of a sweep: seconds of a stage times the devices that it takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from composing import tiny

from rft.config import StoreConfig
from rft.execute.devices_taken import devices_taken
from rft.execute.stages import StagePayload
from rft.infra.graph import Event, Task
from rft.infra.live import LIVE_FOLDER, SWEEP_FILE, Tail
from rft.infra.remaining import Estimate
from rft.infra.sweep_log import SweepLog
from rft.plan.cell import plan
from rft.plan.sources import resolve


def tasks_of(*words: str) -> dict[str, Task]:
    """One of each kind of stage."""
    cfg = tiny("method=rft", "k=2", *words)
    where = StoreConfig(root="s", cache="", cache_gib=1.0)
    stages = plan(cfg, resolve(cfg)).stages
    tasks = [
        Task(stage.key, (), "m:f", StagePayload(stage, where, cfg.runtime, ()), group=stage.kind) for stage in stages
    ]
    return {task.group: task for task in tasks} | {"record": Task("cell", (), "m:f", None, group="record")}


def test_trainings_and_vllm_take_as_many_as_their_settings_say():
    words = ("runtime.processes=8", "runtime.tensor_parallel=4")
    found = {kind: devices_taken(task) for kind, task in tasks_of(*words).items()}
    assert (found["finetune"], found["pretrain"], found["loss"], found["record"]) == (8, 8, 1, 0)
    assert (found["shard"], found["evaluate"]) == (1, 1)  # by another engine, which knows no tensor parallel
    task = tasks_of(*words)["shard"]
    generation = dataclasses.replace(task.payload.stage.generation, engine="vllm")
    shard = dataclasses.replace(task.payload.stage, generation=generation)
    assert devices_taken(dataclasses.replace(task, payload=dataclasses.replace(task.payload, stage=shard))) == 4


@pytest.mark.parametrize(("uses_gpu", "name"), [(True, "cost/gpu_hours"), (False, "cost/device_hours")])
def test_the_log_says_seconds_times_devices(uses_gpu: bool, name: str, tmp_path: Path):
    tasks = tasks_of("runtime.processes=8")
    estimate = Estimate(list(tasks.values()), workers=1)
    log = SweepLog(tmp_path, estimate=estimate, others=(0, 0), uses_gpu=uses_gpu, devices_of=devices_taken)
    for kind, seconds in (("finetune", 3600.0), ("loss", 1800.0), ("record", 900.0)):
        log.on_event(Event("done", tasks[kind], seconds=seconds))
    log.close()
    assert Tail(tmp_path / LIVE_FOLDER / SWEEP_FILE).fresh()[-1][name] == 8.5


def test_hours_of_a_study_go_on_where_the_sweep_before_left_them(tmp_path: Path):
    tasks = tasks_of()
    for _ in range(2):
        estimate = Estimate(list(tasks.values()), workers=1)
        log = SweepLog(tmp_path, estimate=estimate, others=(0, 0), uses_gpu=False, devices_of=devices_taken)
        log.on_event(Event("done", tasks["finetune"], seconds=3600.0))
        log.close()
    assert Tail(tmp_path / LIVE_FOLDER / SWEEP_FILE).fresh()[-1]["cost/device_hours"] == 2.0
