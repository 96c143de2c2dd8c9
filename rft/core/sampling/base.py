"""What every sampling engine offers, and what they share: the end of a solution, stop strings, truncation.

    sampler = open_sampler("torch", folder, Place(device="cpu", threads=1, dtype="float32"))     # rft.core.sampling.engines
    solutions = sampler.sample(prompts, num_draws=4, temperature=0.7, top_p=1.0, max_new_tokens=256, stop=[], seed=1)
    solutions[0][2]      # prompt 0, draw 2: Solution(text=" 3*17=<<3*17=51>>51\\n#### 51", num_tokens=23, truncated=False)

A call is one shard: its samples follow from (engine, model, prompts, number of draws, settings, seed) alone, whatever
ran before in the process and however many threads run. The draws of a prompt are EXCHANGEABLE: independent draws from the
model's distribution in an order that does not depend on what they say, so that the first k of them are a sample of size k.
An engine that returns them in an order of its own (CTranslate2 sorts them by score) puts them into a random one: `shuffled`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from rft.core.seeding import numpy_generator
from rft.core.tokenization import Prompt

T = TypeVar("T")


@dataclass(frozen=True)
class Solution:
    """One generated solution."""

    text: str  # without prompt, end-of-sequence token and stop string
    num_tokens: int  # generated tokens that the solution took, end-of-sequence token or stop string included
    truncated: bool  # the token limit was hit before an end


class OnSolutions(Protocol):
    """Called now and then while an engine samples."""

    def __call__(self, done: int, total: int, fresh: Sequence[tuple[int, Solution]] = ()) -> None:
        """Solutions done, number of all, and those that came since the last call, by the number of their prompt."""
        ...


class Sampler(Protocol):
    """A model opened in one engine."""

    def sample(
        self,
        prompts: Sequence[Prompt],
        *,
        num_draws: int,
        temperature: float,
        top_p: float,
        max_new_tokens: int,
        stop: Sequence[str],
        seed: int,
        progress: OnSolutions | None = None,
    ) -> list[list[Solution]]:
        """`num_draws` solutions of every prompt, prompts in order; see the module for the order of draws.

        Temperature 0 is greedy and takes exactly one draw. Raises ValueError for a request that cannot be served.
        """
        ...

    def close(self) -> None:
        """Free the model."""
        ...


def check_request(prompt_ids: Sequence[Sequence[int]], *, num_draws: int, temperature: float, top_p: float) -> None:
    """Raise ValueError for a request that no engine can serve."""
    if num_draws < 1 or temperature < 0 or not 0 < top_p <= 1:
        raise ValueError(
            f"sampling needs num_draws >= 1, temperature >= 0 and top_p in (0, 1]; got {num_draws}, {temperature}, {top_p}"
        )
    if temperature == 0 and num_draws != 1:
        raise ValueError(f"greedy decoding (temperature 0) has one draw, got num_draws={num_draws}")
    empty = [number for number, ids in enumerate(prompt_ids) if not ids]
    if empty:
        raise ValueError(f"{len(empty)} prompts hold no token, first number {empty[0]}")


def shuffled(rows: Sequence[T], *, seed: int, place: str) -> list[T]:
    """The rows in an order that seed and place of the block give, all orders being equally likely.

    Independent draws that were sorted become exchangeable again: which comes first has nothing to do with its content.
    """
    order = numpy_generator(seed, f"order of draws {place}").permutation(len(rows))
    return [rows[i] for i in order]


def end_ids(model_folder: Path, tokenizer: Any) -> list[int]:
    """Token ids that end a solution: the tokenizer's EOS and those of generation_config.json (chat models have
    several).
    """
    ids = [tokenizer.eos_token_id]
    path = model_folder / "generation_config.json"
    if path.is_file():
        named = json.loads(path.read_text(encoding="utf-8")).get("eos_token_id") or []
        ids += named if isinstance(named, list) else [named]
    return list(dict.fromkeys(int(token) for token in ids))


def finish(
    tokenizer: Any, rows: Sequence[Sequence[int]], *, ends: Sequence[int], stop: Sequence[str]
) -> list[Solution]:
    """Generated ids to solutions: cut at the first end id or stop string; neither seen means truncated."""
    cut: list[list[int]] = []
    ended: list[bool] = []
    for row in rows:
        at = next((i for i, token in enumerate(row) if token in ends), None)
        cut.append(list(row if at is None else row[:at]))
        ended.append(at is not None)
    texts = tokenizer.batch_decode(cut, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return [
        _stopped(tokenizer, ids, text, stop=stop) or Solution(text, len(ids) + done, not done)
        for ids, text, done in zip(cut, texts, ended, strict=True)
    ]


def first_stop(text: str, stop: Sequence[str]) -> int:
    """Where the first stop string begins in the text; -1 when there is none."""
    found = [at for at in (text.find(string) for string in stop) if at >= 0]
    return min(found, default=-1)


def _stopped(tokenizer: Any, ids: list[int], text: str, *, stop: Sequence[str]) -> Solution | None:
    at = first_stop(text, stop)
    if at < 0:
        return None
    for count in range(1, len(ids) + 1):
        prefix = tokenizer.decode(ids[:count], skip_special_tokens=True, clean_up_tokenization_spaces=False)
        if first_stop(prefix, stop) >= 0:
            return Solution(text[:at], count, False)
    return Solution(text[:at], len(ids), False)
