"""The planner's vocabulary of questions: whose problems a cell trains on, samples, and is scored on; and its seeds.

p.human             # Subset(source=WorldProblems(...), num_problems=512, seed=0), the cell's human subset
p.questions         # what is sampled; p.scored, p.num_scored: what is scored
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from rft.config import (
    DataKind,
    MixPartConfig,
    OnFault,
    SampleFrom,
    Solutions,
    Split,
    StudyConfig,
)
from rft.config.reading import note, unnoted, values_of, whole
from rft.plan.data_files import SetSource
from rft.plan.method import options_of
from rft.plan.reading_rows import row_map
from rft.plan.sharing import Memo, shared
from rft.plan.sources import Sources
from rft.plan.yields import (
    BYTES_PER_PROBLEM,
)
from rft.stages.problems import FileProblems, Golds, Leakage, Mixture, Part, Problems, Subset, WorldProblems
from rft.stages.stage import Work
from rft.text.answers import RULES, grading_marks
from rft.text.rowmap import RowMap

Options = TypeVar("Options")


class Questions:
    """Problems of a cell as stages, with the options and seeds that choose among them."""

    def __init__(
        self, cfg: StudyConfig, sources: Sources, *, cell: Questions | None = None, memo: Memo | None = None
    ) -> None:
        """`cfg` with its defaults filled in (rft.plan.sources.filled_in), watched by whoever wants to know what is read.

        `cell`: where these are a further test set, the questions of the cell whose model it tests. `memo`: what planning
        other cells has found; `cfg` is then a watched one.
        """
        self.cfg = cfg
        self.sources = sources
        self._cell = cell  # not itself, so that a planner goes away when its cell is planned
        self.memo = memo

    @property
    def cell(self) -> Questions:
        """The questions of the cell whose model is tested."""
        return self._cell or self

    def options(self, kind: type[Options]) -> Options:
        """The options of the method that has this class of them: the cell's, or one that it rests on."""
        return options_of(self.cfg, kind)

    @property
    def data_seed(self) -> int:
        """Of the human subset and of worked examples."""
        return _seed(self.cfg.data_seed)

    @property
    def train_seed(self) -> int:
        """Of the order of examples."""
        return _seed(self.cfg.train_seed)

    @property
    def sample_seed(self) -> int:
        """Of pools and of random choices among their paths."""
        return _seed(self.cfg.sample_seed)

    @property
    @shared
    def pool(self) -> Problems:
        """All human training problems, the validation split taken off."""
        if self.cfg.data.kind is DataKind.world:
            return self._world("train", count=self.cfg.data.num_pool)
        size = self.cfg.data.num_validation
        return self._part("train") if size else self._train_rows

    @property
    @shared
    def validation(self) -> Problems:
        """Problems held out of training for choices."""
        if self.cfg.data.kind is DataKind.world:
            return self._world("validation", count=self.cfg.data.num_validation)
        return self._part("validation")

    @property
    @shared
    def test(self) -> Problems:
        """The test set."""
        if self.cfg.data.kind is DataKind.world:
            return self._world("test", count=self.cfg.data.num_test)
        return self._file("test")

    @property
    def scored(self) -> Problems:
        """The split that is scored."""
        return self.validation if self.cfg.eval.split is Split.validation else self.test

    @property
    def num_scored(self) -> int:
        """Problems that are scored: the validation split, or the named prefix of the test set."""
        if self.cfg.eval.split is Split.validation:
            return self.cfg.data.num_validation
        return _size(self.cfg.data.eval_problems)

    @property
    def num_human(self) -> int:
        """Problems of the cell's human subset: data_frac of the full set, at least one."""
        return max(1, round(self.cfg.data_frac * _size(self.cfg.data.num_train)))

    @property
    @shared
    def human(self) -> Subset:
        """The cell's human subset: the first of the order that `data_seed` gives (nested in the fraction)."""
        return Subset(self.pool, self.num_human, self.data_seed)

    @property
    @shared
    def all_human(self) -> Subset:
        """The human subset of a cell on all the data."""
        return Subset(self.pool, _size(self.cfg.data.num_train), self.data_seed)

    @property
    def questions(self) -> Subset:
        """The questions that are sampled: of the subset, or of all the data."""
        return self.all_human if self.samples_all else self.human

    @property
    def samples_all(self) -> bool:
        """Whether questions outside the cell's fraction are sampled too; on all the data the choice means nothing."""
        return self.cfg.data_frac < 1 and self.cfg.sample_from is SampleFrom.all

    def _world(self, split: str, *, count: int | None) -> WorldProblems:
        assert self.cfg.data.world is not None
        world = whole(self.cfg.data.world)
        size = Work(num_bytes=BYTES_PER_PROBLEM * _size(count))
        return WorldProblems(split=split, world=world, count=_size(count), label=f"{split} problems", work=size)

    def _file(self, split: str, *, source: SetSource | None = None, part: MixPartConfig | None = None) -> FileProblems:
        data = self.cfg.data
        content, path = self.sources.data_digest[split], self.sources.data_paths[split]
        if source is None:
            note(data, f"{split}_content", content)
        else:
            assert source.content is not None
            content, path = source.content, source.path
        count = self.sources.num_test if split == "test" else self.sources.num_pool
        return FileProblems(
            split=split,
            content=content,
            limit=part.limit if part is not None else data.train_limit if split == "train" else data.test_limit,
            rule=data.rule if data.on_bad_gold is OnFault.drop else None,
            on_bad_gold=data.on_bad_gold.value,
            on_duplicate=data.on_duplicate.value,
            solutions=(self._solutions if split == "train" else Solutions.first).value,
            plugins=grading_marks(data.rule) if data.on_bad_gold is OnFault.drop else (),
            row_map=self._row_map(part),
            numbers=RULES[unnoted(data).rule].numbers,
            regrouped=content in self.sources.regrouped,
            path=path,
            label=f"{split} problems of {unnoted(data).name if part is None else path}",
            work=Work(num_bytes=BYTES_PER_PROBLEM * count),
        )

    def _row_map(self, part: MixPartConfig | None) -> RowMap | None:
        """Noted where there is one: cells from before it existed keep their setting."""
        own = row_map(part.adapter) if part is not None else None
        found = own or row_map(unnoted(self.cfg).data.adapter)
        if found is not None and own is None:
            values_of(self.cfg.data.adapter)
        return found

    @property
    def _solutions(self) -> Solutions:
        """Noted where it is not the default: cells from before it existed keep their setting."""
        bare = unnoted(self.cfg).data.solutions
        return bare if bare is Solutions.first else self.cfg.data.solutions

    def _part(self, split: str) -> Part:
        whole, size = self._train_rows, self.cfg.data.num_validation
        return Part(split=split, whole=whole, num_validation=size, label=f"{split} part of {whole.label}")

    @property
    def training_rows(self) -> Problems:
        """All that the cell could train on, the validation split included where it is part of a file."""
        return self.pool if self.cfg.data.kind is DataKind.world else self._train_rows

    @property
    def training_files(self) -> tuple[FileProblems, ...]:
        """The files behind the training rows."""
        rows = self._train_rows
        assert isinstance(rows, FileProblems | Mixture)
        return (rows,) if isinstance(rows, FileProblems) else rows.parts

    @property
    def _train_rows(self) -> Problems:
        """Of one file, or of several."""
        parts = unnoted(self.cfg).data.train_mix
        return self._mixture(parts) if parts else self._file("train")

    def _mixture(self, parts: Sequence[MixPartConfig]) -> Mixture:
        data = self.cfg.data
        weights = tuple(part.weight for part in parts if part.weight is not None)
        sources = list(zip(self.sources.mix, parts, strict=True))
        adapters = [row_map(part.adapter) for part in parts]
        note(data, "mix", [[one.content, part.weight, part.limit] for one, part in sources])
        note(data, "mix_adapters", [None if one is None else list(vars(one).values()) for one in adapters])
        files = (self._file("train", source=one, part=part) for one, part in sources)
        label = f"training problems of {len(parts)} files of {unnoted(data).name}"
        return Mixture(
            split="train",
            parts=tuple(files),
            weights=weights,
            on_duplicate=data.on_duplicate.value,
            regrouped=self.sources.mix_content in self.sources.regrouped,
            label=label,
        )

    @property
    @shared
    def guards(self) -> tuple[Leakage | Golds, ...]:
        """Checks before scores: no question that the cell trains on is a test question, the rule reads the golds of files."""
        return (*(self._leakage if self.cfg.eval.split is Split.test else ()), *self.golds(self.scored))

    @property
    def _leakage(self) -> tuple[Leakage, ...]:
        """One world's splits are apart as they are made; files, and unlike worlds, are looked at."""
        mine, trained = unnoted(self.cfg).data, unnoted(self.cell.cfg).data
        if mine.kind is DataKind.world and mine.world == trained.world:
            return ()
        return (Leakage(train=self.cell.training_rows, test=self.test, label="leakage"),)

    def golds(self, problems: Problems) -> tuple[Golds, ...]:
        """The check that the cell's rule reads the golds of problems from files."""
        if self.cfg.data.kind is DataKind.world:
            return ()
        rule = self.cfg.data.rule
        return (
            Golds(problems=(problems,), rule=rule, plugins=grading_marks(rule), label=f"golds of {problems.label}"),
        )


def _seed(seed: int | None) -> int:
    assert seed is not None, "filled in before anything is planned (rft.plan.sources.filled_in)"
    return seed


def _size(count: int | None) -> int:
    assert count is not None, "filled in before anything is planned (rft.plan.sources.filled_in)"
    return count
