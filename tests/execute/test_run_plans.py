"""Which runs a sweep has in W&B, and by what they can be grouped."""

from __future__ import annotations

from pathlib import Path

from composing import tiny

from rft.execute.cell import plan_cell
from rft.execute.mirror import run_plans
from rft.infra.live import LIVE_FOLDER, Appender
from rft.infra.mirror_stream import Stream
from rft.infra.store import Store
from rft.infra.study import Study
from rft.infra.tracking import RunPlan


def plans(folder: Path, *methods: str) -> dict[str, list[RunPlan]]:
    cells = [plan_cell(tiny(f"method={name}", "k=2", f"store.root={folder}/store")).plan for name in methods]
    found: dict[str, list[RunPlan]] = {}
    for one in run_plans(cells, hits={}, store=Store(folder / "store"), study=Study(folder / "s", "s")):
        found.setdefault(one.job_type, []).append(one)
    return found


def test_a_stage_that_cells_share_is_one_run_and_they_link_to_it(tmp_path: Path):
    runs = plans(tmp_path, "sft", "rft")
    (base,) = runs["pretrain"]
    assert len(runs["finetune"]) == 2  # SFT is the donor of RFT too
    (sft,) = [one for one in runs["finetune"] if one.name == "finetune nano-xs sft 1"]
    assert all({base.run_id, sft.run_id} <= set(cell.links.values()) for cell in runs["cell"] if "_rft_" in cell.name)
    assert all(base.run_id in cell.links.values() for cell in runs["cell"])
    assert len({one.run_id for group in runs.values() for one in group}) == sum(map(len, runs.values()))


def test_shards_of_a_pool_are_one_run(tmp_path: Path):
    (pool,) = plans(tmp_path, "rft")["sample"]
    assert len(pool.files) > 1
    assert all(name.startswith("shard-") for name in pool.files)


def told_pool(folder: Path) -> RunPlan:
    """A pool whose shards a sweep has computed, and said so."""
    (pool,) = plans(folder, "rft")["sample"]
    for name in pool.files:
        log = Appender(folder / "s" / LIVE_FOLDER / name)
        log({"event": "start"})
        log({"done": 8, "total": 8, "graded": 8, "correct": 2, "truncated": 1, "tokens": 80})
        log({"event": "done"})
        log.close()
    return pool


def test_a_cell_that_a_later_sweep_finishes_names_the_run_of_its_pool(tmp_path: Path):
    """The sweep before was broken off when the pool was drawn: what W&B shows is that of one sweep without a break."""
    pool = told_pool(tmp_path)
    cell = plan_cell(tiny("method=rft", "k=2", f"store.root={tmp_path}/store")).plan
    hits = {stage.key: stage.kind == "shard" for stage in cell.stages}
    found = run_plans([cell], hits=hits, store=Store(tmp_path / "store"), study=Study(tmp_path / "s", "s"))
    (own,) = [one for one in found if one.job_type == "cell"]
    assert pool.run_id in own.links.values()
    assert [one for one in found if one.job_type == "sample"] == [pool]


def test_a_pool_that_goes_on_counts_the_shards_of_the_sweep_before(tmp_path: Path):
    """A later sweep finds some shards finished: the run's points go on, and its totals are those of the whole pool."""
    pool = told_pool(tmp_path)
    cell = plan_cell(tiny("method=rft", "k=2", f"store.root={tmp_path}/store")).plan
    first = next(stage for stage in cell.stages if stage.kind == "shard")
    found = run_plans([cell], hits={first.key: True}, store=Store(tmp_path / "store"), study=Study(tmp_path / "s", "s"))
    (later,) = [one for one in found if one.job_type == "sample"]
    points = Stream(later, folder=tmp_path / "s").read()
    assert points[-1].values["sample/draws"] == 8 * len(pool.files)
    assert len(points) == len(pool.files)


def test_a_run_is_grouped_by_what_its_cells_agree_in(tmp_path: Path):
    runs = plans(tmp_path, "sft", "rft")
    (base,) = runs["pretrain"]
    assert base.config["data_frac"] == 1
    assert "method" not in base.config
    own = {cell.config["method"]: cell.config for cell in runs["cell"]}
    assert set(own) == {"sft", "rft"}
    assert own["rft"]["k"] == 2
    assert all(not isinstance(value, dict) or key == "links" for key, value in own["rft"].items())


def test_what_is_finished_and_has_no_curve_has_no_run(tmp_path: Path):
    cell = plan_cell(tiny("method=sft", f"store.root={tmp_path}/store")).plan
    hits = {stage.key: True for stage in cell.stages}
    found = run_plans([cell], hits=hits, store=Store(tmp_path / "store"), study=Study(tmp_path / "s", "s"))
    assert [one.job_type for one in found] == ["sweep", "cell"]
