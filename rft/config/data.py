"""Settings of a data set: the embedded world's, those of files and how their rows are read. `conf/data/<name>.yaml`.

cfg.data.adapter.question       # 'problem.text': where a row has its question
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from rft.config import fields
from rft.config.choices import DataKind, GoldFrom, OnFault, OnTooLong, Solutions


@dataclass
class WorldConfig:
    """The embedded word-problem world (rft.text.world)."""

    min_steps: Annotated[int, fields.result("[1, inf)")]  # equations of a canonical solution, at least
    max_steps: Annotated[int, fields.result("[1, inf)")]  # and at most
    num_graphs: Annotated[int, fields.result("[1, inf)")]  # computation graphs, drawn with Zipf-like frequency
    max_distractors: Annotated[int, fields.result("[0, 4]")]  # facts that the answer does not need, at most
    human_style: Annotated[float, fields.result("[0, 1]")]  # probability of the canonical human path; else any
    composed_frac: Annotated[
        float, fields.result("[0, 1]")
    ]  # share of corpus documents that hold whole solved problems
    seed: Annotated[
        int, fields.result("(-inf, inf)")
    ]  # of graphs, pool, validation, test; of the corpus with its own seed
    max_value: Annotated[int, fields.result("[10, 9999]")] = 60  # each number is one token


@dataclass
class AdapterConfig:
    """How a row of a file is a problem: paths such as `a.b[0].c`, or text with `{path}` in it (rft.text.rowmap).

    Without question, solution and messages the first row decides which of the known forms the rows have.
    """

    question: str | None = None
    solution: str | None = None
    gold: str | None = None  # null: as the solution states it
    messages: str | None = None  # a list of messages (OpenAI or ShareGPT), in place of question and solution
    gold_from: GoldFrom = GoldFrom.marker
    # The rows' own ids, by which a pool drawn elsewhere may call questions; null: `id`, `idx`, ... (rft.text.own_ids)
    id: Annotated[str | None, fields.place()] = None


@dataclass
class MixPartConfig:
    """One of several training files."""

    path: str
    weight: float | None = None  # share of the mixture, relative to the others'; null for all: every row
    limit: int | None = None  # rows to read; null: all
    adapter: AdapterConfig = field(default_factory=AdapterConfig)  # empty: the data set's


@dataclass
class DataConfig:
    """One data set: `conf/data/<name>.yaml`."""

    name: Annotated[str, fields.name()]
    kind: DataKind
    num_train: Annotated[int | None, fields.result("[1, inf)", "the full human set, data_frac = 1; null: all")]
    num_pool: Annotated[int | None, fields.result("[1, inf)")]  # world: problems to take the human set from
    num_validation: Annotated[int, fields.result("[0, inf)")]  # held out of training for choices
    num_test: Annotated[int | None, fields.result("[1, inf)")]  # world: problems in the test set; jsonl: null
    eval_problems: Annotated[int | None, fields.result("[1, inf)", "test problems to score, a fixed prefix; null: all")]
    prompt: str  # prompt template, see rft.text.prompts
    rule: str  # grading rule, see rft.text.answers
    max_prompt_tokens: Annotated[int, fields.result("[1, inf)")]
    max_new_tokens: Annotated[int, fields.result("[1, inf)")]
    num_shots: Annotated[int, fields.result("[0, inf)")]  # worked examples in an ICL prompt
    expected_question_tokens: Annotated[int, fields.fact("[1, inf)")]  # for estimates before anything is tokenized
    expected_solution_tokens: Annotated[int, fields.fact("[1, inf)")]
    world: WorldConfig | None = None
    train_path: Annotated[str | None, fields.place()] = None  # file, folder or hub id (rft.infra.hub)
    test_path: Annotated[str | None, fields.place()] = None
    loss_path: Annotated[str | None, fields.place()] = None  # held-out text; null: the world's slice, or heldout.txt
    train_limit: Annotated[int | None, fields.result("[1, inf)", "rows to read; null: all")] = None
    on_bad_gold: OnFault = OnFault.error  # rows whose own solution the grading rule does not find correct
    on_duplicate: OnFault = OnFault.error  # rows that repeat another one, or give its question another answer
    solutions: Solutions = Solutions.first  # of a training file with several to one question: which are human paths
    test_limit: Annotated[int | None, fields.result("[1, inf)", "rows to read; null: all")] = None
    on_too_long: OnTooLong = OnTooLong.error  # training examples beyond train.max_tokens or the model's context
    adapter: AdapterConfig = field(default_factory=AdapterConfig)  # of rows in other forms; empty: a known form
    # Several training files in place of train_path; what they hold and in which shares counts, not where they lie
    train_mix: Annotated[list[MixPartConfig], fields.place()] = field(default_factory=list)
    recipe: dict[str, Any] = field(default_factory=dict)  # keys of `train` for any model on this data set
