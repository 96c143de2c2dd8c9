"""Any causal language model by its path alone: nine families are trained, sampled and scored; others are refused first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from rft import api
from rft.config import ModelSource
from rft.core.model import count_parameters
from rft.core.sampling.engines import choose_engine
from rft.execute.cell import plan_cell
from rft.infra.store import Store
from rft.plan.show import plan_text
from rft.records import read_json
from tests.byte_model import write_problems
from tests.composing import composed, compute
from tests.own_models import FAMILIES, own_model, write_own_model

torch.set_num_threads(1)

BY_CTRANSLATE2 = {"llama", "qwen2", "gpt2", "mistral"}  # the others go to torch


def keys(folder: Path, model: Path) -> list[str]:
    """Nothing is said of the model but where it lies."""
    data = write_problems(folder / "data", num_train=8, num_test=4)
    return [
        f"model.path={model}",
        "data=gsm8k",
        f"data.train_path={data}",
        f"data.test_path={data}",
        f"store.root={folder}/store",
        "data.prompt=plain",
        "data.max_new_tokens=6",
        "train.epochs=1",
        "train.batch_size=4",
        "loss.max_tokens=256",
        "k=2",
        "sampling.draws_per_shard=2",
        "tracking.mode=disabled",
        "runtime.device=cpu",
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_is_trained_sampled_and_scored(tmp_path: Path, family: str) -> None:
    model = write_own_model(tmp_path / f"my-{family}", family)
    cell = plan_cell(composed(*keys(tmp_path, model), "method=rft"))
    assert cell.sources.engines == {f"my-{family}": "ctranslate2" if family in BY_CTRANSLATE2 else "torch"}
    record = read_json(compute(cell.cfg, study=tmp_path / "study") / "record.json")
    assert record["model"]["name"] == f"my-{family}"
    assert record["model"]["family"] == family
    assert record["model"]["num_params"] == sum(p.numel() for p in own_model(family).parameters())
    assert record["scores"]["maj1@1"]["n"] == 4
    assert record["setting"]["train.lr"] == 2e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_inferred_is_what_the_model_says(tmp_path: Path, family: str) -> None:
    """Counts are told from the headers of the files, against the loaded model."""
    folder = write_own_model(tmp_path / "mine", family, dtype=torch.bfloat16)
    model, whole = composed(f"model.path={folder}").model, own_model(family)
    assert (model.name, model.family, model.source, model.lr) == ("mine", family, ModelSource.imported, 2e-5)
    assert (model.arch, model.pretrain) == (None, None)
    assert model.num_params == count_parameters(whole).total
    assert (model.num_layers, model.width, model.context) == (1, 16, 2048)
    if family != "gpt2":  # whose learned positions are no matrix of tokens
        assert model.num_params_non_embedding == count_parameters(whole).non_embedding


def plan_of(folder: Path, *overrides: str) -> str:
    cell = plan_cell(composed(*overrides, "method=sft"))
    return plan_text([cell.plan], store=Store(folder / "store"), runtime=cell.cfg.runtime, workers=1)


def test_the_plan_shows_what_was_inferred_and_the_engine(tmp_path: Path) -> None:
    model = write_own_model(tmp_path / "tiny", "gpt_neox", dtype=torch.bfloat16)
    text = plan_of(tmp_path, *keys(tmp_path, model))
    assert f"model tiny: imported from {model} (BF16), family gpt_neox, lr 2e-05, engine torch" in text
    assert "inferred: family gpt_neox: model_type of config.json" in text
    assert "inferred: lr 2e-05: the paper's, not chosen for this model" in text
    assert "sampling.engine=auto passed over ctranslate2: CTranslate2's converter cannot read" in text


def test_what_is_said_of_a_model_stands(tmp_path: Path) -> None:
    folder = write_own_model(tmp_path / "tiny", "llama")
    model = composed(f"model.path={folder}", "model.lr=1e-4", "model.name=other", "model.prompt=plain").model
    assert (model.lr, model.name, model.prompt, model.family) == (1e-4, "other", "plain", "llama")
    assert not any(text.startswith(("lr", "name")) for text in model.inferred)
    said = composed(f"model.path={folder}", "model.lr=1.0e-3").model  # nano-xs has the same
    assert said.lr == 1e-3
    with pytest.raises(ValueError, match=r"model.arch is set, but model.path=.* shape of its own"):
        composed(f"model.path={folder}", "model.arch.width=64")


def test_an_engine_says_before_anything_runs_that_it_cannot_serve(tmp_path: Path) -> None:
    for family, reason in (("gpt_neox", "GPT-NeoX"), ("phi", "Phi"), ("olmo", "knows no OlmoForCausalLM")):
        model = write_own_model(tmp_path / family, family)
        with pytest.raises(ValueError, match=rf"sampling.engine=ctranslate2 cannot serve .*{reason}"):
            plan_cell(composed(*keys(tmp_path, model), "sampling.engine=ctranslate2"))
        choice = choose_engine("auto", model, device="cpu")
        assert choice.engine == "torch"
        assert reason in choice.passed[0][1]


def test_a_model_that_continues_no_text_is_refused(tmp_path: Path) -> None:
    model = write_own_model(tmp_path / "bert", "llama")
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"architectures": ["BertForMaskedLM"]}))
    for base in ((), ("model=smollm2-135m",)):
        with pytest.raises(ValueError, match="BertForMaskedLM, which is no causal language model"):
            plan_cell(composed(*base, *keys(tmp_path, model)))


def test_a_model_of_the_hub_is_known_by_its_name() -> None:
    model = composed("model.path=EleutherAI/pythia-31m", "data=gsm8k").model
    assert (model.name, model.family, model.num_params) == ("pythia-31m", "pythia-31m", None)


def test_a_file_with_a_path_alone_is_that_model_under_the_files_name(tmp_path: Path) -> None:
    """As the cell's model and as a donor: what the file says stands, the rest is what the path alone gives."""
    folder = write_own_model(tmp_path / "a-folder", "gpt_neox")
    for name, lines in (("a-folder", ""), ("other", "lr: 1.0e-3\nfamily: ours\n")):
        path = tmp_path / "conf/model" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"path: {folder}\n{lines}")
    more = [key for key in keys(tmp_path, folder) if not key.startswith("model.path")]
    cell = api.plan("model=a-folder", "method=rft", "union=[a-folder,other]", *more, config_dir=tmp_path / "conf")
    assert "model a-folder: imported from" in cell.text
    assert "family gpt_neox, lr 2e-05, engine torch" in cell.text
    assert "model other: imported from" in cell.text
    assert "family ours, lr 0.001, engine torch" in cell.text
    assert "inferred: num_params" in cell.text
    by_path = api.plan(f"model.path={folder}", "method=sft", *more)
    by_file = api.plan("model=a-folder", "method=sft", *more, config_dir=tmp_path / "conf")
    assert [(one.label, one.key) for one in by_file.stages] == [(one.label, one.key) for one in by_path.stages]


def test_a_file_that_leaves_out_what_nothing_tells_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/empty.yaml").write_text("lr: 1.0e-3\n")
    with pytest.raises(
        ValueError, match=r"model=empty: its file gives neither family, name, source nor a path: give `path"
    ):
        api.plan("model=empty", config_dir=tmp_path)
