"""Kept paths: what all stages that choose among sampled solutions have in common.

    work.open(select).kept()         # [KeptPath(id="w-0f3a", key="3*17=51", model="nano-s", draw=2, text="..."), ...]

`kept.jsonl.gz` holds a row per path; `solutions.jsonl`, written by a stage that reads a pool itself, holds a capped
sample of its solutions with what became of each (rows of rft.stages.rows.Shown).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rft.records import read_jsonl
from rft.stages.evaluate import SOLUTIONS_FILE
from rft.stages.rows import Shown
from rft.stages.stage import Stage
from rft.text.selection import KeptPath

KEPT_FILE = "kept.jsonl.gz"


def rows_without_seed(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of a cell's paths as the stage that kept them has them: the cell adds the seed that drew each."""
    return [{key: value for key, value in row.items() if key != "seed"} for row in rows]


@dataclass(frozen=True)
class Pair(KeptPath):
    """A sampled path with the question that it solves. `text`: its final answer is its last equation's."""

    question: str  # the one that it solves, not the one that was asked; empty until it is written
    answer: str

    @property
    def name(self) -> str:
        """Unique among pairs."""
        return f"{self.id}/{self.draw}"


def kept_of(row: dict[str, Any]) -> KeptPath:
    """From a row of a paths file: a `Pair` where a question was written for the path."""
    return Pair(**row) if "question" in row else KeptPath(**row)


@dataclass(frozen=True)
class KeptPaths:
    """A finished choice."""

    folder: Path

    def rows(self) -> Iterator[dict[str, Any]]:
        """The kept paths as they stand in the file."""
        return read_jsonl(self.folder / KEPT_FILE)

    def kept(self) -> list[KeptPath]:
        """The kept paths."""
        return [kept_of(row) for row in self.rows()]

    def solutions(self) -> Iterator[Shown]:
        """A capped sample for people; empty where the stage chose among kept paths."""
        path = self.folder / SOLUTIONS_FILE
        return (Shown(**row) for row in read_jsonl(path)) if path.exists() else iter(())


@dataclass(frozen=True, eq=False, kw_only=True)
class Selection(Stage[KeptPaths]):
    """A stage that keeps some of the sampled solutions."""

    def read(self, folder: Path) -> KeptPaths:
        return KeptPaths(folder)
