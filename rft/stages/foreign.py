"""A pool that somebody else drew, as a stage: the texts of a file, joined to the training questions.

    stage = ImportedSamples(problems=source, donor="metamath", content=digest, seed=0, path="pool.jsonl")
    pool = ImportedPool("metamath", (stage,), num_draws=4, subset=questions)     # the first four draws of each question

Writes `samples.jsonl.gz` like a shard, and `imported.json`: where the file was from, and what became of its rows. A
question may have fewer draws than were asked for, or none: what there is was drawn elsewhere and cannot be topped up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rft.infra.digest import require_content
from rft.records import Sample, read_json, write_json, write_jsonl
from rft.stages.own_ids import OwnIds
from rft.stages.problems import Problems, Subset
from rft.stages.shard import ShardFile
from rft.stages.stage import SAMPLES_FILE, Done, Stage, StageContext, added, said
from rft.text.foreign import JoinFacts, join_draws
from rft.text.rows import numbered_rows

IMPORTED_FILE = "imported.json"
NUM_USED = "num_used"  # fact of a pool: draws that a selection reads


@dataclass(frozen=True)
class ImportedFile(ShardFile):
    """A finished import."""

    def facts(self) -> dict[str, Any]:
        """For the record."""
        found: dict[str, Any] = read_json(self.folder / IMPORTED_FILE)
        return found


@dataclass(frozen=True)
class Provenance:
    """What `imported.json` says of the pool besides its rows."""

    content: str  # digest of the file
    file: str  # its name
    rows: JoinFacts
    provenance: str = "imported"

    def to_json(self) -> dict[str, Any]:
        """One flat object."""
        return {name: value for name, value in vars(self).items() if name != "rows"} | self.rows.to_json()


@dataclass(frozen=True, eq=False, kw_only=True)
class ImportedSamples(Stage[ImportedFile]):
    """See the module. All training questions are joined, so that one import serves every fraction."""

    kind: ClassVar[str] = "imported_samples"
    version: ClassVar[int] = 2  # 2: what a row says of being cut holds for its list of one text
    problems: Problems
    donor: str
    content: str  # digest of the file
    seed: int  # orders draws that have no number
    own_ids: OwnIds | None = added(None)  # where rows have no question, but ids of the data files' own
    path: str = said()
    no_ids: str = said("")  # why those are not read, for a message

    def run(self, work: StageContext) -> Done:
        problems = work.open(self.problems).problems()
        found = join_draws(
            numbered_rows(self.path),
            problems,
            name=self.path,
            seed=self.seed,
            model=self.donor,
            own=None if self.own_ids is None else work.open(self.own_ids),
            no_ids=self.no_ids,
        )
        require_content(Path(self.path), self.content)
        write_jsonl(work.out / SAMPLES_FILE, (sample.to_json() for sample in found.samples))
        write_json(work.out / IMPORTED_FILE, Provenance(self.content, Path(self.path).name, found.facts).to_json())
        return Done()

    def read(self, folder: Path) -> ImportedFile:
        return ImportedFile(folder)


@dataclass(frozen=True)
class ImportedPool:
    """The first `num_draws` of them to every question of a subset, or as many as there are."""

    donor: str  # the pool's name
    shards: tuple[ImportedSamples]
    num_draws: int
    subset: Subset

    def samples(self, work: StageContext) -> Iterator[Sample]:
        """Problem by problem, draw by draw."""
        ids = {problem.id for problem in self.subset.problems(work)}
        for sample in work.open(self.shards[0]).samples():
            if sample.id in ids and sample.draw < self.num_draws:
                yield sample

    def expected(self, num_questions: int, work: StageContext) -> int:
        """How many samples there are: none can be missing."""
        return sum(1 for _ in self.samples(work))

    def facts(self, work: StageContext) -> dict[str, Any]:
        """For the record: the import, and how much of it is used."""
        return work.open(self.shards[0]).facts() | {NUM_USED: self.expected(0, work)}
