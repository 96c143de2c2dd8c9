"""The paper study plans exactly the published cells, and its comparison uses exactly the printed Table 4."""

from __future__ import annotations

import math

import pytest
from hydra import initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode

from analysis import paper
from hydra_plugins.rft_launchers.job_composing import JobComposer
from rft.conf_path import conf_folder
from rft.plan import paper_costs
from rft.plan.cell import CellPlan, plan
from rft.plan.paper_costs import TABLE_4, U13B, U33B, compare, comparison_text, unexplained, utilisation
from rft.plan.sources import Sources, resolve
from rft.plan.typed import to_study_config
from rft.stages.shard import Shard
from tests.config.test_conf import study_jobs

Cell = tuple[object, ...]  # model, method, data_frac, epochs in all, k, examples_frac, policy, union, votes


@pytest.fixture(scope="module")
def cells() -> list[CellPlan]:
    """Every planned cell, from the study file alone; hub models by their id, GSM8K by its published size."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        composer = JobComposer(loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN))
        jobs = study_jobs(loader, "paper")
        configs = [to_study_config(composer.compose(["+study=paper", *job])) for job in jobs]
    planned = []
    for cfg in configs:
        cfg.data.train_path = cfg.data.test_path = "hub:openai/gsm8k@main"
        sources: Sources = resolve(cfg)
        assert (sources.num_pool, sources.num_test) == (7473, 1319)
        planned.append(plan(cfg, sources))
    return planned


def planned_cell(cell: CellPlan) -> Cell:
    c = cell.setting
    epochs = None
    if "train.epochs" in c:
        epochs = c["train.epochs"] / (c["data_frac"] if c.get("train.epoch_rule") == "per_fraction" else 1)
    return (
        cell.names["model"],
        c["method"],
        c.get("data_frac"),
        epochs,
        c.get("k"),
        c.get("train.examples_frac"),
        c.get("select.policy"),
        tuple(c.get("union", ())),
        cell.read.measured.vote is not None,
    )


def published_cell(row: paper.Row) -> Cell:
    """The cell that a published maj1@1 rests on, read from its row apart from the study file."""
    method = row["method"]
    same = {name: row[name] for name in ("model", "method", "data_frac", "k", "epochs")}
    voted = bool(paper.find(metric="maj1@100", **same))
    model = row["model"].lower()
    if method == "ICL-8shot":
        return (model, "icl", None, None, None, None, None, (), voted)
    frac, epochs = float(row["data_frac"]), float(row["epochs"])
    if method == "SFT":
        return (model, "sft", frac, epochs, None, 1.0, None, (), voted)
    union = {"RFT-U13B": U13B, "RFT-U33B": U33B}.get(method, ())
    k = int(row["k"]) // max(1, len(union))
    if method == "RFT no dedup":  # its fraction is one of the 400K examples, as the row's note says
        return (model, "rft", 1.0, epochs, k, frac, "no_dedup", (), voted)
    return (model, "rft", frac, epochs, k, 1.0, "paper", union, voted)


def published_cells() -> list[Cell]:
    systems = ("ICL-8shot", "SFT", "RFT", "RFT no dedup", "RFT-U13B", "RFT-U33B")
    rows = [row for row in paper.rows() if row["metric"] == "maj1@1" and row["model"] in paper.MODELS]
    return [published_cell(row) for row in rows if row["method"] in systems]


def test_the_planned_cells_are_the_published_ones(cells: list[CellPlan]):
    planned, published = [planned_cell(cell) for cell in cells], published_cells()
    assert len(set(published)) == len(published) == 136
    assert set(planned) - set(published) == set()
    assert set(published) - set(planned) == set()
    assert len(planned) == len(set(planned))
    assert len({cell.cell_id for cell in cells}) == 136


def test_every_published_vote_is_planned(cells: list[CellPlan]):
    rows = [row for row in paper.find(metric="maj1@100") if row["model"] in paper.MODELS]
    assert sum(cell.read.measured.vote is not None for cell in cells) == len(rows) == 24
    assert {cell.read.measured.vote.pool.num_draws for cell in cells if cell.read.measured.vote is not None} == {100}


def test_shared_work_is_planned_once(cells: list[CellPlan]):
    stages = {stage.key: stage for cell in cells for stage in cell.stages}
    kinds = [stage.kind for stage in stages.values()]
    assert kinds.count("import") == 7
    assert kinds.count("finetune") == 136 - 7, "donors' SFT models are those of the SFT cells"
    assert kinds.count("select") == 24 + 5 + 4 + 2, "own k, k = 100, no dedup, two unions for all models"
    train = [s for s in stages.values() if isinstance(s, Shard) and s.subset.source.split == "train"]
    assert {s.model for s in train} == set(U33B)
    assert len(train) == 5 * 8 * 4


def test_a_share_of_the_examples_never_touches_the_donors_models(cells: list[CellPlan]):
    part = [cell for cell in cells if cell.setting.get("train.examples_frac", 1.0) != 1.0]
    assert len(part) == 5
    (whole,) = (c for c in cells if planned_cell(c)[:2] == ("llama-7b", "sft") and c.setting["data_frac"] == 1)
    for cell in part:
        assert whole.read.trained.weights.key in {stage.key for stage in cell.stages}


def test_the_table_is_the_printed_one():
    names = {"RFT inference": "RFT inference (k=100)", "pre-training": "pretrain"}
    printed_names = {model.lower(): model for model in paper.MODELS}
    for cell in TABLE_4:
        method, model = names.get(cell.phase, cell.phase), printed_names[cell.model]
        for metric, value in (("FLOPs", cell.flops), ("gpu_hours_A100_80GB", cell.hours)):
            (row,) = paper.find(model=model, method=method, metric=metric)
            assert paper.number_of(row) == value, (cell, metric)
            assert cell.suspect == ("SUSPECT" in row["note"] and metric != "FLOPs") or metric == "FLOPs"
    rows = {(r["model"], r["method"]) for r in paper.rows() if r["metric"] == "gpu_hours_A100_80GB"}
    shared = {("LLaMA2-7B", m) for _, m in rows} | {("LLaMA2-13B", m) for _, m in rows}
    assert len(TABLE_4) == len(rows) - len({pair for pair in shared & rows if pair[1] != "pretrain"})


def test_the_constant_of_a_phase_leaves_no_mean_error():
    for name, share in utilisation().items():
        own = [c for c in TABLE_4 if paper_costs.CONSTANT_OF[c.phase] == name and not c.suspect]
        errors = [math.log(c.flops / (share * paper_costs.A100_FLOPS_PER_S * 3600) / c.hours) for c in own]
        assert abs(sum(errors)) < 1e-9
        assert 0 < share < 1


def test_the_comparison_by_hand(cells: list[CellPlan]):
    rows = {(row.printed.phase, row.printed.size): row for row in compare(cells)}
    sft = rows["SFT", "7B"]
    assert sft.flops == pytest.approx(6 * 6_738_415_616 * 3 * 7473 * (66 + 130))
    pretraining = rows["pre-training", "70B-2"]
    assert pretraining.flops == pytest.approx(6 * 68_976_648_192 * 2e12)
    inference = rows["RFT inference", "13B"]
    assert inference.flops == pytest.approx(2 * 13_015_864_320 * 7473 * 100 * (66 + 130))
    assert rows["RFT inference", "65B"].flops is None
    assert rows["RFT-U33B training", "33B"].assumed
    assert not sft.assumed
    names = {(row.printed.phase, row.printed.size, what) for row, what, _ in unexplained(rows.values())}
    assert ("SFT", "7B", "hours") in names
    assert ("RFT inference", "33B", "hours") in names
    assert not any(phase == "pre-training" for phase, _, _ in names)


def test_the_text_fits_a_terminal_and_marks_assumed_yields(cells: list[CellPlan]):
    text = comparison_text(cells)
    assert max(map(len, text.splitlines())) <= 80
    assert "136 cells" in text
    marked = [line for line in text.splitlines() if line.startswith("RFT-U33B training")]
    assert len(marked) == 5
    assert all("~" in line for line in marked)
    assert "11.32 at" in text.replace("\n ", "")
    assert "unexplained" in text
