"""The first k of a prompt's draws are a sample of size k: in every engine a draw's place in its block says nothing of it."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from core_tiny import toy_pairs, trained_folder
from model_servers import completion, scripted_server

from rft.core.model import load_model
from rft.core.sampling.base import Solution, shuffled
from rft.core.sampling.ctranslate2_backend import ROWS
from rft.core.sampling.engines import Place, open_sampler
from rft.core.sampling.openai_client import Endpoint
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer

torch.set_num_threads(1)

ENGINES = ["torch", "ctranslate2", "openai"]
ASKED_ALONE = "openai", ROWS + 4
PROMPTS = [prompt for prompt, _ in toy_pairs(48, seed=21)]
DRAWS = 4
NUM_PERMUTATIONS = 2000


BANK = 64  # draws of each prompt that the server chooses from, by its seed


@contextmanager
def opened(engine: str, folder: Path) -> Iterator[Any]:
    if engine != "openai":
        yield open_sampler(engine, folder, Place(device="cpu", threads=1, dtype="float32", batch=64))
        return
    pytest.importorskip("openai")
    from rft.core.sampling.openai_backend import OpenAISampler

    bank = bank_of(folder)
    middle = float(np.median([len(text) for texts in bank.values() for text in texts]))

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """Independent draws; what is long comes late, so that likely texts arrive before unlikely ones."""
        text = bank[body["prompt"]][random.Random(body["seed"]).randrange(BANK)]
        time.sleep(0.03 * (len(text) > middle))
        return 200, completion(text)

    with scripted_server(answer) as url:
        sampler = OpenAISampler(Endpoint(url, "m", concurrency=16))
        yield sampler
        sampler.close()


@cache
def bank_of(folder: Path) -> dict[str, list[str]]:
    sampler = open_sampler("torch", folder, Place(device="cpu", threads=1, dtype="float32", batch=512))
    options = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 24, "stop": []}
    groups = sampler.sample(PROMPTS, num_draws=BANK, seed=77, **options)
    return {prompt.text: [one.text for one in row] for prompt, row in zip(PROMPTS, groups, strict=True)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_folder(tmp_path_factory.mktemp("exchangeable"), num_steps=60)


def drawn(sampler: Any, *, draws: int, seed: int) -> list[list[Solution]]:
    options = {"temperature": 1.0, "top_p": 1.0, "max_new_tokens": 24, "stop": []}
    return sampler.sample(PROMPTS, num_draws=draws, seed=seed, **options)


class Judge:
    """Log-likelihood of texts after a prompt, by one forward pass without a cache: independent of every engine.

    A prompt's texts stand in the rows of one batch, padded at their ends, which no earlier token sees.
    """

    def __init__(self, folder: Path) -> None:
        self.model, self.tokenizer = load_model(folder, device="cpu", dtype="float32").eval(), load_tokenizer(folder)
        self.known: dict[tuple[Prompt, str], float] = {}

    def __call__(self, prompt: Prompt, texts: list[str]) -> list[float]:
        new = [text for text in dict.fromkeys(texts) if (prompt, text) not in self.known]
        if new:
            self.known |= {(prompt, text): found for text, found in zip(new, self._likely(prompt, new), strict=True)}
        return [self.known[prompt, text] for text in texts]

    def _likely(self, prompt: Prompt, texts: list[str]) -> list[float]:
        (start,) = encode_prompts(self.tokenizer, [prompt])
        end = self.tokenizer.eos_token_id
        rows = [[*start, *self.tokenizer(text, add_special_tokens=False)["input_ids"], end] for text in texts]
        ids = torch.tensor([row + [end] * (max(map(len, rows)) - len(row)) for row in rows])
        with torch.inference_mode():
            logs = torch.log_softmax(self.model(ids).logits[:, :-1].double(), -1)
        chosen = logs.gather(-1, ids[:, 1:, None])[..., 0]
        return [float(own[len(start) - 1 : len(row) - 1].sum()) for own, row in zip(chosen, rows, strict=True)]


def values(groups: list[list[Solution]], judge: Judge) -> dict[str, np.ndarray]:
    """Log-likelihood, and right or wrong (the answer is the first number), as [prompts, draws]."""
    likely = [judge(p, [one.text for one in row]) for p, row in zip(PROMPTS, groups, strict=True)]
    right = [
        [one.text.split()[-1:] == p.text.split()[1:2] for one in row] for p, row in zip(PROMPTS, groups, strict=True)
    ]
    return {"log-likelihood": np.array(likely), "correct": np.array(right, float)}


@pytest.fixture(scope="module")
def judge(folder: Path) -> Judge:
    return Judge(folder)


def test_the_judge_is_a_pass_for_each_text_alone(judge: Judge) -> None:
    """Rows of a batch do not see one another, nor padding; and the tokens' own probabilities, taken one by one."""
    texts = ["r 3 ; ans 3", "r", "r 3 4 5 ; ans 4 ; ans 5"]
    for text, together in zip(texts, judge(PROMPTS[0], texts), strict=True):
        (start,) = encode_prompts(judge.tokenizer, [PROMPTS[0]])
        ids = [*start, *judge.tokenizer(text, add_special_tokens=False)["input_ids"], judge.tokenizer.eos_token_id]
        alone = 0.0
        for at in range(len(start), len(ids)):
            with torch.inference_mode():
                logits = judge.model(torch.tensor([ids[:at]])).logits[0, -1].double()
            alone += float(torch.log_softmax(logits, -1)[ids[at]])
        assert together == pytest.approx(alone, abs=1e-4)


