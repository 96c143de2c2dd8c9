"""The sampler that a process keeps open: opened once a model, one at a time, the same samples as from a new one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from composing import tiny

from rft.core.accumulation import OutOfMemoryError
from rft.core.sampling import ctranslate2_backend, held
from rft.core.sampling.engines import Place, open_sampler
from rft.core.sampling.held import HeldSampler
from tests.core_tiny import toy_pairs, trained_folder

torch.set_num_threads(1)

RUNTIME = tiny("runtime.device=cpu").runtime
PROMPTS = [prompt for prompt, _ in toy_pairs(12, seed=9)]


@pytest.fixture
def keeper() -> Iterator[HeldSampler]:
    keeper = HeldSampler()
    yield keeper
    keeper.close()


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


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> type[Opened]:
    monkeypatch.setattr(held, "open_sampler", lambda *_, **__: Opened())
    Opened.live = Opened.total = 0
    return Opened


def ask(
    keeper: HeldSampler, folder: Path | str, *, engine: str = "torch", dtype: str = "float32", threads: int = 1
) -> Any:
    runtime = dataclasses.replace(RUNTIME, threads=threads)
    with keeper.of(engine, Path(folder), dtype=dtype, device="cpu", runtime=runtime) as sampler:
        return sampler


def test_one_model_is_open_at_a_time_and_each_opened_once_in_a_row(keeper: HeldSampler, counted: type[Opened]) -> None:
    assert ask(keeper, "a") is ask(keeper, "a")
    assert counted.total == 1
    first = ask(keeper, "a")
    assert ask(keeper, "b") is not first
    assert (counted.live, counted.total) == (1, 2)
    ask(keeper, "b", dtype="float16")
    ask(keeper, "b", threads=2)
    assert (counted.live, counted.total) == (1, 4)
    keeper.close()
    keeper.close()
    assert counted.live == 0


@pytest.mark.parametrize(("error", "told"), [(MemoryError, OutOfMemoryError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_what_fails_leaves_no_model_open(
    keeper: HeldSampler, counted: type[Opened], error: type[BaseException], told: type[BaseException]
) -> None:
    with pytest.raises(told), keeper.of("torch", Path("a"), dtype="float32", device="cpu", runtime=RUNTIME):
        raise error
    assert counted.live == 0
    ask(keeper, "a")
    assert (counted.live, counted.total) == (1, 2)


def samples(sampler: Any, *, seed: int) -> Any:
    return sampler.sample(PROMPTS, num_draws=3, temperature=1.0, top_p=1.0, max_new_tokens=16, stop=[], seed=seed)


@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
def test_a_kept_sampler_draws_as_a_new_one(engine: str, folder: Path, keeper: HeldSampler) -> None:
    """Whatever it drew before: other seeds, and the same seed again."""
    settings: dict[str, Any] = {"device": "cpu", "threads": 1, "dtype": "float32", "batch": RUNTIME.sample_batch}
    kept = [samples(ask(keeper, folder, engine=engine), seed=seed) for seed in (1, 2, 1)]
    new = []
    for seed in (1, 2):
        sampler = open_sampler(engine, folder, Place(**settings))
        new.append(samples(sampler, seed=seed))
        sampler.close()
    assert kept == [new[0], new[1], new[0]]
    assert new[0] != new[1]


def test_a_model_is_converted_once_for_all_its_shards(
    folder: Path, keeper: HeldSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversions: list[Path] = []
    convert = ctranslate2_backend.convert

    def counted(model_folder: Path, out: Path, **options: Any) -> None:
        conversions.append(out)
        convert(model_folder, out, **options)

    monkeypatch.setattr(ctranslate2_backend, "convert", counted)
    for seed in range(3):
        samples(ask(keeper, folder, engine="ctranslate2"), seed=seed)
    assert len(conversions) == 1
    keeper.close()
    assert not conversions[0].exists()
