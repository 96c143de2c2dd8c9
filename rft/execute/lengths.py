"""Lengths in tokens, checked while a cell is planned: a row that is too long stops a study before anything runs.

    check_lengths(cell.plan, cell.sources)
    # ValueError: 3 of this cell's 512 training examples exceed train.max_tokens=256 (the longest has 301; 1,754 of all 7,473
    # rows do): raise train.max_tokens to 301, or set data.on_too_long=drop or truncate

Looks at what the cell will read: the human examples that it trains on, the prompts of what it samples and scores. Needs the
model's tokenizer and the files here; models and data of the hub, the embedded world, and prompts with worked examples or
drafts are left to the stages, which check the same. A kept path may still be longer than every human one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rft.core.checkpoints import CONFIG_FILE
from rft.core.context import check_window, context_of
from rft.plan.cell import CellPlan
from rft.plan.sources import Sources
from rft.records import Problem
from rft.stages.evaluate import Evaluate
from rft.stages.finetune import Finetune, training_pairs
from rft.stages.pretrain import Pretrain
from rft.stages.problems import FileProblems, Mixture, Part, Problems, Subset, chosen
from rft.stages.shard import Shard
from rft.stages.trainset import Trainset
from rft.text.prompts import asked_by
from rft.text.templates import Template

TOKENIZER_FILE = "tokenizer_config.json"


@dataclass(frozen=True)
class Length:
    """Tokens of a row."""

    prompt: int
    examples: tuple[int, ...]  # of each of its solutions: prompt, response, end-of-sequence token


@dataclass(frozen=True)
class _Limit:
    """What some rows of a set of problems must keep to."""

    subset: Subset
    template: Template
    model: str
    of_example: bool  # else of the prompt
    tokens: int
    key: str  # the configuration's name of the limit
    what: str
    added: int = 0  # tokens that are written after a prompt

    @property
    def way_out(self) -> str:
        """What else than a higher limit helps: a prompt is never cut."""
        return "set data.on_too_long=drop or truncate" if self.of_example else "leave the rows out"


def check_lengths(cell: CellPlan, sources: Sources) -> None:
    """Raise ValueError for the first limit that rows of the cell exceed, and for a loss in windows that no row can fill."""
    check_window(cell.read.loss.window, context=_context_of_base(cell, sources))
    if not sources.models or "train" not in sources.data_digest:  # all is made here: a plan of it stays quick
        return
    for limit in dict.fromkeys(_limits(cell)):
        identity = sources.models.get(limit.model)
        source = limit.subset.source
        if identity is None or not _is_here(Path(identity.path)) or not _is_readable(source):
            continue
        folder = Path(identity.path)
        lengths = lengths_of(source, folder, identity.digest, limit.template)
        mine = chosen(problems_of(source), num_problems=limit.subset.num_problems, seed=limit.subset.seed)
        _check(limit, lengths, [problem.id for problem in mine], context=context_of(folder))


def _context_of_base(cell: CellPlan, sources: Sources) -> int | None:
    """The context of the model whose loss is measured; None where it names none, or is not here."""
    base = cell.read.loss.base
    if isinstance(base, Pretrain):
        return base.arch.context
    identity = sources.models.get(base.model)
    folder = None if identity is None else Path(identity.path)
    return context_of(folder) if folder is not None and (folder / CONFIG_FILE).is_file() else None


def _limits(cell: CellPlan) -> Iterator[_Limit]:
    for stage in cell.stages:
        if isinstance(stage, Finetune) and _trains_on_human_rows(stage.trainset) and not stage.truncate:
            template = asked_by(stage.prompt, stage.own_template)
            yield _Limit(
                stage.trainset.subset, template, stage.model, True, stage.recipe.max_tokens, "train.max_tokens",
                "training examples",
            )  # fmt: skip
        elif isinstance(stage, Evaluate | Shard) and stage.drafts is None and stage.generation.shots is None:
            how = stage.generation
            subset = stage.subset if isinstance(stage, Shard) else Subset(stage.problems, stage.num_problems, None)
            yield _Limit(
                subset, how.template, stage.model, False, how.max_prompt_tokens, "data.max_prompt_tokens", "prompts",
                how.max_new_tokens,
            )  # fmt: skip


def _trains_on_human_rows(examples: Trainset) -> bool:
    """Whether every human row of its subset is an example as it is: not where a method turns rows round or takes a share."""
    return type(examples).run is Trainset.run and examples.examples_frac == 1


def _check(limit: _Limit, lengths: Mapping[str, Length], mine: list[str], *, context: int | None) -> None:
    sizes = {name: one.examples if limit.of_example else (one.prompt,) for name, one in lengths.items()}
    own, every = ([size for name in names for size in sizes[name]] for names in (mine, sizes))
    longest = max(own, default=0)
    if longest > limit.tokens:
        count, over = (sum(size > limit.tokens for size in of) for of in (own, every))
        raise ValueError(
            f"{count:,} of this cell's {len(own):,} {limit.what} exceed {limit.key}={limit.tokens} (the longest has "
            f"{longest}; {over:,} of all {len(every):,} rows do): raise {limit.key} to {longest}, or {limit.way_out}"
        )
    if context is not None and longest + limit.added > context:
        written = f" and data.max_new_tokens={limit.added}" if limit.added else ""
        raise ValueError(
            f"{limit.what} of up to {longest} tokens{written} need {longest + limit.added}, model={limit.model} has a "
            f"context of {context}: leave the rows out, lower data.max_new_tokens, or take a model with a longer context"
        )


def _is_here(folder: Path) -> bool:
    return (folder / CONFIG_FILE).is_file() and (folder / TOKENIZER_FILE).is_file()


def _is_readable(source: Problems) -> bool:
    whole = source.whole if isinstance(source, Part) else source
    return isinstance(whole, Mixture) or (isinstance(whole, FileProblems) and not whole.of_hub)


@functools.lru_cache(maxsize=16)
def problems_of(source: Problems) -> list[Problem]:
    """The problems that a stage over a file will write, read as it reads them."""
    if isinstance(source, Part):
        return source.part_of(problems_of(source.whole))
    if isinstance(source, Mixture):
        return source.of([problems_of(part) for part in source.parts]).problems
    assert isinstance(source, FileProblems)
    return source.reading().problems


@functools.lru_cache(maxsize=64)
def lengths_of(source: Problems, folder: Path, digest: str, template: Template) -> dict[str, Length]:  # noqa: ARG001
    """Tokens of every row of a stage over a file, by id, under a model's tokenizer (the folder's content has a `digest`)."""
    import sys

    from rft.core.tokenization import encode_examples, load_tokenizer

    problems, tokenizer = problems_of(source), load_tokenizer(folder)
    pairs = training_pairs([(one.question, text) for one in problems for text in one.solutions], template, tokenizer)
    encoded = iter(encode_examples(tokenizer, pairs, max_tokens=sys.maxsize))
    found = {}
    for problem in problems:
        own = [next(encoded) for _ in problem.solutions]
        found[problem.id] = Length(own[0].num_prompt, tuple(len(one.ids) for one in own))
    return found
