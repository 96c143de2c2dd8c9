"""How many tokens a model can read at once, and the refusal of what does not fit.

    context = context_of(folder)          # 512, from config.json; None where a model names no limit (ALiBi, recurrences)
    check_prompts([310, 344], max_new_tokens=256, context=context)
    # ValueError: prompts of up to 344 tokens and data.max_new_tokens=256 need 600, the model has a context of 512 tokens: ...

Beyond its context a model still answers, without an error, at positions that it was never trained on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from rft.core.checkpoints import CONFIG_FILE

NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")  # in the config.json of the families


def context_of(folder: Path) -> int | None:
    """The context of a model folder in tokens; None where its configuration names none."""
    config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    found = (config.get(name) for name in NAMES)
    return next((value for value in found if isinstance(value, int) and value > 0), None)


def check_prompts(lengths: Sequence[int], *, max_new_tokens: int, context: int | None) -> None:
    """Raise ValueError when a prompt and what may be generated after it exceed the context."""
    longest = max(lengths, default=0)
    if context is not None and longest + max_new_tokens > context:
        raise ValueError(
            f"prompts of up to {longest} tokens and data.max_new_tokens={max_new_tokens} need {longest + max_new_tokens}, "
            f"the model has a context of {context} tokens: lower data.num_shots or data.max_new_tokens, or take a model "
            "with a longer context"
        )


def check_examples(lengths: Sequence[int], *, context: int | None) -> None:
    """Raise ValueError when a training example exceeds the context."""
    too_long = sum(context is not None and length > context for length in lengths)
    if too_long:
        raise ValueError(
            f"{too_long} of {len(lengths)} training examples exceed the model's context of {context} tokens; the longest has "
            f"{max(lengths)}: drop them, or take a model with a longer context"
        )


def within(limit: int, context: int | None) -> int:
    """The smaller of a limit and a context."""
    return limit if context is None else min(limit, context)


def check_window(window: int, *, context: int | None) -> None:
    """Raise ValueError when the windows of a measured loss exceed the context."""
    if context is not None and window > context:
        raise ValueError(
            f"loss.window={window} exceeds the model's context of {context} tokens: lower loss.window to at most {context}"
        )
