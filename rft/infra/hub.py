"""Data sets by hub id, through the `datasets` library (extra `hub`), the one place that imports it.

    for number, row in hub_rows("hub:openai/gsm8k", split="train"): ...      # (1, {"question": ..., "answer": ...})

    >>> parse("hub:openai/gsm8k:main@3101c7d")       # id, config, revision
    ('openai/gsm8k', 'main', '3101c7d')

`hub:<owner>/<name>[:<config>][@<revision>]`, splits `train` and `test`. Without a config, the only one or `main` is
taken. A data set is known by this text, not by its content: without a revision (a commit) the newest one is fetched, and
what the store computed from an older one still counts as the same.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from typing import Any

HUB_PREFIX = "hub:"
MAIN = "main"
MAX_REASON = 300  # characters of the library's own message, which may hold pages
_SOURCE = re.compile(
    HUB_PREFIX + r"(?P<name>\w[\w.-]*(?:/\w[\w.-]*)?)(?::(?P<config>[^:@/]+))?(?:@(?P<revision>[^:@]+))?", re.ASCII
)


def check_installed(sources: Sequence[str]) -> None:
    """Raises ValueError when the library is needed and missing: when a study starts, not when its first stage runs."""
    if sources and importlib.util.find_spec("datasets") is None:
        raise ValueError(
            f"{sources[0]} needs the datasets library, which is not installed: pip install '.[hub]', or give a local JSONL "
            "file or folder (data.train_path, data.test_path; $GSM8K_DIR for GSM8K)"
        )


def parse(source: str) -> tuple[str, str | None, str | None]:
    """(id, config, revision) of a source. Raises ValueError for another form, such as a folder without prefix."""
    found = _SOURCE.fullmatch(source)
    if found is None:
        raise ValueError(
            f"{source!r} is not of the form {HUB_PREFIX}<owner>/<name>[:<config>][@<revision>]; a local file or folder "
            f"is given without {HUB_PREFIX!r}"
        )
    return found["name"], found["config"], found["revision"]


def hub_rows(source: str, *, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """(number from 1, row) of a split. Raises ValueError when it cannot be fetched, with the library's reason."""
    import datasets

    name, config, revision = parse(source)
    try:
        configs = datasets.get_dataset_config_names(name, revision=revision)
        config = config or (configs[0] if len(configs) == 1 else MAIN)
        rows = datasets.load_dataset(name, config, split=split, revision=revision)
    except Exception as error:  # the library raises a dozen kinds for a wrong name, no network, no split
        reason = " ".join(str(error).split())[:MAX_REASON]
        raise ValueError(
            f"cannot read split {split} of {source} from the hub ({type(error).__name__}: {reason}): check the id and the "
            "network, or give local files (data.train_path, data.test_path)"
        ) from error
    yield from enumerate(rows, start=1)
