"""Secrets masked in what is written: command lines, configurations, log lines, reasons of failures.

    >>> mask_arguments(["rft/run.py", "model=nano-s", "hub.token=abc", "+hydra.job.env_set.MODE=x"])
    ['rft/run.py', 'model=nano-s', 'hub.token=***', '+hydra.job.env_set.MODE=***']
    >>> mask_text("cannot reach https://me:hunter2@host/v1")
    'cannot reach https://***@host/v1'
    >>> mask_tree({"env_set": {"TOKEN": "abc"}, "k": 4})
    {'env_set': {'TOKEN': '***'}, 'k': 4}

A secret is known by the name before it (token, password, api_key, ...), by its make (a hub's, forge's or cloud's token, a
long opaque string), or because it stands in a URL before the host; what this process was given under such a name is masked
wherever it turns up again. A secret in a field that says nothing of it (a tag `hunter2`) cannot be known.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

MASK = "***"
PRIVATE = 0o600  # the mode of files that hold words of a user's
SHORTEST = 4  # a shorter secret is not looked for in other text, which would lose its sense
NONE = ("", "null", "None")

_WORDS = r"(?:api|access|account|private|secret)[-_]?key|signature|token|credentials?|auth"
_GLUED = r"secret|password|passwd|passphrase|pwd"  # also at the end of a longer word: PGPASSWORD
# A name that says it holds a secret. 'max_new_tokens=96', 'tokenizer=...' and 'pretrain_tokens=1e6' do not.
_SECRET_NAME = re.compile(rf"(?:(?:^|[^a-z0-9])(?:{_WORDS}|key)|{_GLUED})$", re.IGNORECASE)
_VARIABLES = re.compile(r"(?:^|\.)env_set(?:\.|$)")  # Hydra's: nobody can say which of them is a secret
# Within a text: 'name=value', 'name:value' without a space, and "name": value. Begins at the word itself: linear
_PAIR = re.compile(
    rf"((?:(?<![A-Za-z0-9])(?:{_WORDS})|{_GLUED})(?:['\"]?\s*=\s*|['\"]\s*:\s*|:(?=\S)))"
    r"(?!null\b|None\b|\*\*\*)(\"[^\"]+\"|'[^']+'|[^\s,;)\]}'\"]+)",
    re.IGNORECASE,
)
# Values of known make (hub, W&B, cloud and forge tokens), and long opaque strings of mixed kind without - and _, which names
# of models, studies and cells have.
_SECRET_VALUE = re.compile(
    r"hf_[A-Za-z0-9]{8,}|sk-[A-Za-z0-9_-]{8,}|gh[pousr]_[A-Za-z0-9]{8,}|github_pat_\w{8,}|glpat-[\w-]{8,}|xox[abpr]-[\w-]{8,}"
    r"|AKIA[0-9A-Z]{12,}|(?<=Basic )[\w+/=-]{8,}|(?<=Bearer )[\w+/=.-]{8,}|wandb_v\d_\w{8,}|eyJ[\w-]{10,}\.[\w-]+\.[\w-]*"
    r"|(?<![0-9A-Za-z/._-])(?:[0-9a-f]{40}|(?=[A-Za-z0-9+]*[0-9])(?=[A-Za-z0-9+]*[A-Z])[A-Za-z0-9+]{32,}={0,2})(?![0-9A-Za-z/._-])"
)
_URL_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


def mask_arguments(argv: Sequence[str]) -> list[str]:
    """A command line with every value that looks like a secret replaced by '***'."""
    masked: list[str] = []
    hide_next = False
    for argument in argv:
        name, equals, value = argument.partition("=")
        is_secret = _is_secret(name)
        if hide_next:
            masked.append(MASK)
        elif equals and is_secret and value not in NONE:
            masked.append(f"{name}={MASK}")
        else:
            masked.append(mask_text(argument))
        hide_next = not hide_next and not equals and is_secret and argument.startswith("-")
    return masked


def mask_text(text: str) -> str:
    """A text with what looks like a secret, and what this process was given as one, replaced by '***'."""
    for secret in _own_secrets(tuple(sys.argv)):
        text = text.replace(secret, MASK)
    return _by_form(text)


def mask_tree(value: Any, *, name: str = "") -> Any:
    """A configuration as plain values, with its secrets masked."""
    if isinstance(value, Mapping):
        return {key: mask_tree(one, name=f"{name}.{key}") for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [mask_tree(one, name=name) for one in value]
    if value is None or isinstance(value, bool):
        return value
    if _is_secret(name) and str(value) not in NONE:
        return MASK
    return mask_arguments([value])[0] if isinstance(value, str) else value


def mark_of(words: str, *, secret: bool) -> str:
    """Eight characters for words, also for those that read alike once they are masked. With a secret among them slow on
    purpose: no help to whoever has the mark and guesses."""
    content = words.encode("utf-8", "surrogateescape")
    if secret:
        return hashlib.pbkdf2_hmac("sha256", content, b"rft words", 100_000, dklen=4).hex()
    return hashlib.sha256(content).hexdigest()[:8]


class MaskingFormatter(logging.Formatter):
    """Of log lines, tracebacks included: named in conf/hydra/*_logging."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, masked."""
        return mask_text(super().format(record))


class PrivateFileHandler(logging.FileHandler):
    """A log file that nobody else may read."""

    def _open(self) -> Any:
        return open(self.baseFilename, self.mode, encoding=self.encoding, opener=_private)


def private_file(path: Path) -> TextIO:
    """An empty file to write text into, that nobody else may read."""
    path.unlink(missing_ok=True)
    return open(path, "w", encoding="utf-8", opener=_private)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, PRIVATE)  # no link is written through


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None or _VARIABLES.search(name) is not None


def _by_form(text: str) -> str:
    text = _URL_PASSWORD.sub(f"{MASK}@", _SECRET_VALUE.sub(MASK, text))
    return _PAIR.sub(lambda found: found[1] + MASK, text)


@functools.cache
def _own_secrets(argv: tuple[str, ...]) -> tuple[str, ...]:
    """What the words of a command line give to names of secrets, the longest first; of a sweep over some, each."""
    given: set[str] = set()
    for word in argv:
        name, equals, value = word.partition("=")
        if equals and _SECRET_NAME.search(name):
            given |= {value, *value.split(",")}
        given |= {found[2] for found in _PAIR.finditer(word)}
    plain = {value.strip(" '\"") for value in given}
    return tuple(sorted((one for one in plain if len(one) >= SHORTEST and one not in NONE), key=len, reverse=True))
