"""Training examples beyond train.max_tokens: refused, left out or cut, and counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rft.core.tokenization import Prompt, encode_examples
from rft.infra.digest import digest
from rft.methods.sft_matched import MatchedSet
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Record, read_json
from rft.stages.trainset import HUMAN, Example, Examples, write_examples
from rft.stages.within import WithinLimit
from tests.byte_model import byte_tokenizer, overrides, write_byte_model
from tests.composing import composed, compute, tiny
from tests.lone_stage import given_examples, given_weights, run_stage

LIMIT = "train.max_tokens=200"


@pytest.fixture
def keys(tmp_path: Path) -> list[str]:
    """12 training rows, of which the last alone has more than 200 bytes."""
    found = overrides(tmp_path)
    path = tmp_path / "data" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[-1]["answer"] = "It is simple. " * 9 + rows[-1]["answer"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return [*found, LIMIT]


def finished(keys: list[str], *more: str, study: Path) -> Record:
    return Record.from_json(read_json(compute(composed(*keys, *more), study=study) / "record.json"))


def weights_of(record: Record) -> str:
    (found,) = (row["weights"] for row in record.stages if row["name"] == "finetune")
    return str(found)


def test_dropping_a_long_example_is_training_on_a_file_without_it(tmp_path: Path, keys: list[str]) -> None:
    dropped = finished(keys, "method=sft", "data.on_too_long=drop", study=tmp_path / "a")
    assert (dropped.data["num_too_long"], dropped.data["num_examples"], dropped.data["num_human"]) == (1, 11, 11)
    path = tmp_path / "data" / "train.jsonl"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:-1]))
    without = finished(keys, "method=sft", study=tmp_path / "b")
    assert "num_too_long" not in without.data
    assert without.data["num_optimizer_steps"] == dropped.data["num_optimizer_steps"]
    assert weights_of(without) == weights_of(dropped)


def test_a_control_takes_the_steps_of_what_is_left(tmp_path: Path, keys: list[str]) -> None:
    """With a batch of one every example is a step, so that one example more or less shows."""
    more = ("k=2", "data.on_too_long=drop", "train.batch_size=1")
    rft, control = (finished(keys, f"method={one}", *more, study=tmp_path / "s") for one in ("rft", "sft_matched"))
    assert control.data["num_too_long"] == 1
    assert control.data["num_optimizer_steps"] == rft.data["num_optimizer_steps"]


@pytest.mark.parametrize(("references", "left"), [([3], [3]), ([9, 4], [9, 4])])
def test_epochs_of_a_control_stay_those_of_what_it_is_matched_to(
    tmp_path: Path, references: list[int], left: list[int]
) -> None:
    """Also where the other set happens to have as many examples as the control before its long one was left out."""
    rows = [Example(f"p{number}", "?", "1 " * (1 + 50 * (number == 2)), HUMAN) for number in range(3)]
    (tmp_path / "examples").mkdir()
    write_examples(rows, tmp_path / "examples", references=references)
    base, subset = given_weights(), given_examples().subset
    whole = MatchedSet(subset=subset, like=(given_examples(),))
    stage = WithinLimit.of(whole, base=base, prompt="plain", own_template=None, max_tokens=60)
    inputs = {base: write_byte_model(tmp_path / "model"), whole: tmp_path / "examples"}
    run_stage(stage, out=tmp_path / "out", inputs=inputs)
    assert Examples(tmp_path / "out").references == left
    assert Examples(tmp_path / "out").num_examples == 2


def test_what_is_dropped_of_drafts_leaves_the_other_facts_of_drafts(tmp_path: Path, keys: list[str]) -> None:
    """Two drafts of each of 12 problems: one example of a problem is human, the other is added to it."""
    more = ("method=self_revise", "methods.self_revise.num_drafts=2")
    refused, kept = (
        finished(keys[:-1], *more, "train.max_tokens=1000", *how, study=tmp_path / "a").data
        for how in ((), ("data.on_too_long=drop",))
    )
    assert kept.pop("num_too_long") == 0
    assert (kept["num_human"], kept["num_augmented"]) == (12, 12)
    assert kept == refused
    cut = finished(keys, *more, "data.on_too_long=drop", study=tmp_path / "a").data
    assert (cut["num_human"], cut["num_augmented"], cut["num_examples"], cut["num_too_long"]) == (11, 11, 22, 2)
    assert cut["draft_correct_frac"] == kept["draft_correct_frac"]


def test_the_key_of_what_is_left_changed_for_drafts_alone() -> None:
    def left_of(method: str) -> WithinLimit:
        cfg = tiny(f"method={method}", "data.on_too_long=drop")
        cell = plan(cfg, resolve(cfg))
        (found,) = (one for one in cell.read.trained.told if isinstance(one, WithinLimit))
        return found

    keys = {name: left_of(name) for name in ("sft", "rft", "sft_matched", "fresh_human", "self_query", "self_revise")}
    as_ever = {name: one.key == digest([one.kind, 1, one.identity()]) for name, one in keys.items()}
    assert as_ever == {name: name != "self_revise" for name in keys}


def test_a_cut_example_is_counted(tmp_path: Path, keys: list[str]) -> None:
    cut = finished(keys, "method=sft", "data.on_too_long=truncate", study=tmp_path / "a")
    assert (cut.data["num_truncated"], cut.data["num_examples"]) == (1, 12)


def test_a_cut_example_is_counted_where_the_training_is_a_try_of_the_tuning(tmp_path: Path, keys: list[str]) -> None:
    """SFT on all the data is one of the tries, whose files and facts it takes."""
    more = ("method=sft", "data.on_too_long=truncate", "data.num_validation=2", "+tune.train.lr=[1e-3,3e-3]")
    plain, tuned = (finished(keys, *more[: 3 + is_tuned], study=tmp_path / "a") for is_tuned in (0, 1))
    told = (
        "num_truncated",
        "num_examples",
        "num_trainable",
        "num_optimizer_steps",
        "target_tokens",
        "epochs_over_data",
    )
    assert tuned.data["choice"]["chosen"]
    assert {name: tuned.data[name] for name in told} == {name: plain.data[name] for name in told}


def test_a_cut_example_has_no_end(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    pair = (Prompt("Question: ?", framed=False), " 1 + 1 = 2")
    (whole,) = encode_examples(tokenizer, [pair], max_tokens=100)
    for limit in range(12, len(whole.ids) + 1):
        (cut,) = encode_examples(tokenizer, [pair], max_tokens=limit, truncate=True)
        assert cut.ids == whole.ids[:limit]
        assert cut.is_cut == (limit < len(whole.ids)) == (cut.ids[-1] != tokenizer.eos_token_id)
    with pytest.raises(ValueError, match="leaves no room for a response"):
        encode_examples(tokenizer, [pair], max_tokens=11, truncate=True)


def test_nothing_left_is_an_error(tmp_path: Path, keys: list[str]) -> None:
    with pytest.raises(ValueError, match="leaves none: raise"):
        finished(keys[:-1], "method=sft", "data.on_too_long=drop", "train.max_tokens=20", study=tmp_path / "a")
