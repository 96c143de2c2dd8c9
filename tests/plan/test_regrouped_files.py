"""Finished work is found again after the form of a question changed, but where other rows of a file are one problem by it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from rft.plan.cell import plan
from rft.plan.data_files import mix_regrouped, regrouped
from rft.plan.sources import resolve
from rft.stages.problems import FileProblems, Mixture
from rft.stages.relabel import Relabel
from tests.composing import FILES, FROM_FILES, composed, tiny

ALIKE = ("How many are ≤ 9?", "How many are ≥ 9?")  # one question until then


def written(path: Path, questions: tuple[str, ...]) -> Path:
    path.write_text("".join(json.dumps({"question": q, "answer": f"{q}\n#### 1"}) + "\n" for q in questions))
    return path


@pytest.mark.parametrize(
    ("questions", "how", "expected"),
    [
        (("Half of 6?", "Half of (8)?"), (), False),
        (("Half of 6?", ALIKE[0]), (), False),  # signs alone group nothing
        (ALIKE, (), True),
        (ALIKE, ("data.train_limit=1",), False),
        (ALIKE, ("data.on_duplicate=drop", "data.solutions=all"), True),
        (("Is x <= 5?", "is x ≤ 5?"), ("data.on_duplicate=drop",), True),
        (("Half of 6?", "half of 6!"), ("data.on_duplicate=drop",), True),
        (("Half of 6?", "HALF of 6."), ("data.on_duplicate=drop",), False),
    ],
)
def test_a_file_is_told_by_what_becomes_of_its_rows(
    tmp_path: Path, questions: tuple[str, ...], how: tuple[str, ...], expected: bool
):
    path = str(written(tmp_path / "train.jsonl", questions))
    assert regrouped(composed(*FROM_FILES, *how).data, path, split="train") is expected


def test_of_the_hub_gsm8k_alone_is_known():
    data = composed(*FROM_FILES).data
    assert not regrouped(data, "hub:openai/gsm8k:main@3101c7d", split="train")
    assert regrouped(data, "hub:owner/mine", split="train")


def test_a_mixture_is_told_by_its_files_and_by_all_of_them(tmp_path: Path):
    paths = [written(tmp_path / f"{name}.jsonl", (question,)) for name, question in zip("ab", ALIKE, strict=True)]
    parts = ",".join(f"{{path:{path}}}" for path in paths)
    assert mix_regrouped(composed(*FROM_FILES, f"data.train_mix=[{parts}]").data) == ([False, False], True)


def test_keys_follow():
    cfg = composed(*FROM_FILES, "method=rft", "k=2")
    before = plan(cfg, FILES)
    for content, split in (("d1", "train"), ("d2", "test")):
        after = plan(cfg, dataclasses.replace(FILES, regrouped=frozenset({content})))
        changed = {one for one in after.stages if one not in before.stages}
        assert {one.split for one in changed if isinstance(one, FileProblems)} == {split}
        assert {one.label for one in before.stages if isinstance(one, FileProblems)} == {
            one.label for one in after.stages if isinstance(one, FileProblems)
        }


def test_the_field_at_its_default_is_no_part_of_a_key():
    stage = FileProblems(
        content="c", limit=None, rule=None, on_bad_gold="error", on_duplicate="error", split="train", path="p"
    )
    mixture = Mixture(split="train", parts=(stage,), weights=(), on_duplicate="error")
    assert "regrouped" not in {**stage.identity(), **mixture.identity()}
    assert dataclasses.replace(stage, regrouped=True).key != stage.key
    assert [dataclasses.replace(one, regrouped=True).edition - one.edition for one in (stage, mixture)] == [1, 1]


def test_written_questions_are_told_by_their_signs_but_in_the_embedded_world():
    words = ("method=self_query", "k=2")
    for cfg, signs in ((tiny(*words), False), (composed(*FROM_FILES, *words), True)):
        cell = plan(cfg, FILES if signs else resolve(cfg))
        assert [(one.signs, one.edition) for one in cell.stages if isinstance(one, Relabel)] == [(signs, 3 + signs)]
