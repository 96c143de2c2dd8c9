"""A finished cell in the hands of others: the library that will read a part reads it, and finds what the record says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from byte_model import byte_tokenizer, overrides
from composing import composed, compute, tiny
from own_models import write_own_model
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from rft.cli.export import FORMS, export
from rft.export.cell import FinishedCell
from rft.infra.store import Store
from rft.records import OUTCOMES_FILE, read_jsonl
from rft.text.answers import extract, grade
from rft.text.chat_templates import chat_template
from rft.text.prompts import PINNED, template_named
from rft.text.templates import Template

LORA = ("method=sft", "train.lora_rank=2", "train.lr=0.05")


# peft asks transformers 5 by a name that 6 will drop
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")


WORLD = ("method=rft", "k=3", "data.max_new_tokens=48", "model.pretrain.tokens=131072", "model.arch.width=32",
         "train.epochs=12", "temperature=1.0", "data.world.human_style=0.5")  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(cell, store) of an RFT cell that learns enough of the world to write answers and to keep paths."""
    folder = tmp_path_factory.mktemp("world")
    cfg = tiny(*WORLD, f"store.root={folder}/store")
    return compute(cfg, study=folder / "study"), folder / "store"


@pytest.fixture(scope="module")
def exported(world: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("out") / "all"
    export(world[0], to=to, store_root=world[1], forms=FORMS, pools=True)
    return to


def answers(folder: Path, questions: list[str]) -> list[str]:
    """What anybody gets who loads the folder and follows its card."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    texts = []
    for question in questions:
        messages = [{"role": "user", "content": question}]
        asked = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            ids = model.generate(**asked, tokenizer=tokenizer)[0, asked["input_ids"].shape[1] :]
        texts.append(tokenizer.decode(ids, skip_special_tokens=True))
    return texts


def test_the_model_gives_the_records_answers_one_by_one(world: tuple[Path, Path], exported: Path):
    cell = FinishedCell.open(world[0], store=Store(world[1]))
    problems = cell.test_problems()
    clean = template_named("world").clean  # transformers cannot look for stop strings in the world's vocabulary
    texts = [clean(text) for text in answers(exported / "model", [problem.question for problem in problems])]
    rows = list(read_jsonl(world[0] / OUTCOMES_FILE))
    assert [row["id"] for row in rows] == [problem.id for problem in problems]
    rule = cell.greedy.identity["rule"]
    assert [extract(rule, text) for text in texts] == [row["greedy"]["answer"] for row in rows]
    samples = {sample.id: sample for sample in cell.greedy_samples()}
    ended = [text for text, p in zip(texts, problems, strict=True) if not samples[p.id].truncated]
    assert ended == [samples[p.id].text for p in problems if not samples[p.id].truncated]
    right = sum(
        grade(rule, t, p.gold, samples[p.id].truncated).letter == "C" for t, p in zip(texts, problems, strict=True)
    )
    assert right / len(problems) == pytest.approx(cell.record.scores["maj1@1"].value)
    assert len({row["greedy"]["answer"] for row in rows} - {None}) > 1, "the test needs a model that writes answers"


def test_the_training_set_is_human_and_kept_with_its_origin(world: tuple[Path, Path], exported: Path):
    cell = FinishedCell.open(world[0], store=Store(world[1]))
    rows = list(read_jsonl(exported / "data" / "train.jsonl"))
    kept = [row for row in rows if row["source"] == "kept"]
    assert len(rows) - len(kept) == cell.record.data["num_human"]
    assert len(kept) == cell.record.data["num_augmented"] > 0
    draws = {
        (row["model"], row["id"], row["draw"]): row["text"]
        for row in read_jsonl(exported / "data" / "pool-nano-xs.jsonl")
    }
    assert all(draws[row["donor"], row["id"], row["draw"]] == row["solution"] for row in kept)
    assert len({(row["id"], row["draw"]) for row in kept}) == len(kept)
    assert all(row["answer"] is not None and row["equations"] for row in rows if row["source"] == "human")
    assert len(draws) == cell.record.data["num_samples"] == 3 * 16


def test_every_form_loads_as_a_dataset(exported: Path, tmp_path: Path):
    datasets = pytest.importorskip("datasets")
    loaded = {
        form: datasets.load_dataset(str(exported / "data"), form, split="train", cache_dir=str(tmp_path))
        for form in FORMS
    }
    default = datasets.load_dataset(str(exported / "data"), split="train", cache_dir=str(tmp_path))
    assert default.column_names == loaded["train"].column_names
    for form in FORMS:
        assert len(loaded[form]) == len(default)
    for row, turns, alpaca, pair in zip(*(loaded[form] for form in FORMS), strict=True):
        assert [turn["content"] for turn in turns["messages"]] == [row["question"], row["solution"]]
        assert (alpaca["instruction"], alpaca["output"]) == (row["question"], row["solution"])
        assert pair["prompt"] + pair["completion"] == f"Question: {row['question']}\nAnswer: {row['solution']}"


def test_the_chat_template_writes_what_training_read(world: tuple[Path, Path], exported: Path):
    tokenizer = AutoTokenizer.from_pretrained(exported / "model")
    pair = next(read_jsonl(exported / "data" / "prompt_completion.jsonl"))
    turns = next(read_jsonl(exported / "data" / "messages.jsonl"))["messages"]
    whole = pair["prompt"] + pair["completion"] + tokenizer.eos_token
    assert tokenizer.apply_chat_template(turns, tokenize=False) == whole
    with pytest.raises(Exception, match="not system"):
        tokenizer.apply_chat_template([{"role": "system", "content": "Be brief."}, *turns], tokenize=False)


OWN = Template(
    "own", "Q: {question}\nA:", lead=" ", prefix=" Let's see.", system="You solve {problems}.", separator="\n"
)
TEMPLATES = [*(template_named(name) for name in PINNED if name != "chat"), OWN]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.name)
@pytest.mark.parametrize("question", ["{{ 7*7 }} {% if %}?", 'a "b" \\n \\\\ \n\t ü🙂', "<|x|> {question}"])
def test_a_template_says_a_question_to_the_letter(exported: Path, template: Template, question: str):
    tokenizer = AutoTokenizer.from_pretrained(exported / "model")
    tokenizer.chat_template = chat_template(template, begins_with_bos=False)
    messages = [{"role": "user", "content": question}]
    assert tokenizer.apply_chat_template(messages, tokenize=False) == template.ask(question)


def test_cards_are_filled_from_the_record(world: tuple[Path, Path], exported: Path):
    record = FinishedCell.open(world[0], store=Store(world[1])).record
    card = (exported / "model" / "README.md").read_text()
    score = record.scores["maj1@1"]
    assert f"{100 * score.value:.2f} ± {100 * score.se:.2f} %" in card
    assert record.cell_id in card
    assert "`train.epochs` | `12.0`" in card
    hub = pytest.importorskip("huggingface_hub")
    assert hub.ModelCard(card).data.library_name == "transformers"
    assert [
        one["config_name"] for one in hub.DatasetCard((exported / "data" / "README.md").read_text()).data["configs"]
    ]


def imported_cell(folder: Path, *more: str) -> Path:
    return compute(composed(*overrides(folder), *more), study=folder / "study")


def test_stop_strings_are_looked_for_by_whoever_loads_the_folder(tmp_path: Path):
    """A byte that the model often writes as stop string: without it the texts would go on."""
    cell = imported_cell(tmp_path, "method=sft", "data.max_new_tokens=40", "train.epochs=20", "train.lr=0.01",
                         "sampling.stop=[n]")  # fmt: skip
    finished = FinishedCell.open(cell, store=Store(tmp_path / "store"))
    samples = finished.greedy_samples()
    assert any(not sample.truncated for sample in samples), "the test needs a model that writes the stop string"
    export(cell, to=tmp_path / "out", store_root=tmp_path / "store")
    texts = answers(tmp_path / "out" / "model", [problem.question for problem in finished.test_problems()])
    assert all(text.partition("n")[2] == "" for text in texts), "generation went on behind the stop string"
    assert [text.partition("n")[0].strip() for text in texts] == [sample.text for sample in samples]


def test_a_batch_of_questions_is_padded_with_a_token_that_the_model_has(tmp_path: Path):
    """Qwen2's tokenizer gets a padding token on loading, behind the last row of this model's embedding."""
    given = [one for one in overrides(tmp_path) if not one.startswith("model.path=")]
    folder = write_own_model(tmp_path / "qwen", "qwen2")
    bare = byte_tokenizer().backend_tokenizer
    PreTrainedTokenizerFast(tokenizer_object=bare, eos_token="<eos>").save_pretrained(folder)
    assert len(AutoTokenizer.from_pretrained(folder)) > len(byte_tokenizer()), "the test needs a token too many"
    cell = compute(composed(*given, f"model.path={folder}", "method=sft"), study=tmp_path / "study")
    export(cell, to=tmp_path / "out", store_root=tmp_path / "store")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out" / "model", padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model").eval()
    turns = [
        [{"role": "user", "content": text}] for text in ("Ann has 3.", "Ann has 3 red and 4 blue nails. How many?")
    ]
    asked = tokenizer.apply_chat_template(turns, tokenize=True, padding=True, return_tensors="pt", return_dict=True)
    texts = tokenizer.batch_decode(
        model.generate(**asked, tokenizer=tokenizer)[:, asked["input_ids"].shape[1] :], skip_special_tokens=True
    )
    assert texts == answers(tmp_path / "out" / "model", [turn[0]["content"] for turn in turns])


def test_an_adapter_computes_what_the_merged_model_does(tmp_path: Path):
    peft = pytest.importorskip("peft")
    cell = imported_cell(tmp_path, *LORA)
    export(cell, to=tmp_path / "out", store_root=tmp_path / "store", adapter=True)
    base = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "out" / "model").eval()
    ids = torch.arange(1, 60)[None]
    before = base(ids).logits.detach()
    adapted = peft.PeftModel.from_pretrained(base, str(tmp_path / "out" / "adapter")).eval()
    assert (merged(ids).logits - before).abs().max() > 1e-3, "the adapter must have learnt something"
    assert (adapted(ids).logits - merged(ids).logits).abs().max() < 1e-5
    assert json.loads((tmp_path / "out" / "adapter" / "adapter_config.json").read_text())["r"] == 2


def test_a_model_trained_in_full_has_no_adapter(tmp_path: Path):
    cell = imported_cell(tmp_path, "method=sft")
    with pytest.raises(ValueError, match="trained without adapters"):
        export(cell, to=tmp_path / "out", store_root=tmp_path / "store", adapter=True)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cell": "nowhere"}, "give the folder of a finished cell"),
        ({"store_root": "empty"}, "give the store of its study"),
        ({"to": "."}, "is there"),
    ],
)
def test_what_cannot_be_exported_is_said(
    world: tuple[Path, Path], tmp_path: Path, change: dict[str, str], message: str
):
    given: dict[str, Any] = {"cell": world[0], "store_root": world[1], "to": tmp_path / "out"}
    given |= {name: tmp_path / value for name, value in change.items()}
    with pytest.raises(ValueError, match=message):
        export(given.pop("cell"), **given)


def again(world: tuple[Path, Path], pool: Path, *more: str) -> Path:
    """The same cell on a pool from a file."""
    cfg = tiny(*WORLD, f"store.root={world[1]}", f"+pools.theirs.path={pool}", *more)
    return compute(cfg, study=world[1].parent / "again")


def kept_rows(cell: Path) -> list[tuple[str, int, str]]:
    return [(row["id"], row["draw"], row["text"]) for row in read_jsonl(cell / "paths.jsonl.gz")]


def test_a_pool_that_goes_out_and_comes_in_again_trains_the_same_model(world: tuple[Path, Path], exported: Path):
    pool = exported / "data" / "pool-nano-xs.jsonl"
    cell = again(world, pool, "union=[theirs]")
    assert kept_rows(cell) == kept_rows(world[0]) != []
    before, after = (FinishedCell.open(one, store=Store(world[1])).record for one in (world[0], cell))
    assert after.scores == before.scores
    assert after.rates == before.rates
    assert list(read_jsonl(cell / OUTCOMES_FILE)) == list(read_jsonl(world[0] / OUTCOMES_FILE))
    told = (
        "num_augmented",
        "num_samples",
        "correct_per_question",
        "distinct_per_question",
        "drop_counts",
        "drawn_per_question",
    )
    assert {name: after.data[name] for name in told} == {name: before.data[name] for name in told}
    facts = after.data["imported_pools"]["theirs"]
    assert (facts["provenance"], facts["order"]) == ("imported", "draw numbers")
    assert facts["content"] == after.setting["pools.theirs.content"]
    assert facts["num_used"] == facts["num_rows"] == 48
    assert {"temperature", "sampling.top_p"} & before.setting.keys()
    assert not {"temperature", "sampling.top_p"} & after.setting.keys(), "no model drew anything"


def test_a_union_with_what_is_there_already_keeps_nothing_more(world: tuple[Path, Path], exported: Path):
    cell = again(world, exported / "data" / "pool-nano-xs.jsonl", "union=[nano-xs,theirs]")
    own = FinishedCell.open(world[0], store=Store(world[1])).record.data
    both = FinishedCell.open(cell, store=Store(world[1])).record.data
    assert len(kept_rows(cell)) == len(kept_rows(world[0]))
    assert both["distinct_per_question"] == own["distinct_per_question"]
    assert both["correct_per_question"] == 2 * own["correct_per_question"]


def test_fewer_draws_are_the_first_of_more(world: tuple[Path, Path], exported: Path):
    few, many = (
        again(world, exported / "data" / "pool-nano-xs.jsonl", "union=[theirs]", f"k={k}", "select.policy=no_dedup")
        for k in (2, 3)
    )
    assert kept_rows(few) == [row for row in kept_rows(many) if row[1] < 2]
