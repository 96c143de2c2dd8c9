"""The jobs that a sweep has submitted, in a file of the study, so that a sweep that starts again finds those still queued.

register = Register(Path("multirun_outputs/mine/.slurm"))
register.name                                        # "rft-5f0c4a1e": the name of all its jobs, made once for the study
register.add([Submitted(0, "12_0", ("sft nano-s [5f0c4a1e]",), outside=(), needs=())])
register.all(), register.next_number()
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rft.infra.live import Appender, Tail
from rft.whole import write_text

NAME_FILE, JOBS_FILE = "name", "jobs.jsonl"


@dataclass(frozen=True)
class Submitted:
    """One job."""

    number: int  # its journal is job-<number>.jsonl
    slurm_id: str
    tasks: tuple[str, ...]
    outside: tuple[str, ...]  # tasks of other jobs that it waits for
    needs: tuple[int, ...]  # numbers of those jobs


class Register:
    """Of one study."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / JOBS_FILE

    @property
    def name(self) -> str:
        """Of all jobs, by which SLURM lists and cancels them; made with the first."""
        path = self.folder / NAME_FILE
        if not path.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_text(path, f"rft-{secrets.token_hex(4)}")
        return path.read_text(encoding="utf-8")

    def all(self) -> list[Submitted]:
        """In the order in which they were submitted."""
        rows = Tail(self.path).fresh()
        return [
            Submitted(row["number"], row["slurm_id"], tuple(row["tasks"]), tuple(row["outside"]), tuple(row["needs"]))
            for row in rows
        ]

    def add(self, jobs: Iterable[Submitted]) -> None:
        """Enter jobs that were just submitted."""
        append = Appender(self.path)
        for job in jobs:
            append(asdict(job))
        append.close()

    def next_number(self) -> int:
        """The number of the next job."""
        return max((job.number for job in self.all()), default=-1) + 1


def is_there(folder: Path) -> bool:
    """Whether a sweep of the study has submitted jobs."""
    return (folder / JOBS_FILE).exists()
