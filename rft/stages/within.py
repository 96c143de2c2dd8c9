"""A set of examples less those that are longer than the model may train on: `data.on_too_long=drop`.

A stage of its own, between the method's set and the training, so that epochs are counted over what is trained on and a
control at equal steps takes the steps of what is left. Writes the files of a training set (rft.stages.trainset).

    {"num_examples": 5719, "num_reference_examples": [5719]}                         # reference.json, of 7,473 examples
    {"num_human": 5719, "num_augmented": 0, "num_examples": 5719, "num_too_long": 1754}      # its facts
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from rft.stages.stage import Done, StageContext, added
from rft.stages.trainset import Trainset, write_examples
from rft.stages.weights import Weights
from rft.text.prompts import asked_by
from rft.text.templates import Template


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class WithinLimit(Trainset):
    """See the module."""

    kind: ClassVar[str] = "within_limit"
    whole: Trainset
    base: Weights  # whose tokenizer counts
    prompt: str
    max_tokens: int
    own_template: Template | None = added(None)

    @staticmethod
    def of(
        whole: Trainset, *, base: Weights, prompt: str, own_template: Template | None, max_tokens: int
    ) -> WithinLimit:
        """The examples of a set that a model may train on, asked with a prompt."""
        return WithinLimit(
            subset=whole.subset,
            whole=whole,
            base=base,
            prompt=prompt,
            own_template=own_template,
            max_tokens=max_tokens,
            expected_reference=whole.expected_reference,
            label=whole.label,
            work=whole.work,
        )

    @property
    def edition(self) -> int:
        """One more where the set has facts of its own, which once were not told."""
        return self.version + (type(self.whole).facts_of is not Trainset.facts_of)

    @property
    def trained_frac(self) -> float:
        """That of the whole: it is of a share already, of which no second one is taken."""
        return self.whole.trained_frac

    def run(self, work: StageContext) -> Done:
        whole = work.open(self.whole)
        rows = list(whole.rows())
        lengths, limit = self._lengths([(row.question, row.solution) for row in rows], work)
        kept = [row for row, length in zip(rows, lengths, strict=True) if length <= limit]
        if not kept:
            raise ValueError(
                f"all {len(rows)} examples exceed {limit} tokens, so that data.on_too_long=drop leaves none: raise "
                f"train.max_tokens to {min(lengths)} or more"
            )
        counts_own = type(self.whole).references is Trainset.references  # else over other sets, cut by stages of theirs
        write_examples(kept, work.out, references=None if counts_own else whole.references)
        facts = self.whole.facts_of(kept, whole=whole)
        return Done(facts=dataclasses.replace(facts, num_too_long=len(rows) - len(kept)))

    def _lengths(self, shown: Sequence[tuple[str, str]], work: StageContext) -> tuple[list[int], int]:
        """(tokens of every example, most that the recipe and the model's context allow)."""
        import sys

        from rft.core.context import context_of, within
        from rft.core.tokenization import encode_examples, load_tokenizer
        from rft.stages.finetune import training_pairs

        folder = work.open(self.base).folder
        tokenizer = load_tokenizer(folder)
        pairs = training_pairs(shown, asked_by(self.prompt, self.own_template), tokenizer)
        encoded = encode_examples(tokenizer, pairs, max_tokens=sys.maxsize)
        return [len(one.ids) for one in encoded], within(self.max_tokens, context_of(folder))
