"""The sampler that a process keeps open: opened once a model, one at a time, the same samples as from a new one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from rft.config import Engine
from rft.core.sampling import ctranslate2_backend, held
from rft.core.sampling.base import open_sampler
from rft.core.sampling.held import held_sampler, release_sampler
from tests.core_tiny import toy_pairs, trained_folder

torch.set_num_threads(1)

PROMPTS = [prompt for prompt, _ in toy_pairs(12, seed=9)]


@pytest.fixture(autouse=True)
def released() -> Iterator[None]:
    yield
    release_sampler()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_folder(tmp_path_factory.mktemp("trained"), num_steps=20)


class Opened:
    """Stands for a model; counts what is open."""

    live = 0
    total = 0

    def __init__(self) -> None:
        Opened.live += 1
        Opened.total += 1
        assert Opened.live == 1, "two models in memory"

    def close(self) -> None:
        Opened.live -= 1


def ask(name: str, **changes: Any) -> Any:
    settings: dict[str, Any] = {"device": "cpu", "threads": 1, "dtype": "float32", "batch": 8} | changes
    return held_sampler(Engine.torch, Path(name), **settings)


def test_one_model_is_open_at_a_time_and_each_opened_once_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "open_sampler", lambda *_, **__: Opened())
    Opened.live = Opened.total = 0
    assert ask("a") is ask("a")
    assert Opened.total == 1
    first = ask("a")
    assert ask("b") is not first
    assert (Opened.live, Opened.total) == (1, 2)
    ask("b", dtype="float16")
    ask("b", threads=2)
    assert (Opened.live, Opened.total) == (1, 4)
    release_sampler()
    release_sampler()
    assert Opened.live == 0


def samples(sampler: Any, *, seed: int) -> Any:
    return sampler.sample(PROMPTS, num_draws=3, temperature=1.0, top_p=1.0, max_new_tokens=16, stop=[], seed=seed)


@pytest.mark.parametrize("engine", [Engine.torch, Engine.ctranslate2])
def test_a_kept_sampler_draws_as_a_new_one(engine: Engine, folder: Path) -> None:
    """Whatever it drew before: other seeds, and the same seed again."""
    settings: dict[str, Any] = {"device": "cpu", "threads": 1, "dtype": "float32"}
    kept = [samples(held_sampler(engine, folder, **settings), seed=seed) for seed in (1, 2, 1)]
    new = []
    for seed in (1, 2):
        sampler = open_sampler(engine, folder, **settings)
        new.append(samples(sampler, seed=seed))
        sampler.close()
    assert kept == [new[0], new[1], new[0]]
    assert new[0] != new[1]


def test_a_model_is_converted_once_for_all_its_shards(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conversions: list[Path] = []
    convert = ctranslate2_backend.convert

    def counted(model_folder: Path, out: Path, **options: Any) -> None:
        conversions.append(out)
        convert(model_folder, out, **options)

    monkeypatch.setattr(ctranslate2_backend, "convert", counted)
    for seed in range(3):
        samples(held_sampler(Engine.ctranslate2, folder, device="cpu", threads=1, dtype="float32"), seed=seed)
    assert len(conversions) == 1
    release_sampler()
    assert not conversions[0].exists()
