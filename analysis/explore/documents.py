"""The documents of opened studies, each by its name: what a server answers with and what a static folder holds.

    documents = Documents(study)
    documents.get("index.json.gz")            # bytes: JSON, gzipped
    documents.get("cells/3.json.gz")
    list(documents.names())

A document is made when it is asked for. Files are gzipped as they are, without help of a server's: the page unpacks them.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from analysis.explore.cells import cell_of, draws_of
from analysis.explore.index import index_of
from analysis.explore.opened import Opened
from analysis.explore.questions import Questions, outcomes_of, questions_of

INDEX, QUESTIONS, OUTCOMES = "index.json.gz", "questions.json.gz", "outcomes.bin.gz"
_OF_CELL = re.compile(r"(cells|draws)/(0|[1-9][0-9]{0,8})\.json\.gz", re.ASCII)
LEVEL = 5  # of compression: half the time of the default for some percent of size


class Documents:
    """All documents; may be asked from several threads."""

    def __init__(self, study: Opened) -> None:
        self.study = study
        self._lock = threading.RLock()
        self._whole: dict[str, bytes] = {}

    @cached_property
    def questions(self) -> Questions:
        """What the questions of all cells are: the files of all cells are read for it, once."""
        return questions_of(self.study)

    def prepare(self) -> None:
        """Make what every page needs before the first one asks for it."""
        for name in (INDEX, QUESTIONS, OUTCOMES):
            self.get(name)

    def names(self) -> Iterator[str]:
        """The names of all documents."""
        yield from (INDEX, QUESTIONS, OUTCOMES)
        for place, cell in enumerate(self.study.cells):
            yield f"cells/{place}.json.gz"
            if len(cell.scores) > 1:
                yield f"draws/{place}.json.gz"

    def get(self, name: str) -> bytes | None:
        """A document; None for a name that is none."""
        with self._lock:
            whole: dict[str, Callable[[], bytes]] = {
                INDEX: lambda: packed(index_of(self.study)),
                QUESTIONS: lambda: packed(self.questions.to_json()),
                OUTCOMES: lambda: gzip.compress(outcomes_of(self.study, self.questions), LEVEL, mtime=0),
            }
            if name in whole:
                if name not in self._whole:
                    self._whole[name] = whole[name]()
                return self._whole[name]
            found = _OF_CELL.fullmatch(name)
            if found is None or int(found[2]) >= len(self.study.cells):
                return None
            make = cell_of if found[1] == "cells" else draws_of
            return packed(make(self.study, int(found[2]), self.questions))


def packed(value: Any) -> bytes:
    """JSON as short as it gets, gzipped, the same bytes for the same value. Raises ValueError for NaN."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return gzip.compress(text.encode("utf-8", errors="replace"), LEVEL, mtime=0)
