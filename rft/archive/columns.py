"""Rows of JSON as columns, without loss: equal fields of many rows stand together, which is short and compresses well.

    >>> pack([{"id": "a", "greedy": {"outcome": "C"}}, {"id": "b", "greedy": {"outcome": "W"}}])
    {'keys': {'id': {'text': 'ab', 'width': 1}, 'greedy': {'keys': {'outcome': {'text': 'CW', 'width': 1}}}}}
    >>> unpack({"keys": {"id": {"text": "ab", "width": 1}}}, num=2)
    [{'id': 'a'}, {'id': 'b'}]

A column is one of
    {"keys": {name: column}}                   objects with the same keys, in their order
    {"lists": 16, "items": column}             lists, end to end; their length, or a length each
    {"text": "CWWC", "width": 1}               strings of one length, end to end
    {"all": value}                             one value, again and again
    {"kinds": [0, 1, 0], "of": [column, ...]}  values of several kinds: the kind of each, and a column a kind
    {"plain": [...]}                           anything else
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

Column = dict[str, Any]


def pack(values: Sequence[Any]) -> Column:
    """Values of JSON as a column."""
    kinds = list(dict.fromkeys(_kind(value) for value in values))
    if len(kinds) > 1:
        groups = [[value for value in values if _kind(value) == kind] for kind in kinds]
        return {"kinds": [kinds.index(_kind(value)) for value in values], "of": [pack(group) for group in groups]}
    if not values or kinds == [SCALAR]:
        return _scalars(list(values))
    if kinds == [LIST]:
        lengths = {len(value) for value in values}
        told = lengths.pop() if len(lengths) == 1 else [len(value) for value in values]
        return {"lists": told, "items": pack([item for value in values for item in value])}
    return {"keys": {name: pack([value[name] for value in values]) for name in values[0]}}


SCALAR, LIST = "scalar", "list"


def _kind(value: Any) -> str | tuple[str, ...]:
    if isinstance(value, dict):
        return tuple(value)
    return LIST if isinstance(value, list) else SCALAR


def _scalars(values: list[Any]) -> Column:
    texts = {json.dumps(value) for value in values}  # tells 1 from 1.0 and from true
    if len(texts) == 1 and len(values) > 1:
        return {"all": values[0]}
    widths = {len(value) if isinstance(value, str) else 0 for value in values}
    if len(widths) == 1 and (width := widths.pop()):
        return {"text": "".join(values), "width": width}
    return {"plain": values}


def unpack(column: Column, *, num: int, shared: Sequence[Column] = ()) -> list[Any]:
    """The `num` values of a column; `shared` are the columns that `{"shared": place}` stands for."""
    match column:
        case {"keys": parts}:
            fields = [unpack(part, num=num, shared=shared) for part in parts.values()]
            return [dict(zip(parts, row, strict=True)) for row in zip(*fields, strict=True)] if parts else [{}] * num
        case {"lists": told, "items": items}:
            ends = list(itertools.accumulate([told] * num if isinstance(told, int) else told))
            flat = unpack(items, num=ends[-1], shared=shared)
            return [flat[start:end] for start, end in itertools.pairwise([0, *ends])]
        case {"kinds": kinds, "of": parts}:
            turns = [iter(unpack(part, num=kinds.count(i), shared=shared)) for i, part in enumerate(parts)]
            return [next(turns[kind]) for kind in kinds]
        case {"text": text, "width": width}:
            return [text[start : start + width] for start in range(0, width * num, width)]
        case {"all": value}:
            return [value] * num
        case {"shared": place}:
            return unpack(shared[place], num=num, shared=shared)
    return list(column["plain"])


def leaves(column: Column) -> list[Column]:
    """The columns of values inside a column, itself if it is one."""
    if "keys" in column:
        return [leaf for part in column["keys"].values() for leaf in leaves(part)]
    if "of" in column:
        return [leaf for part in column["of"] for leaf in leaves(part)]
    return leaves(column["items"]) if "items" in column else [column]


def replaced(column: Column, change: Callable[[Column], Column]) -> Column:
    """The column with its leaves changed."""
    if "keys" in column:
        return {"keys": {name: replaced(part, change) for name, part in column["keys"].items()}}
    if "of" in column:
        return {**column, "of": [replaced(part, change) for part in column["of"]]}
    return {**column, "items": replaced(column["items"], change)} if "items" in column else change(column)
