"""Prompt templates: the paper's text, one frame for training and few-shot prompts, and cleaning."""

from __future__ import annotations

import pytest

from rft.records import Problem
from rft.text import prompts

TRAIN = [Problem(f"p{i}", f"How many is {i}?", f"{i}\n#### {i}", str(i)) for i in range(50)]


def test_alpaca_is_the_papers() -> None:
    assert prompts.template_named("alpaca").prompt("How {many}?") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nHow {many}?\n\n### Response:"
    )


@pytest.mark.parametrize("name", ["alpaca", "plain", "world"])
def test_cleaning_undoes_the_frame(name: str) -> None:
    template = prompts.template_named(name)
    solution = "3*17=<<3*17=51>>51\n\nso\n#### 51"
    following = template.separator + template.prompt("Next?")
    assert template.clean(template.response(solution)) == solution
    assert template.clean(template.response(solution) + following) == solution


def test_icl_prompt_repeats_the_training_frame() -> None:
    template = prompts.template_named("plain")
    text = prompts.icl_prompt(template, TRAIN[:2], "How?")
    items = ["Question: How many is 0?\nAnswer: 0\n#### 0", "Question: How many is 1?\nAnswer: 1\n#### 1"]
    assert text == "\n\n".join([*items, "Question: How?\nAnswer:"])


def test_shots_are_drawn_by_seed_and_nest() -> None:
    four = prompts.draw_shots(TRAIN, num_shots=4, seed=0)
    assert four == prompts.draw_shots(TRAIN[::-1], num_shots=8, seed=0)[:4]
    assert four != prompts.draw_shots(TRAIN, num_shots=4, seed=1)
    with pytest.raises(ValueError, match="51 shots were asked for"):
        prompts.draw_shots(TRAIN, num_shots=51, seed=0)


def test_chat_prompt_hands_turns_to_the_tokenizer() -> None:
    text = prompts.chat_prompt("How?", chat_format=lambda ms: "|".join(m["role"] for m in ms), shots=TRAIN[:1])
    assert text == "user|assistant|user"


def test_unknown_template_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean alpaca"):
        prompts.template_named("alpacca")
