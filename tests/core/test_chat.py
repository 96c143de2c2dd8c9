"""Prompt ids are the same in training, in sampling and wherever they are counted, whatever tokenizer and template do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from byte_model import byte_tokenizer, overrides, write_byte_model
from composing import composed
from tokenizers.processors import TemplateProcessing

from rft.core.checkpoints import MODEL_PATTERNS, model_files
from rft.core.sampling.engines import Place, open_sampler
from rft.core.tokenization import Prompt, chat_format, encode_examples, encode_prompts, load_tokenizer
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Problem
from rft.stages.finetune import training_pairs
from rft.stages.generation import Generation, make_prompts

QUESTION = "Ann has 3 red and 4 blue nails. How many?"
PROBLEM = Problem("p", QUESTION, "3+4=<<3+4=7>>7\n#### 7", "7")
TURN = "<|{{ message['role'] }}|>{{ message['content'] }}"
LOOP = "{% for message in messages %}" + TURN + "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
TEMPLATES = {None: None, "bare": LOOP, "bos": "{{ bos_token }}" + LOOP}
KINDS = [(adds, chat) for adds in (False, True) for chat in TEMPLATES]


def tokenizer_of(adds_bos: bool, chat: str | None) -> Any:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    if adds_bos:
        special = [("<s>", tokenizer.bos_token_id)]
        tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=special)
    tokenizer.chat_template = TEMPLATES[chat]
    return tokenizer


def asking(chat: str | None) -> Generation:
    return Generation(
        model="m",
        engine="torch",
        dtype="float32",
        prompt="plain" if chat is None else "chat",
        max_prompt_tokens=500,
        max_new_tokens=8,
        stop=(),
    )


@pytest.mark.parametrize(("adds_bos", "chat"), KINDS)
def test_sampled_ids_are_those_trained_on_with_one_bos_at_most(adds_bos: bool, chat: str | None):
    tokenizer = tokenizer_of(adds_bos, chat)
    prompts = make_prompts(asking(chat), [PROBLEM], shots=[], tokenizer=tokenizer)
    (sampled,) = encode_prompts(tokenizer, prompts)
    shown = [(QUESTION, PROBLEM.solution)]
    (trained,) = encode_examples(tokenizer, training_pairs(shown, asking(chat).template, tokenizer), max_tokens=500)
    assert list(trained.ids[: trained.num_prompt]) == sampled
    expected = {None: int(adds_bos), "bare": 0, "bos": 1}[chat]
    assert sampled.count(tokenizer.bos_token_id) == expected
    if chat is not None:
        turn = [{"role": "user", "content": QUESTION}]
        own = tokenizer.apply_chat_template(turn, tokenize=True, add_generation_prompt=True, return_dict=False)
        assert sampled == own


@pytest.mark.parametrize(("adds_bos", "chat"), KINDS)
def test_worked_examples_add_no_second_bos(adds_bos: bool, chat: str | None):
    tokenizer = tokenizer_of(adds_bos, chat)
    shots = [Problem("s", "1+1?", "#### 2", "2")]
    (ids,) = encode_prompts(tokenizer, make_prompts(asking(chat), [PROBLEM], shots=shots, tokenizer=tokenizer))
    assert "1+1?" in tokenizer.decode(ids)
    assert ids.count(tokenizer.bos_token_id) == {None: int(adds_bos), "bare": 0, "bos": 1}[chat]


@pytest.mark.parametrize("engine", ["torch", "ctranslate2"])
def test_every_engine_reads_the_ids_of_the_one_function(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch):
    """An engine that is given a framed prompt writes what it writes after the bare prompt of the same ids."""
    folder = write_byte_model(tmp_path / "model")
    tokenizer = load_tokenizer(folder)
    special = [("<eos>", tokenizer.eos_token_id)]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="<eos> $A", special_tokens=special)
    tokenizer.save_pretrained(folder)
    framed, bare = Prompt("<eos>" + QUESTION, framed=True), Prompt(QUESTION)
    assert encode_prompts(load_tokenizer(folder), [framed]) == encode_prompts(load_tokenizer(folder), [bare])
    sampler = open_sampler(engine, folder, Place(device="cpu", threads=1, dtype="float32", batch=4))
    options: dict[str, Any] = {"num_draws": 1, "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 6, "stop": []}
    one, other = (sampler.sample([prompt], seed=0, **options) for prompt in (framed, bare))
    assert one == other


def test_a_template_that_prints_the_date_prints_the_same_one_every_day():
    tokenizer = tokenizer_of(False, "bare")
    tokenizer.chat_template = "Today Date: {{ strftime_now('%d %b %Y') }}\n" + LOOP
    text = chat_format(tokenizer)([{"role": "user", "content": "Q?"}])
    assert text.startswith("Today Date: 26 Jul 2024\n")
    llama = "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}{{ date_string }}"
    tokenizer.chat_template = llama
    assert chat_format(tokenizer)([{"role": "user", "content": "Q?"}]) == "26 Jul 2024"
    tokenizer.chat_template = "{% set form = '%d' %}{{ strftime_now(form) }}"
    with pytest.raises(ValueError, match="prints the date in a form that is no literal"):
        chat_format(tokenizer)


@pytest.mark.parametrize(
    "name", ["chat_template.jinja", "additional_chat_templates/tool.jinja", "generation_config.json", "tokenizer.json"]
)
def test_every_file_that_decides_a_prompt_is_part_of_what_the_model_is(tmp_path: Path, name: str):
    cfg = composed(*overrides(tmp_path), "method=icl", "data.num_shots=0")
    path = tmp_path / "model" / name
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if path.exists() else "{{ bos_token }}"
    path.write_text(before)
    first = plan(cfg, resolve(cfg))
    path.write_text(before + " ")
    edited = plan(cfg, resolve(cfg))
    assert edited.cell_id != first.cell_id
    assert edited.setting["model.content"] != first.setting["model.content"]
    path.write_text(before)
    assert plan(cfg, resolve(cfg)).cell_id == first.cell_id


def test_a_file_under_another_name_is_another_model(tmp_path: Path):
    cfg = composed(*overrides(tmp_path), "method=icl", "data.num_shots=0")
    (tmp_path / "model" / "a.jinja").write_text("x")
    first = plan(cfg, resolve(cfg)).setting
    shutil.move(tmp_path / "model" / "a.jinja", tmp_path / "model" / "b.jinja")
    assert plan(cfg, resolve(cfg)).setting != first


def test_what_a_tokenizer_and_a_model_write_counts_as_the_model(tmp_path: Path):
    """Identity, import and download go by one list: nothing that saving writes is missing from it."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = {"default": LOOP, "tool_use": LOOP}
    folder = write_byte_model(tmp_path)
    tokenizer.save_pretrained(folder)
    written = {path for path in folder.rglob("*") if path.is_file()}
    assert {path.name for path in written} >= {
        "chat_template.jinja",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    }
    assert set(model_files(folder)) == written
    assert "*.jinja" in MODEL_PATTERNS


@pytest.mark.parametrize("state", ["truncation", "padding"])
def test_truncation_in_a_tokenizer_file_cuts_nothing(tmp_path: Path, state: str):
    """tokenizer.json may hold the state of whoever saved it (tokenizers issue 1000 and its kin)."""
    tokenizer = byte_tokenizer()
    if state == "truncation":
        tokenizer.backend_tokenizer.enable_truncation(max_length=5)
    else:
        tokenizer.backend_tokenizer.enable_padding(length=400)
    tokenizer.backend_tokenizer.save(str(tmp_path / "tokenizer.json"))
    write_byte_model(tmp_path / "model")
    shutil.copy(tmp_path / "tokenizer.json", tmp_path / "model" / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "model")
    (ids,) = encode_prompts(loaded, [Prompt(QUESTION)])
    assert loaded.decode(ids) == QUESTION
    (example,) = encode_examples(loaded, [(Prompt(QUESTION), PROBLEM.solution)], max_tokens=500)
    assert loaded.decode(example.ids) == QUESTION + PROBLEM.solution + "<eos>"
