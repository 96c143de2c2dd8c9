"""Prompt templates: the paper's text, one frame for training and few-shot prompts, and cleaning."""

from __future__ import annotations

from pathlib import Path

import pytest

from rft.conf_path import conf_folder
from rft.records import Problem
from rft.text import prompts
from rft.text.templates import Template, read_template

TRAIN = [Problem(f"p{i}", f"How many is {i}?", f"{i}\n#### {i}", str(i)) for i in range(50)]


def test_alpaca_is_the_papers() -> None:
    assert prompts.template_named("alpaca").ask("How {many}?") == (
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\nHow {many}?\n\n### Response:"
    )


@pytest.mark.parametrize("name", ["alpaca", "plain", "world"])
def test_cleaning_undoes_the_frame(name: str) -> None:
    template = prompts.template_named(name)
    solution = "3*17=<<3*17=51>>51\n\nso\n#### 51"
    following = template.separator + template.ask("Next?")
    assert template.clean(template.response(solution)) == solution
    assert template.clean(template.response(solution) + following) == solution


def test_icl_prompt_repeats_the_training_frame() -> None:
    template = prompts.template_named("plain")
    text = template.ask("How?", shots=TRAIN[:2])
    items = ["Question: How many is 0?\nAnswer: 0\n#### 0", "Question: How many is 1?\nAnswer: 1\n#### 1"]
    assert text == "\n\n".join([*items, "Question: How?\nAnswer:"])


def test_shots_are_drawn_by_seed_and_nest() -> None:
    four = prompts.draw_shots(TRAIN, num_shots=4, seed=0)
    assert four == prompts.draw_shots(TRAIN[::-1], num_shots=8, seed=0)[:4]
    assert four != prompts.draw_shots(TRAIN, num_shots=4, seed=1)
    with pytest.raises(ValueError, match="51 shots were asked for"):
        prompts.draw_shots(TRAIN, num_shots=51, seed=0)


def test_chat_prompt_hands_turns_to_the_tokenizer() -> None:
    text = prompts.template_named("chat").ask(
        "How?", chat_format=lambda ms: "|".join(m["role"] for m in ms), shots=TRAIN[:1]
    )
    assert text == "user|assistant|user"


def test_unknown_template_names_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean alpaca"):
        prompts.template_named("alpacca")


SHIPPED = {  # what each name has stood for since its first key
    "plain": Template("", "Question: {question}\nAnswer:", lead=" ", stop=("\nQuestion:",)),
    "world": Template("", "Question: {question}\nAnswer:", lead=" ", stop=("\nQuestion:",)),
    "chat": Template("", "{question}", chat=True),
    "alpaca": Template(
        "",
        "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
        "### Instruction:\n{question}\n\n### Response:",
        stop=("\n### Instruction:", "\nBelow is an instruction"),
    ),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_files_say_what_their_names_stand_for(name: str) -> None:
    assert prompts.template_named(name) == SHIPPED[name]
    assert prompts.own_template(name, [conf_folder()]) is None


def test_all_shipped_files_are_pinned() -> None:
    assert {path.stem for path in (conf_folder() / "prompt").glob("*.yaml")} == set(prompts.PINNED)


def written(folder: Path, text: str, *, name: str = "mine") -> Path:
    (folder / "prompt").mkdir(exist_ok=True)
    path = folder / "prompt" / f"{name}.yaml"
    path.write_text(text)
    return path


def test_a_file_that_was_edited_is_known_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results under the old text must not be taken for results under the new one."""
    text = (conf_folder() / "prompt" / "plain.yaml").read_text()
    written(tmp_path, text.replace("Question: {question}", "Q: {question}"), name="plain")
    own = prompts.own_template("plain", [tmp_path])
    assert own is not None
    assert own.ask("Why?") == "Q: Why?\nAnswer:"
    monkeypatch.setattr(prompts, "conf_folder", lambda: tmp_path)
    with pytest.raises(ValueError, match="no longer says what plain stands for"):
        prompts.template_named("plain")


OWN = """
system: "You solve problems."
template: "Q: {question}\\nA:"
prefix: " So,"
lead: " "
shot: "{question} -> {solution}"
separator: "\\n"
stop: ["\\nQ:"]
"""


def test_every_part_of_an_own_prompt_stands_where_it_should(tmp_path: Path) -> None:
    template = read_template(written(tmp_path, OWN))
    tricky = Problem("t", "Is {solution} {x}?", "no {question}", "0")
    assert template.ask("Why?") == "You solve problems.\nQ: Why?\nA: So,"
    assert template.ask("Why?", shots=[tricky]) == (
        "You solve problems.\nIs {solution} {x}? -> no {question}\nQ: Why?\nA: So,"
    )
    assert template.response("1") == " 1"
    assert template.clean(" 1 \nQ: and") == "1"


def test_an_own_chat_has_a_system_message_and_begins_the_answer(tmp_path: Path) -> None:
    path = written(tmp_path, 'template: "Solve: {question}"\nchat: true\nsystem: Be brief.\nprefix: "Let us"')
    said: list[dict[str, str]] = []

    def frame(messages: list[dict[str, str]]) -> str:
        said.extend(messages)
        return "<frame>"

    text = read_template(path).ask("Why?", shots=TRAIN[:1], chat_format=frame)
    assert text == "<frame>Let us"
    assert [(one["role"], one["content"]) for one in said] == [
        ("system", "Be brief."),
        ("user", "Solve: How many is 0?"),
        ("assistant", "Let us0\n#### 0"),
        ("user", "Solve: Why?"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("template: no field", "needs a template that holds {question}"),
        ("", "needs a template"),
        ('template: "{question} {solution}"', "holds {question} alone"),
        ('template: "{question}"\nstops: [a]', "unknown key 'stops' .* did you mean stop"),
        ('template: "{question}"\nstop: a', "stop is 'a', not a list"),
        ('template: "{question}"\nstop: [""]', "not a list of texts that are not empty"),
        ('template: "{question}"\nshot: "{question}"', "must hold {question} and {solution}"),
        ('template: "{question}"\nlead: 3', "lead is 3, not a text"),
        ('template: "{question}"\nchat: 1', "chat is 1, not true or false"),
        ('template: "{question}"\nchat: true\nshot: "{question}{solution}"', "shot is for plain prompts"),
        ("template: [", "is no YAML"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_template(written(tmp_path, text))


def test_equal_prompts_have_one_content_whatever_their_names(tmp_path: Path) -> None:
    one, two = (read_template(written(tmp_path, OWN, name=name)) for name in ("a", "b"))
    assert one == two
    assert prompts.content_of(one) == prompts.content_of(two)
