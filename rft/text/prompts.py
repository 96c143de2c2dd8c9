"""Prompt templates by name, those of a user's own files, few-shot draws.

    >>> template = template_named("plain")
    >>> template.ask("Ann has 3 bags of 17 nails. How many nails?")
    'Question: Ann has 3 bags of 17 nails. How many nails?\\nAnswer:'
    >>> shots = [Problem("g-1", "One and one?", "1+1=2\\n#### 2", "2")]
    >>> template.ask("Two and two?", shots=shots)
    'Question: One and one?\\nAnswer: 1+1=2\\n#### 2\\n\\nQuestion: Two and two?\\nAnswer:'

A training example is prompt + response + end-of-sequence token; the last two carry loss. The files of `conf/prompt` are known
by their names, which stand in the keys of stages: PINNED holds what each name stands for. A file that says something else, as
those of a user do, is known by its content (`own_template`).
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from rft.conf_path import choices, conf_folder, file_of
from rft.records import Problem
from rft.registry import suggestion
from rft.text.subsets import permutation
from rft.text.templates import Template, read_template

GROUP = "prompt"  # folder of the files
OWN = "own"  # stands in a key for the name of a template that is known by its content
PLAIN = "Question: {question}\nAnswer:"
PINNED = {  # by name the digest of the content
    "alpaca": "c5b08d84cc05a3b4f17bd35fc8369970",
    "plain": "338594d09052cb43523ec0782ae4781a",
    "world": "338594d09052cb43523ec0782ae4781a",
    "chat": "9181d6c16ef0dc00386f1eddd88647a4",
}


def content_of(template: Template) -> str:
    """Digest of all that a template says; its name is left out."""
    said = {name: value for name, value in dataclasses.asdict(template).items() if name != "name"}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def own_template(name: str, folders: Sequence[Path]) -> Template | None:
    """The template of `prompt/<name>.yaml` in the folders; None where the name is pinned and the file agrees.

    Raises ValueError for a name without a file, and for a file that is no prompt.
    """
    known = choices(GROUP, folders)
    if name not in known:
        raise ValueError(
            f"{name} is not one of {', '.join(sorted(known))}{suggestion(name, known)}. Files of your own lie in "
            "DIR/prompt/NAME.yaml and are found with --config-dir DIR"
        )
    file_of(GROUP, name, folders)  # refuses what would not be read
    template = _read(known[name], known[name].stat().st_mtime_ns)
    return None if PINNED.get(name) == content_of(template) else template


def asked_by(name: str, own: Template | None) -> Template:
    """The template of a stage: its own, or the pinned one of that name."""
    return template_named(name) if own is None else own


def cleaning_of(own: Template | None) -> int:
    """What a stage that takes solutions out of generated texts adds to its version. 1: a lead in words is no part of one.

    `own` as of `asked_by`: the leads of the pinned templates are white space.
    """
    return int(own is not None and bool(own.lead.strip()))


def template_named(name: str) -> Template:
    """The pinned template of that name, tasks included.

    Raises ValueError with the known names and the nearest one, and for a file that no longer says what its name stands for.
    """
    if name in TASK_TEMPLATES:
        return TASK_TEMPLATES[name]
    if name not in PINNED:
        raise ValueError(f"unknown prompt template {name!r}; allowed are {', '.join(PINNED)}{suggestion(name, PINNED)}")
    path = conf_folder() / GROUP / f"{name}.yaml"
    template = _read(path, path.stat().st_mtime_ns)
    if content_of(template) != PINNED[name]:
        raise ValueError(
            f"{path} no longer says what {name} stands for: undo that, and give a prompt of your own a name"
        )
    return template


@functools.lru_cache(maxsize=64)
def _read(path: Path, mtime_ns: int) -> Template:  # noqa: ARG001
    return read_template(path)


def draw_shots(train: Sequence[Problem], *, num_shots: int, seed: int) -> list[Problem]:
    """`num_shots` training problems chosen and ordered by seed; fewer shots are a prefix of more.

    Raises ValueError when there are fewer problems than shots.
    """
    if num_shots > len(train):
        raise ValueError(f"{num_shots} shots were asked for, but the training set has {len(train)} problems")
    by_id = {problem.id: problem for problem in train}
    order = permutation(list(by_id), seed=f"shots-{seed}")
    return [by_id[name] for name in order[:num_shots]]


# Templates of two other tasks: reverse (a path is given, its question is to be written) and revise (question and draft are
# given, a solution is to be written). Each is worded for a template of PINNED and named after it and the task; those for
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
