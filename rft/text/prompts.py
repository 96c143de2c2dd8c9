"""Prompt templates as named settings, few-shot prompts, and the solution in what a model generated after a prompt.

    >>> template = template_named("plain")
    >>> template.prompt("Ann has 3 bags of 17 nails. How many nails?")
    'Question: Ann has 3 bags of 17 nails. How many nails?\\nAnswer:'
    >>> template.response("3*17=<<3*17=51>>51\\n#### 51")
    ' 3*17=<<3*17=51>>51\\n#### 51'
    >>> template.clean(" 3*17=51\\n#### 51\\n\\nQuestion: Bob")
    '3*17=51\\n#### 51'
    >>> shots = [Problem("g-1", "One and one?", "1+1=2\\n#### 2", "2")]
    >>> icl_prompt(template, shots, "Two and two?")
    'Question: One and one?\\nAnswer: 1+1=2\\n#### 2\\n\\nQuestion: Two and two?\\nAnswer:'

A training example is prompt + response + end-of-sequence token; the last two carry loss.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rft.records import Problem
from rft.text.subsets import permutation

Message = dict[str, str]  # {"role": "user" | "assistant", "content": text}
ChatFormat = Callable[[list[Message]], str]  # tokenizer.apply_chat_template(messages, tokenize=False, ...)

ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{question}\n\n### Response:"
)  # OFA-Sys/gsm8k-ScRel train.py, without an input field
PLAIN = "Question: {question}\nAnswer:"  # also that of lm-evaluation-harness, task gsm8k


@dataclass(frozen=True)
class Template:
    """How a question is asked and where its solution begins and ends."""

    name: str
    before: str  # the prompt, with {question}
    lead: str  # what the response begins with, before the solution
    stop: tuple[str, ...]  # any of these in the generated text ends the solution: the start of a next item
    separator: str = "\n\n"  # between the items of a few-shot prompt
    draft_lead: str = ""  # of revise templates: what stands between a question and its draft

    def prompt(self, question: str) -> str:
        """The text before the response."""
        return self.before.replace("{question}", question)  # not str.format: questions may hold braces

    def with_draft(self, question: str, draft: str) -> str:
        """Question and draft in one text, which a revise template takes in the question's place."""
        assert self.draft_lead, f"{self.name} is not a revise template"
        return question + self.draft_lead + draft

    def response(self, solution: str) -> str:
        """The text that training adds after the prompt, without the end-of-sequence token."""
        return self.lead + solution

    def clean(self, generated: str) -> str:
        """The solution in a generated text: cut at the first stop string, white space around it removed."""
        ends = [end for stop in self.stop if (end := generated.find(stop)) >= 0]
        return generated[: min(ends, default=len(generated))].strip()


TEMPLATES = {
    template.name: template
    for template in (
        Template("alpaca", ALPACA, lead="", stop=("\n### Instruction:", "\nBelow is an instruction")),
        Template("plain", PLAIN, lead=" ", stop=("\nQuestion:",)),
        Template("world", PLAIN, lead=" ", stop=("\nQuestion:",)),
        Template("chat", "{question}", lead="", stop=()),  # its frame comes from the tokenizer: see `chat_prompt`
    )
}

# Templates of two other tasks: reverse (a path is given, its question is to be written) and revise (question and draft are
# given, a solution is to be written). Each is worded for a template of TEMPLATES and named after it and the task; those for
# the world use only words that its tokenizer knows.
REVERSE, REVISE = "reverse", "revise"
_ALPACA_TASK = "Below is an instruction that describes a task, paired with {paired}. {order}\n\n### {head}:\n{question}"
_REVERSE_ALPACA = _ALPACA_TASK.replace("{paired}", "a solution").replace(
    "{order}", "Write the math word problem that the solution answers."
)
_REVISE_ALPACA = _ALPACA_TASK.replace("{paired}", "a draft of the response").replace(
    "{order}", "Write a response that appropriately completes the request; the draft may be wrong."
)
TASK_TEMPLATES = {
    template.name: template
    for template in (
        Template(
            "alpaca_reverse",
            _REVERSE_ALPACA.replace("{head}", "Solution") + "\n\n### Problem:",
            lead="",
            stop=("\n### Solution:", "\nBelow is an instruction"),
        ),
        Template(
            "alpaca_revise",
            _REVISE_ALPACA.replace("{head}", "Instruction") + "\n\n### Response:",
            lead="",
            stop=("\n### Instruction:", "\nBelow is an instruction"),
            draft_lead="\n\n### Draft:\n",
        ),
        *(
            template
            for name in ("plain", "world")
            for template in (
                Template(f"{name}_reverse", "Answer: {question}\nQuestion:", lead=" ", stop=("\nAnswer:",)),
                Template(f"{name}_revise", PLAIN, lead=" ", stop=("\nQuestion:", "\nAnswer:"), draft_lead="\nAnswer: "),
            )
        ),
    )
}


def template_named(name: str) -> Template:
    """The template of that name, tasks included. Raises ValueError with the known names and the nearest one."""
    if name in TEMPLATES or name in TASK_TEMPLATES:
        return TEMPLATES[name] if name in TEMPLATES else TASK_TEMPLATES[name]
    near = difflib.get_close_matches(name, TEMPLATES, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise ValueError(f"unknown prompt template {name!r}; allowed are {', '.join(TEMPLATES)}{hint}")


def chat_prompt(question: str, *, chat_format: ChatFormat, shots: Sequence[Problem] = ()) -> str:
    """A prompt in the model's own chat format, shots as earlier turns.

    `chat_format` is `lambda m: tokenizer.apply_chat_template(m, tokenize=False, add_generation_prompt=True)`.
    """
    messages: list[Message] = []
    for shot in shots:
        messages += [{"role": "user", "content": shot.question}, {"role": "assistant", "content": shot.solution}]
    return chat_format([*messages, {"role": "user", "content": question}])


def icl_prompt(template: Template, shots: Sequence[Problem], question: str) -> str:
    """Worked examples, then the question, in one template: the same frame as training, joined by its separator."""
    items = [template.prompt(shot.question) + template.response(shot.solution) for shot in shots]
    return template.separator.join([*items, template.prompt(question)])


def draw_shots(train: Sequence[Problem], *, num_shots: int, seed: int) -> list[Problem]:
    """`num_shots` training problems chosen and ordered by seed; fewer shots are a prefix of more.

    Raises ValueError when there are fewer problems than shots.
    """
    if num_shots > len(train):
        raise ValueError(f"{num_shots} shots were asked for, but the training set has {len(train)} problems")
    by_id = {problem.id: problem for problem in train}
    order = permutation(list(by_id), seed=f"shots-{seed}")
    return [by_id[name] for name in order[:num_shots]]
