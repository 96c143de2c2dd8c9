"""The embedded world's pretraining text as token ids, with its tokenizer; and a held-out slice for the measured loss.

`Corpus` writes a Hugging Face tokenizer and `tokens.npy` (uint16, documents ended by the end-of-sequence token), if asked for
`determined.npy` besides (bool, same length). Without one-step documents a smaller budget's tokens are a prefix of a
larger one's. `Heldout` writes `heldout.npy`, `heldout_determined.npy` (bool, same length) and `heldout.json`:
{"num_bytes": 201734, "num_tokens": 65634}.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rft.config import WorldConfig
from rft.records import read_json, write_json
from rft.stages.stage import Done, Stage, StageContext, added
from rft.text.world import Segment, corpus_documents, single_documents

if TYPE_CHECKING:
    import numpy as np

    from rft.core.tokenization import Tokenizer

DOCUMENTS_AT_ONCE = 2_000
LONG = 64  # tokens, about as many as a document has: a small budget makes and reads no more documents than it takes
HELD_OUT_SEED = 0  # one held-out text for all bases, whatever corpus they were drawn with
HELDOUT_FILE = "heldout.json"


@dataclass(frozen=True)
class CorpusFiles:
    """A finished corpus."""

    folder: Path  # the tokenizer lies there too

    @property
    def tokens(self) -> Path:
        """File of the training part: token ids, uint16 (num_tokens + 1,)."""
        return self.folder / "tokens.npy"

    @property
    def determined(self) -> Path:
        """File that marks the tokens to be computed or copied from a story, if asked for, bool (num_tokens + 1,)."""
        return self.folder / "determined.npy"


@dataclass(frozen=True)
class HeldoutSize:
    """What `heldout.json` holds."""

    num_bytes: int
    num_tokens: int


@dataclass(frozen=True)
class HeldoutFiles:
    """A finished slice."""

    folder: Path

    @property
    def tokens(self) -> Path:
        """File of the token ids, uint16 (T,)."""
        return self.folder / "heldout.npy"

    @property
    def determined(self) -> Path:
        """File that marks the tokens to be computed or copied from a story (rft.text.world.corpus), bool (T,)."""
        return self.folder / "heldout_determined.npy"

    @property
    def num_bytes(self) -> int:
        """Bytes of the text."""
        return HeldoutSize(**read_json(self.folder / HELDOUT_FILE)).num_bytes


@dataclass(frozen=True, eq=False, kw_only=True)
class Corpus(Stage[CorpusFiles]):
    """Documents of the world until there are `num_tokens` tokens, the first `singles` of them of one-step documents."""

    kind: ClassVar[str] = "corpus"
    version: ClassVar[int] = 2  # 2: every amount that a question means is named
    world: Mapping[str, Any]  # WorldConfig without human_style, on which no document depends: bases are shared
    num_tokens: int
    seed: int = added(0)
    singles: int = added(0)
    determined: bool = added(False)  # with `determined.npy`

    def run(self, work: StageContext) -> Done:
        import numpy as np

        from rft.core.world_tokenizer import build_world_tokenizer

        world = WorldConfig(**self.world, human_style=0.0)
        tokenizer = build_world_tokenizer(world)
        tokenizer.save_pretrained(str(work.out))
        wanted = self.num_tokens + 1  # one more, as the last target of the last sequence
        texts = _Texts(tokenizer, marked=self.determined)
        if self.singles:
            texts.add(
                single_documents(world, seed=self.seed), until=self.singles, report=lambda n: work.report(n / wanted)
            )
        texts.add(
            corpus_documents(world, seed=self.seed), until=wanted, report=lambda n: work.report(min(1.0, n / wanted))
        )
        files = CorpusFiles(work.out)
        np.save(files.tokens, np.concatenate(texts.ids))
        if self.determined:
            np.save(files.determined, np.concatenate(texts.marks))
        return Done(tokens=wanted)

    def read(self, folder: Path) -> CorpusFiles:
        return CorpusFiles(folder)


@dataclass(frozen=True, eq=False, kw_only=True)
class Heldout(Stage[HeldoutFiles]):
    """Held-out documents of the world until there are `num_tokens` tokens."""

    kind: ClassVar[str] = "heldout"
    version: ClassVar[int] = 2  # 2: copied operands and results alone are marked; every amount meant is named
    world: Mapping[str, Any]
    num_tokens: int

    def run(self, work: StageContext) -> Done:
        from rft.core.world_tokenizer import build_world_tokenizer

        world = WorldConfig(**self.world, human_style=0.0)
        _write_heldout(world, build_world_tokenizer(world), work.out, num_tokens=self.num_tokens)
        return Done(tokens=self.num_tokens)

    def read(self, folder: Path) -> HeldoutFiles:
        return HeldoutFiles(folder)


class _Texts:
    """Token ids of documents, in parts, and whether each is determined."""

    def __init__(self, tokenizer: Tokenizer, *, marked: bool) -> None:
        self.tokenizer = tokenizer
        self.marked = marked
        self.ids: list[np.ndarray] = []
        self.marks: list[np.ndarray] = []
        self.count = 0

    def add(self, documents: Iterator[list[Segment]], *, until: int, report: Callable[[int], None]) -> None:
        """Take documents until there are so many tokens in all; the last is cut there."""
        while self.count < until:
            left = until - self.count
            some = list(itertools.islice(documents, min(DOCUMENTS_AT_ONCE, 1 + left // LONG)))
            ids, marks = _encoded(self.tokenizer, some, marked=self.marked)
            self.ids.append(ids[:left])
            if self.marked:
                self.marks.append(marks[:left])
            self.count += len(self.ids[-1])
            report(self.count)


def _encoded(tokenizer: Tokenizer, documents: list[list[Segment]], *, marked: bool) -> tuple[np.ndarray, np.ndarray]:
    """Token ids of documents, each with its end, and whether each is determined.

    Without `marked` the marks are empty. Texts are encoded once and together.
    """
    import numpy as np

    assert len(tokenizer) <= np.iinfo(np.uint16).max
    texts = ["".join(segment.text for segment in document) for document in documents]
    found = tokenizer(
        texts, add_special_tokens=False, return_attention_mask=False, return_offsets_mapping=marked
    )  # fmt: skip
    end = tokenizer.eos_token_id
    ids = np.array([token for row in found["input_ids"] for token in (*row, end)], dtype=np.uint16)
    if not marked:
        return ids, np.zeros(0, dtype=bool)
    flags = map(_flags, documents)
    rows = zip(flags, found["offset_mapping"], strict=True)
    marks = [mark for own, places in rows for mark in (*(own[start] for start, _ in places), False)]
    return ids, np.array(marks, dtype=bool)


def _flags(document: list[Segment]) -> list[bool]:
    """Whether the segment that each character is in is determined."""
    return [segment.determined for segment in document for _ in segment.text]


def _write_heldout(world: WorldConfig, tokenizer: Tokenizer, out: Path, *, num_tokens: int) -> None:
    """Held-out documents, with their results and copied operands marked."""
    import numpy as np

    ids: list[np.ndarray] = []
    determined: list[np.ndarray] = []
    count, num_bytes = 0, 0
    for document in corpus_documents(world, seed=HELD_OUT_SEED, held_out=True):
        row, marks = _encoded(tokenizer, [document], marked=True)
        ids.append(row)
        determined.append(marks)
        count += len(row)
        num_bytes += len("".join(s.text for s in document).encode())
        if count >= num_tokens:
            break
    np.save(out / "heldout.npy", np.concatenate(ids))
    np.save(out / "heldout_determined.npy", np.concatenate(determined))
    write_json(out / HELDOUT_FILE, vars(HeldoutSize(num_bytes, count)))
