"""Identities of stages as digests: what `rft.infra.digest.digest` gives for them, at a tenth of its price.

    >>> from rft.infra.digest import digest
    >>> key_of(["thin", 1], {"seed": text_of(0), "like": text_of("5f0c")})
    'dd68bd695a56ac7a79b01c4a5de242f8'
    >>> digest(["thin", 1, {"like": "5f0c", "seed": 0}])
    'dd68bd695a56ac7a79b01c4a5de242f8'

A study of a hundred thousand cells makes a million stages, most of whose fields are few strings and numbers, or parts that
many of them share (a recipe, a subset). So the text behind a digest is put together from the texts of its fields, and that
of a frozen part is remembered. What is not plainly a number, a text or a list of them goes the long way, which also says
what is wrong.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from math import isfinite
from typing import Any


class NotPlainError(Exception):
    """A value that only the long way can put into text, or refuse."""


def text_of(value: Any) -> str:
    """A plain value as in the text behind a digest. Raises NotPlainError for any other."""
    write = _WRITERS.get(type(value))
    if write is None:
        raise NotPlainError
    return write(value)


def _float(value: float) -> str:
    if not isfinite(value):
        raise NotPlainError
    return repr(int(value) if value.is_integer() else value)


def _list(value: Sequence[Any]) -> str:
    return f"[{','.join(map(text_of, value))}]"


def _dict(value: Mapping[Any, Any]) -> str:
    if not all(type(name) is str for name in value):
        raise NotPlainError
    return texts_joined({name: text_of(value[name]) for name in value})


def texts_joined(texts: Mapping[str, str]) -> str:
    """The text of a mapping from the texts of its values."""
    return "{" + ",".join([f"{quoted(name)}:{texts[name]}" for name in sorted(texts)]) + "}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: quoted,
    bool: lambda value: "true" if value else "false",
    int: int.__repr__,
    float: _float,
    type(None): lambda _: "null",
    tuple: _list,
    list: _list,
    dict: _dict,
}


def key_of(head: Sequence[Any], texts: Mapping[str, str]) -> str:
    """The digest of [*head, fields], from the texts of the fields."""
    return digest_of(text_behind(head, texts))


def text_behind(head: Sequence[Any], texts: Mapping[str, str]) -> str:
    """The text of [*head, fields], from the texts of the fields."""
    return f"[{','.join(map(text_of, head))},{texts_joined(texts)}]"


def digest_of(text: str) -> str:
    """The digest behind a text."""
    return hashlib.blake2b(text.encode("ascii"), digest_size=16).hexdigest()