def permutation_p(table: np.ndarray, *, seed: int = 0) -> float:
    """Share of orders of each block's draws under which the places' means differ at least as much as in the given order."""
    rng = np.random.default_rng(seed)

    def spread(rows: np.ndarray) -> float:
        return float(rows.mean(axis=0).var())

    seen = spread(table)
    others = [spread(rng.permuted(table, axis=1)) for _ in range(NUM_PERMUTATIONS)]
    return (1 + sum(other >= seen - 1e-12 for other in others)) / (1 + NUM_PERMUTATIONS)


# one pass, and more than one; a server is asked for each draw alone
@pytest.mark.parametrize(
    ("engine", "draws"), [(e, n) for e in ENGINES for n in (DRAWS, ROWS + 4) if (e, n) != ASKED_ALONE]
)
def test_a_draws_place_says_nothing_of_its_content(engine: str, folder: Path, judge: Judge, draws: int) -> None:
    """Sorted draws fail at p = 1 / 2001, the least that there is."""
    with opened(engine, folder) as sampler:
        tables = [values(drawn(sampler, draws=draws, seed=seed), judge) for seed in range(3)]
    for what in ("log-likelihood", "correct"):
        table = np.concatenate([t[what] for t in tables])
        assert table.std() > 0
        assert permutation_p(table) > 0.005, what
    by_score = np.sort(np.concatenate([t["log-likelihood"] for t in tables]), axis=1)[:, ::-1]
    assert permutation_p(by_score) < 0.001, "the test would see draws that are sorted by score"


@pytest.mark.parametrize("engine", ENGINES)
def test_the_first_draw_is_the_same_sample_whatever_the_size_of_its_block(
    engine: str, folder: Path, judge: Judge
) -> None:
    """k = 1 from blocks of 1, 4 and 16: means of log-likelihood within four standard errors of one another."""
    means, errors = [], []
    seeds = range(2 if engine == "openai" else 6)  # a request takes milliseconds
    with opened(engine, folder) as sampler:
        for draws in (1, 4, 16):
            firsts = [[row[:1] for row in drawn(sampler, draws=draws, seed=seed)] for seed in seeds]
            first = np.concatenate([values(rows, judge)["log-likelihood"][:, 0] for rows in firsts])
            means.append(first.mean())
            errors.append(first.std() / len(first) ** 0.5)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert abs(means[i] - means[j]) < 4 * np.hypot(errors[i], errors[j]), (means, errors)


def test_shuffling_is_uniform_and_follows_from_seed_and_place_alone() -> None:
    counts: dict[tuple[str, ...], int] = {}
    for seed in range(6000):
        order = tuple(shuffled(["a", "b", "c"], seed=seed, place="0/0"))
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    chi2 = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert chi2 < 20.5  # 0.1 % of chi-square with 5 degrees of freedom
    assert shuffled("abcdefgh", seed=3, place="1/0") == shuffled("abcdefgh", seed=3, place="1/0")
    assert shuffled("abcdefgh", seed=3, place="1/0") != shuffled("abcdefgh", seed=3, place="2/0")


