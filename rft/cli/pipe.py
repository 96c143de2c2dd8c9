"""Standard output whose reader may leave before its end, as in `rft status DIR | head -1`.

    with until_reader_leaves():
        print(...)

The command then ends without a word, with the status that a shell gives to a program that such a pipe ends.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn, TextIO

READER_LEFT = 128 + 13  # SIGPIPE


@contextmanager
def until_reader_leaves() -> Iterator[None]:
    """Standard output raises SystemExit, and no error that a command would report, once its reader is gone."""
    output = _Output(sys.stdout)
    with redirect_stdout(output):  # type: ignore[type-var]
        yield
        output.flush()


class _Output:
    """A text stream. Everything but writing is its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            self._leave()

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._leave()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _leave(self) -> NoReturn:
        with open(os.devnull, "w") as nowhere:  # what is still buffered goes there when the interpreter ends
            os.dup2(nowhere.fileno(), self._stream.fileno())
        raise SystemExit(READER_LEFT)
