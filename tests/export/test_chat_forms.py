"""Training rows of a cell that was asked in a chat: a trainer who frames them reads, letter by letter, what training read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rft.export.cards import _on_prompts
from rft.export.examples import TrainingRow, in_form
from rft.text.prompts import template_named
from rft.text.templates import Message, Template

ROW = TrainingRow("g", "1 and {1}?", "1+1=2\n#### 2", "2", "human", None, None, [], None)
OWN = Template("own", "Solve this: {question}", chat=True, system="You solve problems.", prefix="<think>", lead="So: ")
CHATS = [OWN, Template("bare", "{question}", chat=True), Template("led", "{question}!", chat=True, lead=" ")]


def framed(messages: Sequence[Message]) -> str:
    """Any chat template: turns one after the other."""
    return "".join(f"<|{one['role']}|>{one['content']}<|end|>" for one in messages)


def asked(messages: Sequence[Message]) -> str:
    return framed(messages) + "<|assistant|>"


@pytest.mark.parametrize("template", [*CHATS, template_named("chat")], ids=lambda one: one.name)
def test_a_framed_row_is_the_text_of_training(template: Template):
    pair = in_form(ROW, "prompt_completion", template=template)
    trained = template.ask(ROW.question, chat_format=asked) + template.response(ROW.solution)
    assert framed([*pair["prompt"], *pair["completion"]]) == f"{trained}<|end|>"
    assert asked(pair["prompt"]) + template.prefix == template.ask(ROW.question, chat_format=asked)
    assert in_form(ROW, "messages", template=template)["messages"] == [*pair["prompt"], *pair["completion"]]


def test_a_row_of_a_chat_by_hand():
    assert in_form(ROW, "prompt_completion", template=OWN) == {
        "prompt": [
            {"role": "system", "content": "You solve problems."},
            {"role": "user", "content": "Solve this: 1 and {1}?"},
        ],
        "completion": [{"role": "assistant", "content": "<think>So: 1+1=2\n#### 2"}],
    }


def test_other_prompts_stay_texts_and_bare_turns():
    plain = Template("plain", "Q: {question}", system="You solve problems.", lead=" ")
    pair = in_form(ROW, "prompt_completion", template=plain)
    assert (pair["prompt"], pair["completion"]) == (plain.ask(ROW.question), " 1+1=2\n#### 2")
    turns = in_form(ROW, "messages", template=plain)["messages"]
    assert [one["content"] for one in turns] == [ROW.question, ROW.solution]


def test_the_card_says_what_stands_in_a_prompt():
    assert "to the letter" in _on_prompts(Template("plain", "{question}"))
    assert ["did not teach" in _on_prompts(one) for one in CHATS] == [True, False, False]
    assert not any("to the letter" in _on_prompts(one) for one in CHATS)
