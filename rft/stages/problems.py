"""Which problems a stage works on, and the prompts it shows: shared by sampling, evaluation and training sets.

chosen = subset_problems(read_problems_file(folder, "train"), {"num_problems": 64, "seed": 0})
prompts = make_prompts(config, chosen, data=folder, tokenizer=tokenizer)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rft.core.tokenization import Prompt, Tokenizer, chat_format, encode_prompts
from rft.records import Problem, read_jsonl
from rft.text.prompts import chat_prompt, draw_shots, icl_prompt, template_named
from rft.text.subsets import permutation

FILES = {"train": "train_pool.jsonl", "validation": "validation.jsonl", "test": "test.jsonl"}


def split_problems(data: Path, split: str) -> list[Problem]:
    """All problems of a split of a data stage, in file order."""
    return [Problem.from_json(row) for row in read_jsonl(data / FILES[split])]


def subset_problems(problems: Sequence[Problem], subset: Mapping[str, Any]) -> list[Problem]:
    """The first `num_problems` in the order of `seed` (nested: fewer problems are a prefix of more).

    Without a seed, the first in file order (the test set is the same for every seed), then by id: blocks of them do not
    depend on how the file is ordered.
    """
    count = subset["num_problems"]
    assert count <= len(problems), f"{count} problems of {len(problems)}"
    if subset["seed"] is None:
        return sorted(problems[:count], key=lambda problem: problem.id)
    by_id = {problem.id: problem for problem in problems}
    return [by_id[name] for name in permutation(list(by_id), seed=subset["seed"])[:count]]


def make_prompts(
    config: Mapping[str, Any], problems: Sequence[Problem], *, data: Path, tokenizer: Tokenizer
) -> list[Prompt]:
    """One prompt per problem in the config's template, with its worked examples from the training pool.

    Raises ValueError when a prompt is longer than `max_prompt_tokens` times (shots + 1).
    """
    template = template_named(config["prompt"])
    shots = _shots(config, data)
    if template.name == "chat":
        frame = chat_format(tokenizer)
        prompts = [Prompt(chat_prompt(p.question, chat_format=frame, shots=shots), framed=True) for p in problems]
    elif shots:
        prompts = [Prompt(icl_prompt(template, shots, problem.question)) for problem in problems]
    else:
        prompts = [Prompt(template.prompt(problem.question)) for problem in problems]
    _check_lengths(prompts, tokenizer=tokenizer, limit=config["max_prompt_tokens"] * (1 + len(shots)))
    return prompts


def stop_strings(config: Mapping[str, Any]) -> list[str]:
    """What ends a solution besides the end-of-sequence token: the template's own and the configured strings."""
    return [*template_named(config["prompt"]).stop, *config["stop"]]


def _shots(config: Mapping[str, Any], data: Path) -> list[Problem]:
    if not config["num_shots"]:
        return []
    return draw_shots(split_problems(data, "train"), num_shots=config["num_shots"], seed=config["shot_seed"])


def _check_lengths(prompts: Sequence[Prompt], *, tokenizer: Tokenizer, limit: int) -> None:
    lengths = [len(ids) for ids in encode_prompts(tokenizer, prompts)]
    too_long = sum(length > limit for length in lengths)
    if too_long:
        raise ValueError(
            f"{too_long} of {len(prompts)} prompts exceed {limit} tokens (the longest has {max(lengths)}): "
            "raise data.max_prompt_tokens, or lower data.num_shots"
        )