class Engine:
    """A stand-in of vLLM's interface, as test_vllm_engine.py has found it; dies as often as it is told."""

    def __init__(self, seen: dict[str, Any], deaths: int, error: type[Exception]) -> None:
        self.seen, self.deaths, self.error = seen, deaths, error

    def __call__(self, **options: Any) -> Any:
        self.seen.setdefault("options", []).append(options)
        core = SimpleNamespace(shutdown=lambda: None, resources=SimpleNamespace(engine_dead=False))
        engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=128), engine_core=core)
        return SimpleNamespace(generate=self.generate, llm_engine=engine)

    def generate(self, requests: list[Any], params: list[Any], use_tqdm: bool) -> list[Any]:
        if self.deaths:
            self.deaths -= 1
            raise self.error
        self.seen.setdefault("params", []).extend(params)
        outputs = [SimpleNamespace(token_ids=[3 + number % 5, 1]) for number in range(len(requests))]
        return [SimpleNamespace(outputs=[output]) for output in outputs]


def stand_in(monkeypatch: pytest.MonkeyPatch, *, deaths: int = 0) -> dict[str, Any]:
    """What the adapter asks of vLLM."""

    class EngineDeadError(Exception):
        pass

    seen: dict[str, Any] = {}
    parts = {
        "vllm": SimpleNamespace(
            LLM=Engine(seen, deaths, EngineDeadError), SamplingParams=lambda **options: SimpleNamespace(**options)
        ),
        "vllm.platforms": SimpleNamespace(current_platform=SimpleNamespace(device_type="cuda")),
        "vllm.v1": SimpleNamespace(),
        "vllm.v1.engine": SimpleNamespace(),
        "vllm.v1.engine.exceptions": SimpleNamespace(EngineDeadError=EngineDeadError),
    }
    for name, part in parts.items():
        monkeypatch.setitem(sys.modules, name, part)
    return seen


VLLM_OPTIONS: dict[str, Any] = {"temperature": 0.7, "top_p": 0.9, "max_new_tokens": 8, "stop": [], "seed": 1}


def test_vllm_gets_a_request_and_a_seed_for_every_draw(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The adapter beside a stand-in: nothing that the engine sorts within a request can matter."""
    seen = stand_in(monkeypatch)
    place = Place(device="cuda", threads=1, dtype="float32", gpu_memory_utilization=0.4, tensor_parallel=2)
    sampler = open_sampler("vllm", folder, place)
    rows = sampler.sample(PROMPTS[:3], num_draws=4, **VLLM_OPTIONS)
    assert [len(row) for row in rows] == [4, 4, 4]
    assert {p.n for p in seen["params"]} == {1}
    assert len({p.seed for p in seen["params"]}) == 12
    (options,) = seen["options"]
    assert options["generation_config"] == "vllm", "or the model's own top_k and penalties would be applied"
    assert (options["gpu_memory_utilization"], options["tensor_parallel_size"]) == (0.4, 2)
    assert options["enable_prefix_caching"]
    for param in seen["params"]:
        assert (param.temperature, param.top_p, param.top_k, param.repetition_penalty) == (0.7, 0.9, 0, 1.0)


def test_vllm_is_opened_for_fewer_sequences_where_it_dies_and_gives_up_at_last(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    place = Place(device="cuda", threads=1, dtype="float32", batch=64)
    seen = stand_in(monkeypatch, deaths=2)
    rows = open_sampler("vllm", folder, place).sample(PROMPTS[:3], num_draws=2, **VLLM_OPTIONS)
    assert [len(row) for row in rows] == [2, 2, 2]
    assert [options["max_num_seqs"] for options in seen["options"]] == [64, 32, 16]
    stand_in(monkeypatch, deaths=4)
    with pytest.raises(RuntimeError, match=r"died with 8 sequences.*gpu_memory_utilization"):
        open_sampler("vllm", folder, place).sample(PROMPTS[:3], num_draws=2, **VLLM_OPTIONS)


def test_vllm_of_another_device_is_refused(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    stand_in(monkeypatch)
    with pytest.raises(ValueError, match=r"built for cuda, but runtime.device is cpu"):
        open_sampler("vllm", folder, Place(device="cpu", threads=1, dtype="float32"))
