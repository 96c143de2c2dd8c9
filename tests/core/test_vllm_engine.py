"""The engine `vllm` beside the real vLLM on a processor: `make vllm-test` makes the environment that it needs."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composing import tiny
from core_tiny import toy_pairs
from scipy import stats
from vllm_model import served_folder

from rft.core.sampling.base import Solution
from rft.core.sampling.engines import Place, choose_engine, open_sampler
from rft.core.tokenization import Prompt
from rft.execute.executor import LocalProcesses
from rft.execute.sweep import run_sweep
from rft.records import read_json

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # its own imports warn
pytest.importorskip("vllm", reason="vLLM is not installed here: make vllm-test")

PLACE = Place(device="cpu", threads=1, dtype="float32", batch=256)
PROMPTS = [prompt for prompt, _ in toy_pairs(16, seed=21)]
OPTIONS: dict[str, Any] = {"top_p": 1.0, "max_new_tokens": 24, "stop": []}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def vllm(folder: Path) -> Iterator[Any]:
    sampler = open_sampler("vllm", folder, PLACE)
    yield sampler
    sampler.close()


@pytest.fixture(scope="module")
def torch_engine(folder: Path) -> Any:
    return open_sampler("torch", folder, Place(device="cpu", threads=1, dtype="float32", batch=512))


def test_the_planner_knows_which_heads_it_takes(folder: Path) -> None:
    assert choose_engine("vllm", folder, device="cpu").engine == "vllm"


def test_greedy_is_that_of_the_torch_engine(vllm: Any, torch_engine: Any) -> None:
    wanted, found = (
        one.sample(PROMPTS, num_draws=1, temperature=0.0, seed=0, **OPTIONS) for one in (torch_engine, vllm)
    )
    assert found == wanted
    assert any(group[0].num_tokens > 4 for group in wanted)


@pytest.mark.parametrize("stop", [[";"], ["ans", "="]])
def test_stop_strings_end_a_solution_as_in_the_torch_engine(vllm: Any, torch_engine: Any, stop: list[str]) -> None:
    options = {**OPTIONS, "stop": stop}
    wanted, found = (
        one.sample(PROMPTS, num_draws=1, temperature=0.0, seed=0, **options) for one in (torch_engine, vllm)
    )
    assert found == wanted
    assert not any(group[0].truncated for group in found)


def test_the_length_is_truncation(vllm: Any) -> None:
    found = vllm.sample(PROMPTS, num_draws=1, temperature=0.0, seed=0, **{**OPTIONS, "max_new_tokens": 2})
    assert all(group[0].truncated and group[0].num_tokens == 2 for group in found)


def test_the_seed_decides_whatever_shares_the_batch(vllm: Any) -> None:
    one, again, other = (vllm.sample(PROMPTS, num_draws=4, temperature=1.0, seed=seed, **OPTIONS) for seed in (1, 1, 2))
    assert one == again != other
    alone = vllm.sample(PROMPTS[:1], num_draws=2, temperature=1.0, seed=1, **OPTIONS)
    assert alone[0] == one[0][:2], "a request's seed is of its prompt and its draw"
    assert all(len({draw.text for draw in group}) > 1 for group in one)


def words(rows: Sequence[Solution], place: int) -> Counter[str]:
    """What stands at one place of each text; '' where it has ended before."""
    return Counter(" ".join(one.text.split()[place : place + 1]) for one in rows)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.0, 0.8)])
def test_draws_are_distributed_as_the_torch_engine_draws_them(
    vllm: Any, torch_engine: Any, temperature: float, top_p: float
) -> None:
    """Thousands of draws: chi-squared tests of homogeneity of each prompt's first and second words, Bonferroni at 1 %."""
    draws, asked = 600, PROMPTS[:4]
    how: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "max_new_tokens": 3, "stop": []}
    ours, theirs = (one.sample(asked, num_draws=draws, seed=s, **how) for one, s in ((vllm, 11), (torch_engine, 12)))
    chances = []
    for (mine, reference), place in itertools.product(zip(ours, theirs, strict=True), (0, 1)):
        both = [words(rows, place) for rows in (mine, reference)]
        kinds = [word for word, count in sum(both, Counter()).items() if count >= 20]
        rest = [draws - sum(found[word] for word in kinds) for found in both]
        table = np.array([[*(found[word] for word in kinds), left] for found, left in zip(both, rest, strict=True)])
        table = table[:, table.sum(axis=0) > 0]
        assert table.shape[1] > 1, "more than one word"
        chances.append(stats.chi2_contingency(table).pvalue)
    assert min(chances) > 0.01 / len(chances), chances


