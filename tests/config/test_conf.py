"""Every model and study file composes and validates, and the models' numbers follow from their published shapes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hydra import initialize_config_dir
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode

from hydra_plugins.rft_launchers.job_composing import JobComposer
from rft.conf_path import choices, conf_folder
from rft.config import ModelConfig, ModelSource
from rft.plan.typed import _load_model, to_study_config

MODELS = sorted(choices("model", [conf_folder()]))
STUDIES = sorted(choices("study", [conf_folder()]))


def _model(name: str) -> ModelConfig:
    return _load_model(name, choices("model", [conf_folder()]))


# layers, width, heads, key-value heads, MLP width, vocabulary, tied embeddings: from each model's config.json
LLAMA_SHAPES = {
    "llama-7b": (32, 4096, 32, 32, 11008, 32000, False),
    "llama-13b": (40, 5120, 40, 40, 13824, 32000, False),
    "llama-33b": (60, 6656, 52, 52, 17920, 32000, False),
    "llama-65b": (80, 8192, 64, 64, 22016, 32000, False),
    "llama2-7b": (32, 4096, 32, 32, 11008, 32000, False),
    "llama2-13b": (40, 5120, 40, 40, 13824, 32000, False),
    "llama2-70b": (80, 8192, 64, 8, 28672, 32000, False),
    "smollm2-135m": (30, 576, 9, 3, 1536, 49152, True),
    "smollm2-135m-base": (30, 576, 9, 3, 1536, 49152, True),
    "smollm2-360m": (32, 960, 15, 5, 2560, 49152, True),
    "smollm2-1.7b": (24, 2048, 32, 32, 8192, 49152, True),
    "qwen2.5-0.5b": (24, 896, 14, 2, 4864, 151936, True),
    "qwen2.5-1.5b": (28, 1536, 12, 2, 8960, 151936, True),
    "qwen2.5-3b": (36, 2048, 16, 2, 11008, 151936, True),
    "qwen2.5-7b": (28, 3584, 28, 4, 18944, 152064, False),
    "qwen2.5-14b": (48, 5120, 40, 8, 13824, 152064, False),
    "qwen2.5-32b": (64, 5120, 40, 8, 27648, 152064, False),
    "qwen2.5-72b": (80, 8192, 64, 8, 29568, 152064, False),
    "llama3.2-1b": (16, 2048, 32, 8, 8192, 128256, True),
    "llama3.2-3b": (28, 3072, 24, 8, 8192, 128256, True),
    "llama3.1-8b": (32, 4096, 32, 8, 14336, 128256, False),
    "llama3.1-70b": (80, 8192, 64, 8, 28672, 128256, False),
}
PYTHIA_NON_EMBEDDING = {  # printed in the suite's own table
    "pythia-70m": 18_915_328,
    "pythia-160m": 85_056_000,
    "pythia-410m": 302_311_424,
    "pythia-1b": 805_736_448,
    "pythia-1.4b": 1_208_602_624,
    "pythia-2.8b": 2_517_652_480,
    "pythia-6.9b": 6_444_163_072,
    "pythia-12b": 11_327_027_200,
}


def llama_counts(name: str) -> tuple[int, int]:
    """(all, non-embedding) parameters of a Llama or Qwen2 model."""
    layers, width, heads, kv_heads, mlp, vocab, tied = LLAMA_SHAPES[name]
    kv_width = width // heads * kv_heads
    biases = width + 2 * kv_width if name.startswith("qwen") else 0
    layer = 2 * width**2 + 2 * width * kv_width + 3 * width * mlp + 2 * width + biases
    body = layers * layer + width
    return body + vocab * width * (1 if tied else 2), body


@pytest.mark.parametrize("name", MODELS)
def test_model_files_compose_and_validate(name: str):
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        loader = GlobalHydra.instance().config_loader()
        imported = _model(name).source is ModelSource.imported
        choice = [f"model={name}", "study_name=s", *(["data=gsm8k"] if imported else [])]
        cfg = to_study_config(loader.load_configuration("config", choice, run_mode=RunMode.RUN))
    assert cfg.model.name == name
    assert cfg.model.licence


def test_every_imported_model_has_known_counts():
    imported = {name for name in MODELS if _model(name).source is ModelSource.imported}
    assert imported - {"smollm2-135m-chat"} == set(LLAMA_SHAPES) | set(PYTHIA_NON_EMBEDDING)


@pytest.mark.parametrize("name", LLAMA_SHAPES)
def test_llama_counts_follow_from_the_shape(name: str):
    model = _model(name)
    assert (model.num_params, model.num_params_non_embedding) == llama_counts(name)
    assert (model.num_layers, model.width) == LLAMA_SHAPES[name][:2]
    assert model.shape is not None
    shape = (model.shape.num_heads, model.shape.num_kv_heads, model.shape.mlp_width, model.shape.vocab)
    assert shape == LLAMA_SHAPES[name][2:6]


@pytest.mark.parametrize("name", PYTHIA_NON_EMBEDDING)
def test_pythia_counts_follow_from_the_shape(name: str):
    model = _model(name)
    assert model.num_layers is not None
    assert model.width is not None
    body = model.num_layers * (12 * model.width**2 + 13 * model.width) + 2 * model.width
    assert body == model.num_params_non_embedding == PYTHIA_NON_EMBEDDING[name]
    assert model.num_params is not None
    assert (model.num_params - body) % (2 * model.width) == 0
    assert (model.num_params - body) / (2 * model.width) == {"6.9b": 50432, "12b": 50688}.get(name[7:], 50304)


def test_only_the_papers_models_have_a_published_loss_and_it_is_the_papers():
    from analysis import paper

    published = {name: _model(name) for name in MODELS if _model(name).published_loss is not None}
    losses = {name.lower(): value for name, value in paper.losses().items() if name in paper.MODELS}
    assert {name: model.published_loss for name, model in published.items()} == losses
    assert all(model.published_loss_source for model in published.values())


def test_a_family_has_one_kind_of_model():
    by_family: dict[str, list[ModelConfig]] = {}
    for name in MODELS:
        by_family.setdefault(_model(name).family, []).append(_model(name))
    for family in ("llama", "llama2", "pythia", "smollm2", "qwen2.5"):
        assert len(by_family[family]) >= 3
    for models in by_family.values():
        assert all(math.isclose(model.lr, models[0].lr) or model.source is ModelSource.pretrain for model in models)


@pytest.mark.parametrize("name", STUDIES)
def test_study_files_compose_and_validate_in_every_job(name: str):
    """The first, the middle and the last job of the sweep."""
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_folder())):
        loader = GlobalHydra.instance().config_loader()
        assert isinstance(loader, ConfigLoaderImpl)
        jobs = study_jobs(loader, name)
        composer = JobComposer(loader, loader.load_configuration("config", [], run_mode=RunMode.MULTIRUN))
        for job in {tuple(jobs[0]), tuple(jobs[len(jobs) // 2]), tuple(jobs[-1])}:
            config = composer.compose([f"+study={name}", *job])
            assert to_study_config(config).study_name == name


def study_jobs(loader: ConfigLoaderImpl, name: str) -> list[list[str]]:
    """The overrides of every job of a study, as its sweeper makes them; one job without any for a single run."""
    config = loader.load_configuration("config", [f"+study={name}"], run_mode=RunMode.MULTIRUN)
    context = HydraContext(config_loader=loader, callbacks=Callbacks())
    sweeper = Plugins.instance().instantiate_sweeper(
        hydra_context=context, task_function=lambda cfg: None, config=config
    )
    params = config.hydra.sweeper.params or {}
    overrides = OverridesParser.create(config_loader=loader).parse_overrides([f"{k}={v}" for k, v in params.items()])
    jobs: list[list[str]] = sweeper.split_arguments(overrides, None)[0]  # type: ignore[attr-defined]
    return jobs


def test_each_study_file_begins_with_its_command():
    for name in STUDIES:
        lines = (conf_folder() / "study" / f"{name}.yaml").read_text().splitlines()
        commands = [line for line in lines[:3] if f"+study={name}" in line]
        assert commands, f"conf/study/{name}.yaml does not say how it is run"
        assert not Path(name).suffix
