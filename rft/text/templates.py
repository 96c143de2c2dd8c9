r"""A prompt template: how a question is asked, and where its solution begins and ends. Read from a YAML file.

    >>> template = Template("mine", "Q: {question}\nA:", lead=" ", stop=("\nQ:",))
    >>> template.ask("How many?")
    'Q: How many?\nA:'
    >>> template.response("3*17=51\n#### 51")
    ' 3*17=51\n#### 51'
    >>> template.clean(" 3*17=51\n#### 51\n\nQ: Bob")
    '3*17=51\n#### 51'
    >>> Template("led", "{question}", lead="Answer: ").clean("Answer: 51")
    '51'

A file `prompt/mine.yaml` of your own (--config-dir) has `template` and any of the other keys of KEYS:

    template: "Q: {question}\nA:"      # the prompt
    lead: " "                          # what the response begins with, before the solution: learnt and generated
    prefix: "Let us think."            # how the answer is begun for the model, behind the prompt: not learnt
    stop: ["\nQ:"]                     # any of these in the generated text ends the solution
    system: "You solve problems."      # before all else; in a chat the system message
    shot: "Q: {question} A: {solution}"     # a worked example before the question; null: as in training
    separator: "\n\n"                  # between the items of a few-shot prompt, and behind `system`
    chat: false                        # true: the frame is the chat template of the model's tokenizer, examples are turns
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rft.records import Problem
from rft.registry import suggestion

Message = dict[str, str]  # {"role": "system" | "user" | "assistant", "content": text}
ChatFormat = Callable[[list[Message]], str]  # tokenizer.apply_chat_template(messages, tokenize=False, ...)

QUESTION, SOLUTION = "{question}", "{solution}"
TEXTS = ("template", "lead", "prefix", "system", "shot", "separator")
KEYS = (*TEXTS, "stop", "chat")
_FIELD = re.compile(r"\{question\}|\{solution\}")  # not str.format: questions may hold braces


@dataclass(frozen=True)
class Template:
    """See the module. Two templates are equal when they ask alike, whatever their names."""

    name: str = field(compare=False)
    before: str  # the prompt, with {question}
    lead: str = ""
    stop: tuple[str, ...] = ()
    separator: str = "\n\n"
    draft_lead: str = ""  # of revise templates: what stands between a question and its draft
    prefix: str = ""
    system: str = ""
    shot: str = ""
    chat: bool = False

    def ask(self, question: str, *, shots: Sequence[Problem] = (), chat_format: ChatFormat | None = None) -> str:
        """The text before the response: worked examples, then the question. A chat needs its model's `chat_format`.

        That is `lambda m: tokenizer.apply_chat_template(m, tokenize=False, add_generation_prompt=True)`.
        """
        if self.chat:
            assert chat_format is not None, "a chat is framed by its model's tokenizer"
            return chat_format(self.messages(question, shots)) + self.prefix
        before = [self.system] if self.system else []
        return self.separator.join([*before, *map(self._worked, shots), self._asked(question)])

    def with_draft(self, question: str, draft: str) -> str:
        """Question and draft in one text, which a revise template takes in the question's place."""
        assert self.draft_lead, f"{self.name} is not a revise template"
        return question + self.draft_lead + draft

    def response(self, solution: str) -> str:
        """The text that training adds after the prompt, without the end-of-sequence token."""
        return self.lead + solution

    def clean(self, generated: str) -> str:
        """The solution in a generated text: cut at the first stop string, without the lead and white space around it."""
        ends = [end for stop in self.stop if (end := generated.find(stop)) >= 0]
        text = generated[: min(ends, default=len(generated))]
        return text.lstrip().removeprefix(self.lead.lstrip()).strip()

    def _asked(self, question: str) -> str:
        return _filled(self.before, question) + self.prefix

    def _worked(self, shot: Problem) -> str:
        if self.shot:
            return _filled(self.shot, shot.question, shot.solution)
        return self._asked(shot.question) + self.response(shot.solution)

    def messages(self, question: str, shots: Sequence[Problem] = ()) -> list[Message]:
        """The turns of a chat before the response: system message, worked examples as earlier turns, the question."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for shot in shots:
            answer = self.prefix + self.response(shot.solution)
            messages += [_said("user", _filled(self.before, shot.question)), _said("assistant", answer)]
        return [*messages, _said("user", _filled(self.before, question))]


def read_template(path: Path) -> Template:
    """The template of a YAML file, named after it. Raises ValueError naming the file and the key that is off."""
    import yaml

    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    given: dict[str, Any] = (
        {key: value for key, value in read.items() if value is not None} if isinstance(read, dict) else {}
    )
    for problem in _problems(given):
        raise ValueError(f"{path}: {problem}")
    texts = {("before" if key == "template" else key): given[key] for key in TEXTS if key in given}
    return Template(path.stem, **texts, stop=tuple(given.get("stop", ())), chat=given.get("chat", False))


def _problems(given: dict[str, Any]) -> list[str]:
    unknown = sorted(str(key) for key in given if key not in KEYS)
    if unknown:
        allowed = f"{', '.join(KEYS)}{suggestion(unknown[0], KEYS)}"
        return [f"unknown key {unknown[0]!r} of a prompt; allowed are {allowed}"]
    problems = [f"{key} is {given[key]!r}, not a text" for key in TEXTS if not isinstance(given.get(key, ""), str)]
    if QUESTION not in str(given.get("template", "")):
        problems.append("a prompt needs a template that holds {question}")
    if SOLUTION in str(given.get("template", "")):
        problems.append("a template holds {question} alone; {solution} stands in shot")
    if "shot" in given and not {QUESTION, SOLUTION} <= set(_FIELD.findall(str(given["shot"]))):
        problems.append("shot is the text of a worked example: it must hold {question} and {solution}")
    stop = given.get("stop", [])
    if not isinstance(stop, list) or not all(isinstance(one, str) and one for one in stop):
        problems.append(f"stop is {stop!r}, not a list of texts that are not empty")
    if not isinstance(given.get("chat", False), bool):
        problems.append(f"chat is {given['chat']!r}, not true or false")
    if given.get("chat") and given.get("shot"):
        problems.append("shot is for plain prompts; in a chat worked examples are earlier turns: leave it out")
    return problems


def _filled(text: str, question: str, solution: str = "") -> str:
    """In one pass, so that a question that holds `{solution}` stays as it is."""
    return _FIELD.sub(lambda found: question if found[0] == QUESTION else solution, text)


def _said(role: str, content: str) -> Message:
    return {"role": role, "content": content}
