"""Of a sweep: one engine for all its models, one plan, one warning for each choice; and what a plan sees before it runs."""

from __future__ import annotations

import re
from pathlib import Path

import forked
import pytest
from byte_model import write_problems
from composing import TINY, composed, tiny
from own_models import write_own_model

from rft.execute.cell import plan_cell
from rft.infra.store import Store
from rft.plan.show import plan_text
from rft.plan.sweep_engine import shared_engine, with_one_engine


def own(folder: Path, family: str, *more: str):
    data = write_problems(folder / "data", num_train=8, num_test=4)
    model = folder / f"my-{family}"
    if not model.exists():
        write_own_model(model, family)
    keys = (f"model.path={model}", "data=gsm8k", f"data.train_path={data}", f"data.test_path={data}")
    small = ("data.prompt=plain", "data.max_new_tokens=6", "runtime.device=cpu", f"store.root={folder}/store")
    return composed(*keys, *small, *more)


def test_auto_is_one_engine_for_all_models_of_a_sweep(tmp_path: Path) -> None:
    jobs = [own(tmp_path, family, "method=sft") for family in ("llama", "gpt_neox", "gpt2")]
    assert shared_engine(jobs) == "torch"
    together = [plan_cell(cfg) for cfg in with_one_engine(jobs)]
    assert [cell.plan.setting["sampling.engine"] for cell in together] == ["torch"] * 3
    alone = [plan_cell(cfg) for cfg in with_one_engine(jobs[:1] + jobs[2:])]
    assert [cell.plan.setting["sampling.engine"] for cell in alone] == ["ctranslate2"] * 2
    named = plan_cell(own(tmp_path, "llama", "method=sft", "sampling.engine=torch")).plan
    assert together[0].plan.cell_id == named.cell_id, "as if the engine had been named"
    text = plan_text([c.plan for c in together], store=Store(tmp_path / "store"), runtime=jobs[0].runtime, workers=1)
    assert text.count("passed over ctranslate2: it does not serve all models of this sweep") == 1, "told once"
    assert "passed over ctranslate2: CTranslate2's converter cannot read" in text


def test_a_named_engine_stands_beside_an_open_choice(tmp_path: Path) -> None:
    jobs = [own(tmp_path, "llama", "sampling.engine=ctranslate2"), own(tmp_path, "gpt2"), own(tmp_path, "gpt_neox")]
    found = [plan_cell(cfg).plan.setting["sampling.engine"] for cfg in with_one_engine(jobs)]
    assert found == ["ctranslate2", "torch", "torch"]


def test_a_donor_that_an_engine_cannot_serve_counts(tmp_path: Path) -> None:
    """The cell's own model and what its union draws from."""
    cfg = own(tmp_path, "llama", "method=rft")
    cfg.donors["my-gpt_neox"] = own(tmp_path, "gpt_neox").model
    cfg.union = ["my-gpt_neox"]
    assert shared_engine([cfg]) == "torch"


@pytest.mark.parametrize("launcher", ["basic", "dag_local"])
def test_a_sweep_shows_one_plan_and_tells_each_choice_once(tmp_path: Path, launcher: str) -> None:
    sweep = ["method=sft,rft", "k=2", "tune.train.lr=[1e-3,1e-2]", "model.pretrain.sequence=256"]
    place = [f"store.root={tmp_path}/store", f"hydra.sweep.dir={tmp_path}/study"]
    words = ("-m", "rft.run", "-m", f"hydra/launcher={launcher}", *TINY, *sweep, *place)
    done = forked.run(*words, cwd=tmp_path)
    told = done.stdout + done.stderr
    assert done.returncode == 0, told
    assert len(re.findall(r"cells: \d+ of \d+ jobs", told)) == 1
    assert len(re.findall(r"beyond the grid \(2 cells follow it\)", told)) == 1
    assert told.count("beyond the grid") == 1


def test_a_plan_does_not_print_a_rate_that_is_tuned(tmp_path: Path) -> None:
    cell = plan_cell(tiny("method=sft", "tune.train.lr=[2e-3,1e-2]", f"store.root={tmp_path}"))
    text = "\n".join(cell.plan.told)
    assert "lr chosen on validation" in text
    assert "lr of 0.002, 0.01" in text
    assert "0.001" not in text, "the model's own, which nothing uses"
    assert "epochs" in text
    assert "lr 0.001" in "\n".join(plan_cell(tiny("method=sft", f"store.root={tmp_path}")).plan.told)
    found, tuned = (
        "\n".join(plan_cell(own(tmp_path / str(i), "llama", *more)).plan.told)
        for i, more in enumerate(((), ("tune.train.lr=[2e-3,1e-2]",)))
    )
    assert "lr 2e-05" in found
    assert "2e-05" not in tuned, "the rate of a model by its path, which nothing uses"
    assert "family llama" in tuned


def test_a_window_of_the_loss_beyond_a_models_context_is_refused_in_the_plan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"loss.window=1024 exceeds the model's context of 512"):
        plan_cell(tiny("loss.window=1024", f"store.root={tmp_path}"))
    with pytest.raises(ValueError, match=r"loss.window=4096 exceeds the model's context"):
        plan_cell(own(tmp_path, "llama", "loss.window=4096"))
    plan_cell(own(tmp_path, "llama"))