def test_no_draw_is_placed_by_its_content(vllm: Any) -> None:
    """The first half of a prompt's draws beside the second: lengths, and the shares of the commonest texts."""
    groups = vllm.sample(PROMPTS[:8], num_draws=200, temperature=1.0, seed=5, **OPTIONS)
    lengths = np.array([[one.num_tokens for one in group] for group in groups], float)
    gaps = lengths[:, :100].mean(axis=1) - lengths[:, 100:].mean(axis=1)
    errors = lengths.std(axis=1) * math.sqrt(2 / 100)
    assert abs(gaps.sum()) < 3.5 * math.sqrt((errors**2).sum())
    place = np.arange(200)
    assert all(abs(stats.spearmanr(place, row).statistic) < 4 / math.sqrt(200) for row in lengths)
    by_length = np.sort(lengths, axis=1)
    assert all(abs(stats.spearmanr(place, row).statistic) > 0.5 for row in by_length), "sorted draws would be seen"


def test_progress_comes_by_the_chunk_and_chunks_change_no_draw(vllm: Any) -> None:
    seen: list[tuple[int, int, int]] = []
    how: dict[str, Any] = {"num_draws": 40, "temperature": 1.0, "seed": 3, **OPTIONS}
    vllm._batch = 64
    whole = vllm.sample(PROMPTS, progress=lambda done, total, fresh=(): seen.append((done, total, len(fresh))), **how)
    assert seen == [(512, 640, 512), (640, 640, 128)]
    vllm._batch = 16
    assert vllm.sample(PROMPTS, **how) == whole
    vllm._batch = PLACE.batch


def test_a_prompt_is_read_once_for_its_draws(vllm: Any) -> None:
    long = Prompt("q " + " ".join(str(n % 20) for n in range(300)) + " =")
    cached: list[int] = []
    generate = vllm._llm.generate

    def watched(*args: Any, **options: Any) -> Any:
        outputs = generate(*args, **options)
        cached.extend(output.num_cached_tokens for output in outputs)
        return outputs

    vllm._llm.generate = watched
    vllm.sample([long], num_draws=6, temperature=1.0, seed=1, **{**OPTIONS, "max_new_tokens": 4})
    again = len(cached)
    vllm.sample([long], num_draws=6, temperature=1.0, seed=2, **{**OPTIONS, "max_new_tokens": 4})
    vllm._llm.generate = generate
    assert set(cached[again:]) == {256}, "two whole blocks of 128 tokens come from the cache"


def test_what_does_not_fit_is_said(vllm: Any) -> None:
    with pytest.raises(ValueError, match=r"need up to \d+ tokens, and vLLM has room for 512"):
        vllm.sample(PROMPTS, num_draws=1, temperature=0.0, seed=0, **{**OPTIONS, "max_new_tokens": 600})


def test_an_engine_that_dies_is_opened_for_half_as_many_and_no_draw_changes(folder: Path, vllm: Any) -> None:
    """Killed in the middle, as a machine without memory does it."""
    import psutil

    how: dict[str, Any] = {"num_draws": 40, "temperature": 1.0, "seed": 3, **OPTIONS}
    wanted = vllm.sample(PROMPTS, **how)
    sampler = open_sampler("vllm", folder, dataclasses.replace(PLACE, batch=64))
    own = {one.pid for one in psutil.Process().children(recursive=True)}
    died: list[int] = []

    def kill(done: int, total: int, fresh: Any = ()) -> None:
        if not died:
            engines = sampler._llm.llm_engine.engine_core.resources.engine_manager.processes  # type: ignore[attr-defined]
            died.extend(one.pid for one in engines)
            assert set(died) <= own
            for one in engines:
                one.kill()

    assert sampler.sample(PROMPTS, progress=kill, **how) == wanted
    assert (len(died), sampler._batch) == (1, 32)  # type: ignore[attr-defined]
    sampler.close()
    sampler.close()


def test_a_sweep_samples_in_its_workers_from_weights_of_the_store(tmp_path: Path) -> None:
    """The embedded world end to end, and again: finished shards are drawn by nobody."""
    one_head = ("model.arch.width=32", "model.arch.num_heads=1", "model.arch.num_kv_heads=1")
    how = ("sampling.engine=vllm", "runtime.device=cpu", "runtime.sample_batch=64", "preflight=false")
    cfg = tiny("method=rft", "k=2", *one_head, *how, f"store.root={tmp_path}/store")
    executor = LocalProcesses(workers=1, threads=1)
    ((cell, reason),) = run_sweep([cfg], study_folder=tmp_path / "study", executor=executor)
    assert reason is None
    record = read_json(tmp_path / "study" / cell / "record.json")
    assert record["setting"]["sampling.engine"] == "vllm"
    assert record["data"]["drawn_per_question"] == 2
    files = sorted((tmp_path / "store" / "shard").rglob("samples.jsonl.gz"))
    before = [path.stat().st_mtime_ns for path in files]
    assert len(files) == 2
    more = tiny("method=rft", "k=4", *one_head, *how, f"store.root={tmp_path}/store")
    ((_, reason),) = run_sweep([more], study_folder=tmp_path / "study", executor=executor)
    assert reason is None
    assert [path.stat().st_mtime_ns for path in files] == before
    assert len(list((tmp_path / "store" / "shard").rglob("samples.jsonl.gz"))) == 4
