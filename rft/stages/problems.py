"""Problems of a split as a stage, and which of them another stage works on.

    >>> pool = WorldProblems(split="train", world={"seed": 0}, count=8192)
    >>> subset = Subset(source=pool, num_problems=64, seed=0)       # nested: fewer problems are a prefix of more
    >>> four = [Problem(name, "?", "", "1") for name in "dcba"]
    >>> [problem.id for problem in chosen(four, num_problems=2, seed=None)]
    ['c', 'd']

A training set, its validation split and a test set are stages of their own, so that another test set trains nothing again.
Each writes `problems.jsonl`, rows of rft.records.Problem in file order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rft.config import WorldConfig
from rft.infra.digest import require_contents
from rft.infra.hub import HUB_PREFIX, hub_rows
from rft.records import Problem, read_jsonl, write_jsonl
from rft.stages.stage import Done, Facts, Stage, StageContext, added, said
from rft.text.gsm8k import RELEASES, ReadAs, Reading, checked_problems, read_file, refuse_bad_golds, release_status
from rft.text.mixture import mixed
from rft.text.overlap import Asked, refuse_overlap
from rft.text.rowmap import RowMap
from rft.text.rows import Row
from rft.text.subsets import permutation, split
from rft.text.tables import files_behind, placed_rows
from rft.text.world import WorldSplit, world_problems

PROBLEMS_FILE = "problems.jsonl"
WORLD_SPLITS = {"train": WorldSplit.POOL, "validation": WorldSplit.VALIDATION, "test": WorldSplit.TEST}


@dataclass(frozen=True)
class ProblemFile:
    """A finished stage of problems."""

    folder: Path

    def problems(self) -> list[Problem]:
        """All of them, in file order."""
        return [Problem.from_json(row) for row in read_jsonl(self.folder / PROBLEMS_FILE)]


@dataclass(frozen=True)
class ProblemFacts(Facts):
    """What a stage of problems tells the record."""

    num_problems: int
    dropped_rows: dict[str, int] | None = None  # by reason
    gsm8k_release: str | None = None  # exact | ...: whether these are the published rows
    fetched: dict[str, str] | None = None  # of the hub: where from, and the digest of what came


@dataclass(frozen=True, eq=False, kw_only=True)
class Problems(Stage[ProblemFile]):
    """What all stages of problems have in common."""

    split: str  # train | validation | test: what they are for

    def read(self, folder: Path) -> ProblemFile:
        return ProblemFile(folder)


def write_problems(problems: Sequence[Problem], out: Path) -> None:
    """The file of a stage of problems."""
    write_jsonl(out / PROBLEMS_FILE, (problem.to_json() for problem in problems))


@dataclass(frozen=True, eq=False, kw_only=True)
class WorldProblems(Problems):
    """The first problems of a split of the embedded world."""

    kind: ClassVar[str] = "world_problems"
    version: ClassVar[int] = 2  # 2: every amount that a question means is named
    world: WorldConfig
    count: int

    def run(self, work: StageContext) -> Done:
        found = world_problems(self.world, split=WORLD_SPLITS[self.split], count=self.count)
        write_problems(found, work.out)
        return Done(facts=ProblemFacts(len(found)))


@dataclass(frozen=True, eq=False, kw_only=True)
class FileProblems(Problems):
    """The problems of a file or of a data set of the hub; unusable rows are an error, or are left out and counted."""

    kind: ClassVar[str] = "file_problems"
    content: str  # digest of the file; of the hub its name
    limit: int | None
    rule: str | None  # where bad golds are dropped: the rule that must find a row's solution correct (else see Golds)
    on_bad_gold: str  # error | drop
    on_duplicate: str  # error | drop
    plugins: tuple[str, ...] = added(
        ()
    )  # digests of the source of a rule that is not this package's, where it drops rows
    solutions: str = added("first")  # first | all, of a training file; in others a question occurs once
    row_map: RowMap | None = added(None)  # how a row is a problem; None: one of the known forms
    numbers: bool = added(True)  # gold answers must be numbers
    regrouped: bool = added(False)  # other rows are one problem than before (rft.text.overlap.grouped_otherwise)
    path: str = said()

    @property
    def edition(self) -> int:
        return self.version + self.regrouped  # 2: minus signs before words of formulas are signs

    def run(self, work: StageContext) -> Done:
        read = self.reading()
        write_problems(read.problems, work.out)
        release = release_status(read.problems, split=self.split)
        fetched = {"from": self.path, "sha256": release.digest} if self.of_hub else None
        return Done(facts=ProblemFacts(len(read.problems), read.dropped, release.status, fetched))

    @property
    def of_hub(self) -> bool:
        """Whether the rows lie on the hub, not in a file here."""
        return self.path.startswith(HUB_PREFIX)

    @property
    def how(self) -> ReadAs:
        """How its rows are read."""
        return ReadAs(
            limit=self.limit,
            rule=self.rule,
            on_bad_gold=self.on_bad_gold,
            on_duplicate=self.on_duplicate,
            solutions=self.solutions if self.split == "train" else None,
            row_map=self.row_map,
            numbers=self.numbers,
        )

    def rows(self) -> Iterator[tuple[str, Row]]:
        """Its rows as they are, with their places."""
        if not self.of_hub:
            return placed_rows(self.path)
        return ((f"row {number}", row) for number, row in hub_rows(self.path, split=self.split))

    def reading(self) -> Reading:
        """From a file, or from the hub. Raises ValueError when there is other content than the study was planned with."""
        how = self.how
        if not self.of_hub:
            found = read_file(self.path, how)
            require_contents(self.path, files_behind(self.path), self.content)
            return found
        found = checked_problems(self.rows(), how, name=f"{self.path}, split {self.split}")
        planned = RELEASES[self.split][0] if self.limit is None else self.limit
        if len(found.problems) != planned:
            raise ValueError(
                f"{self.path} has {len(found.problems)} {self.split} rows, the study was planned with {planned}: set "
                f"data.{self.split}_limit"
            )
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class Mixture(Problems):
    """Several training files as one, in the proportions of their weights (rft.text.mixture)."""

    kind: ClassVar[str] = "mixture"
    parts: tuple[FileProblems, ...]
    weights: tuple[float, ...]  # of each, or none: every row
    on_duplicate: str  # error | drop, of a question that two files have
    regrouped: bool = added(False)  # as of one file

    @property
    def edition(self) -> int:
        return self.version + self.regrouped  # 2: minus signs before words of formulas are signs

    def run(self, work: StageContext) -> Done:
        found = self.of([work.open(part).problems() for part in self.parts])
        write_problems(found.problems, work.out)
        return Done(facts=ProblemFacts(len(found.problems), found.dropped))

    def of(self, parts: Sequence[Sequence[Problem]]) -> Reading:
        """Its problems, of those of its files."""
        named = {
            f"{place}. {part.label}": one for place, (part, one) in enumerate(zip(self.parts, parts, strict=True), 1)
        }
        return mixed(named, weights=self.weights, drop_duplicates=self.on_duplicate == "drop")


@dataclass(frozen=True, eq=False, kw_only=True)
class Part(Problems):
    """A training file less its validation split (`split` train), or that split (`split` validation)."""

    kind: ClassVar[str] = "part"
    whole: Problems
    num_validation: int

    def run(self, work: StageContext) -> Done:
        found = self.part_of(work.open(self.whole).problems())
        write_problems(found, work.out)
        return Done(facts=ProblemFacts(len(found)))

    def part_of(self, problems: Sequence[Problem]) -> list[Problem]:
        """Its problems among those of the whole file."""
        kept, held = split([problem.id for problem in problems], size=self.num_validation)
        by_id = {problem.id: problem for problem in problems}
        return [by_id[name] for name in (held if self.split == "validation" else kept)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Leakage(Stage[None]):
    """The check that no training question is a test question. Writes nothing; the stages that it guards have it as input."""

    kind: ClassVar[str] = "leakage"
    train: Problems
    test: Problems

    def run(self, work: StageContext) -> Done:
        train, test = (
            [Asked(p.question, p.gold) for p in work.open(one).problems()] for one in (self.train, self.test)
        )
        refuse_overlap(train, test, name="the training file")
        return Done()

    def read(self, folder: Path) -> None:
        return None


@dataclass(frozen=True, eq=False, kw_only=True)
class Golds(Stage[None]):
    """The check that a grading rule finds every problem's own solution correct. Writes nothing, as Leakage.

    A stage of its own, so that another rule costs another evaluation and no training.
    """

    kind: ClassVar[str] = "golds"
    problems: tuple[Problems, ...]
    rule: str
    plugins: tuple[str, ...] = added(())

    def run(self, work: StageContext) -> Done:
        for one in self.problems:
            refuse_bad_golds(work.open(one).problems(), rule=self.rule, name=one.label)
        return Done()

    def read(self, folder: Path) -> None:
        return None


@dataclass(frozen=True)
class Subset:
    """Which problems of a stage another stage works on.

    With a seed, the first in the order that it gives: nested in their number. Without one, the first in file order (so that
    a test set is the same for every seed), sorted by id: how the file is ordered does not change what a shard holds.
    """

    source: Problems
    num_problems: int
    seed: int | None

    def problems(self, work: StageContext) -> list[Problem]:
        """The problems."""
        return self.of(work.open(self.source))

    def of(self, source: ProblemFile) -> list[Problem]:
        """The problems, of its finished source."""
        return chosen(source.problems(), num_problems=self.num_problems, seed=self.seed)


def chosen(problems: Sequence[Problem], *, num_problems: int, seed: int | None) -> list[Problem]:
    """The problems of a Subset with these fields."""
    assert num_problems <= len(problems), f"{num_problems} problems of {len(problems)}"
    if seed is None:
        return sorted(problems[:num_problems], key=lambda problem: problem.id)
    by_id = {problem.id: problem for problem in problems}
    return [by_id[name] for name in permutation(list(by_id), seed=seed)[:num_problems]]
