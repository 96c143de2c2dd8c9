"""How likely the model that drew them finds the kept paths of its pool, and how many tokens it took to write them.

    {path.origin: path for path in work.open(scores).rows()}

Writes `scores.jsonl.gz`, a row a kept path of the pool: {"id": "w-0f3a", "model": "nano-s", "draw": 2, "num_tokens": 41,
"logprob": -0.31}. `logprob` is the mean over response and end of sequence, in nats a token, at temperature 1 with the prompt
in the context and weights in `dtype`, whichever engine drew the path; `num_tokens` are those that were generated.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rft.records import read_jsonl, write_jsonl
from rft.stages.allocate import AnyPool
from rft.stages.finetune import training_pairs
from rft.stages.kept import Selection
from rft.stages.problems import Subset
from rft.stages.stage import Done, Stage, StageContext, added
from rft.stages.weights import Weights
from rft.text.prompts import asked_by
from rft.text.selection import KeptPath
from rft.text.templates import Template

SCORES_FILE = "scores.jsonl.gz"
DIGITS = 6  # of a log-probability that are kept: the last ones of float32 change with the batch

Origin = tuple[str, str, int]  # question, model, draw


@dataclass(frozen=True)
class PathScore:
    """One kept path's."""

    id: str
    model: str
    draw: int
    num_tokens: int
    logprob: float

    @property
    def origin(self) -> Origin:
        """What names the path."""
        return self.id, self.model, self.draw


@dataclass(frozen=True)
class PathScores:
    """Finished scores."""

    folder: Path

    def rows(self) -> Iterator[PathScore]:
        """In the order of the kept paths."""
        return (PathScore(**row) for row in read_jsonl(self.folder / SCORES_FILE))


@dataclass(frozen=True, eq=False, kw_only=True)
class Scores(Stage[PathScores]):
    """See the module."""

    kind: ClassVar[str] = "scores"
    paths: Selection
    pool: AnyPool  # whose paths are scored
    weights: Weights  # that drew it
    prompt: str  # template that it was asked in
    subset: Subset  # the questions
    numerics: str = added("native")
    own_template: Template | None = added(None)  # of a user's file
    dtype: str = added("float32")  # of the weights

    def run(self, work: StageContext) -> Done:
        """Raises RuntimeError for a kept path that the pool does not hold."""
        from rft.core.likelihood import mean_logprobs
        from rft.core.model import forward_flops_per_token, load_model
        from rft.core.tokenization import encode_examples, load_tokenizer
        from rft.infra.devices import resolve_device

        kept = [path for path in work.open(self.paths).kept() if path.model == self.pool.donor]
        folder = work.open(self.weights).folder
        tokenizer = load_tokenizer(folder)
        questions = {problem.id: problem.question for problem in self.subset.problems(work)}
        shown = [(questions[path.id], path.text) for path in kept]
        pairs = training_pairs(shown, asked_by(self.prompt, self.own_template), tokenizer)
        examples = encode_examples(tokenizer, pairs, max_tokens=sys.maxsize)
        model = load_model(folder, device=resolve_device(work.runtime.device), dtype=self.dtype)
        logprobs = mean_logprobs(
            model,
            examples,
            micro_batch_tokens=work.runtime.micro_batch_tokens,
            progress=lambda done, total: work.report(done / total),
        )
        found = self._scored(kept, logprobs, work)
        write_jsonl(work.out / SCORES_FILE, (dataclasses.asdict(one) for one in found))
        tokens = sum(len(example.ids) for example in examples)
        return Done(tokens, forward_flops_per_token(model) * tokens)

    def _scored(self, kept: list[KeptPath], logprobs: list[float], work: StageContext) -> Iterator[PathScore]:
        lengths = {(sample.id, sample.draw): sample.num_tokens for sample in self.pool.samples(work)}
        for path, logprob in zip(kept, logprobs, strict=True):
            length = lengths.get((path.id, path.draw))
            if length is None:
                raise RuntimeError(f"draw {path.draw} of problem {path.id} was kept, but {path.model}'s pool lacks it")
            yield PathScore(path.id, path.model, path.draw, length, round(logprob, DIGITS))

    def read(self, folder: Path) -> PathScores:
        return PathScores(folder)
