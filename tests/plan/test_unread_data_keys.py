"""A key of the data that the chosen kind of data never reads is refused: it would be believed to count."""

from __future__ import annotations

import dataclasses

import pytest
from composing import FROM_FILES, composed

from rft.config import DataConfig
from rft.plan.data_checks import OF_FILES, OF_THE_WORLD

# Read by both, or (eval_problems and the like) by whatever is scored
OF_BOTH = {
    "name", "kind", "num_train", "num_validation", "eval_problems", "prompt", "rule", "max_prompt_tokens",
    "max_new_tokens", "num_shots", "expected_question_tokens", "expected_solution_tokens", "loss_path", "on_too_long",
    "recipe",
}  # fmt: skip


def test_every_key_is_of_one_kind_or_of_both():
    names = {field.name for field in dataclasses.fields(DataConfig)}
    assert {*OF_FILES, *OF_THE_WORLD, *OF_BOTH} == names
    assert len(OF_FILES) + len(OF_THE_WORLD) + len(OF_BOTH) == len(names)


@pytest.mark.parametrize(
    "word",
    [
        "data.train_path=mine.jsonl",
        "data.test_path=mine.jsonl",
        "data.train_limit=5",
        "data.test_limit=5",
        "data.on_bad_gold=drop",
        "data.on_duplicate=drop",
        "data.solutions=all",
        "++data.adapter={question:q,solution:a}",
        "++data.train_mix=[{path:a.jsonl}]",
    ],
)
def test_the_world_reads_no_files(word: str):
    key = word.lstrip("+").partition("=")[0]
    with pytest.raises(ValueError, match=rf"{key}=.* is for data from files: data=world-easy makes its problems"):
        composed("data=world-easy", word)


@pytest.mark.parametrize("word", ["data.num_pool=64", "data.num_test=9"])
def test_files_are_no_world(word: str):
    with pytest.raises(ValueError, match=r"is for data of the embedded world: data=gsm8k is read from files"):
        composed(*FROM_FILES, word)


def test_the_text_of_a_loss_is_for_imported_models():
    with pytest.raises(ValueError, match=r"data\.loss_path=x\.txt is for imported models; the loss of model=nano-xs"):
        composed("model=nano-xs", "data.loss_path=x.txt")
    assert composed(*FROM_FILES, "data.loss_path=x.txt").data.loss_path == "x.txt"


def test_a_further_set_of_the_world_reads_no_files_and_one_of_files_has_what_its_file_says():
    with pytest.raises(ValueError, match=r"eval_sets\.harder\.test_limit=5 is for data from files"):
        composed("eval.sets=[harder]", "+eval_sets.harder.world.max_steps=4", "+eval_sets.harder.test_limit=5")
    assert composed(*FROM_FILES, "eval.sets=[svamp]").eval_sets["svamp"].kind.value == "jsonl"
