"""Stored texts graded again: the sampled solutions and kept paths of a cell's folder.

for fault in sample_faults(shown, rows, setting): ...
faults, unknown = path_faults(paths, golds, setting)     # unknown: paths of questions whose gold answer is not stored here
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rft.check.scored import rule_of
from rft.records import Outcome
from rft.stages.rows import Scored, Shown
from rft.text.answers import extract, grade
from rft.text.path_keys import path_equations
from rft.text.selection import POLICIES, KeptPath

GREEDY, POOL = "greedy", "pool"  # sources of a shown text that are graded
OWN_RULE = "paper_script"  # the policy that keeps its own rule (rft.stages.select.Checks.named)


def sample_faults(shown: Iterable[Shown], rows: Sequence[Scored], setting: Mapping[str, Any]) -> Iterator[str]:
    """Shown solutions whose outcome another grading gives, or that are not those of the outcome file."""
    known = {row.greedy.id: row.greedy for row in rows}
    for one in shown:
        if one.source not in (GREEDY, POOL):
            continue
        rule = rule_of(setting) if one.source == GREEDY else pool_rule(setting)
        place = f"{one.id}, {one.source} {one.draw}"
        letter = grade(rule, one.text, one.gold, one.outcome == Outcome.TRUNCATED.value).letter
        if letter != Outcome(one.outcome).letter:
            yield f"{place}: is {one.outcome}, graded again {letter}"
        if one.source == GREEDY:
            row = known.get(one.id)
            if row is None:
                yield f"{place}: no problem of the outcomes"
            elif (row.gold, row.outcome, row.answer) != (one.gold, letter, extract(rule, one.text)):
                yield f"{place}: the outcomes say {row.outcome} {row.answer} of {row.gold}, its text {letter} of {one.gold}"


def pool_rule(setting: Mapping[str, Any]) -> str:
    """The rule under which a pool was selected."""
    policy = setting.get("select.policy")
    return POLICIES[policy].rule if policy == OWN_RULE else rule_of(setting)


def path_faults(
    paths: Sequence[KeptPath], golds: Mapping[str, str], setting: Mapping[str, Any]
) -> tuple[list[str], int]:
    """(kept paths that are wrong, have another key, or stand twice; how many were not graded)."""
    faults, rule, kind = [], pool_rule(setting), str(setting["select.equations"])
    origins = [(path.id, path.model, path.draw) for path in paths]
    if len(set(origins)) < len(origins):
        faults.append(f"{len(origins) - len(set(origins))} paths stand twice")
    for path in paths:
        place = f"{path.id}, draw {path.draw}"
        if "|".join(path_equations(path.text, kind=kind)) != path.key:
            faults.append(f"{place}: its equations are not its key {path.key!r}")
        if path.id in golds and grade(rule, path.text, golds[path.id], False) is not Outcome.CORRECT:
            faults.append(f"{place}: kept, and not right")
    return faults, sum(path.id not in golds for path in paths)
