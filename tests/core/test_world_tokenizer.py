"""The embedded world's tokenizer: exact round trip, whole numbers as single tokens."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from transformers import AutoTokenizer
from world_settings import EASY, MIDDLE

from rft.config import WorldConfig
from rft.core.world_tokenizer import build_world_tokenizer, world_vocabulary
from rft.text.world import WorldSplit, corpus_documents, paths_of, world_problems


@pytest.mark.parametrize("config", [EASY, MIDDLE])
def test_round_trip_is_exact_without_unknowns(config: WorldConfig) -> None:
    tokenizer = build_world_tokenizer(config)
    problems = world_problems(config, split=WorldSplit.POOL, count=300)
    texts = ["".join(s.text for s in d) for d in itertools.islice(corpus_documents(config, seed=1), 700)]
    texts += [path.text(wording=w) for p in problems for path in paths_of(p, most=4).first for w in (0, 1)]
    texts += [f"Question: {p.question}\nAnswer: {p.solution}" for p in problems]
    assert len(texts) > 2000
    ids = tokenizer(texts)["input_ids"]
    assert tokenizer.batch_decode(ids) == texts
    assert not any(tokenizer.unk_token_id in row for row in ids)


def test_segments_and_prompts_tokenize_like_the_whole() -> None:
    """Documents may be encoded segment by segment, and a prompt apart from its response."""
    tokenizer = build_world_tokenizer(EASY)
    for document in itertools.islice(corpus_documents(EASY, seed=2), 200):
        parts = [i for segment in document for i in tokenizer.encode(segment.text)]
        assert parts == tokenizer.encode("".join(segment.text for segment in document))
    prompt, response = "Question: Ann had 12 pies.\nAnswer:", " left <<12-5=7>>7\n#### 7"
    assert tokenizer.encode(prompt) + tokenizer.encode(response) == tokenizer.encode(prompt + response)


def test_numbers_are_single_tokens_and_the_vocabulary_is_small() -> None:
    tokenizer = build_world_tokenizer(EASY)
    assert all(len(tokenizer.encode(str(n))) == 1 for n in range(EASY.max_value + 1))
    assert len(tokenizer) == len(set(world_vocabulary(EASY))) < 320
    assert len(build_world_tokenizer(dataclasses.replace(EASY, max_value=1000))) < 1300


def test_unknown_text_and_special_tokens() -> None:
    tokenizer = build_world_tokenizer(EASY)
    assert tokenizer.encode("zebra 5000 \u00e9") == [tokenizer.unk_token_id] * 3
    assert (tokenizer.pad_token, tokenizer.eos_token, tokenizer.unk_token) == ("<pad>", "<eos>", "<unk>")
    assert tokenizer.encode("Answer:") == tokenizer.convert_tokens_to_ids(["Answer", ":"])  # nothing added
    assert (
        tokenizer.decode([*tokenizer.encode("Answer:"), tokenizer.eos_token_id], skip_special_tokens=True) == "Answer:"
    )


def test_saved_folder_is_a_hugging_face_tokenizer(tmp_path: Path) -> None:
    tokenizer = build_world_tokenizer(EASY)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    text = "Question: Ann had 12 pies. She ate 5.\nAnswer: left <<12-5=7>>7\n#### 7"
    assert loaded.decode(loaded.encode(text)) == text
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert loaded.eos_token_id == tokenizer.eos_token_id


def test_ctranslate2_converts_a_model_with_it(tmp_path: Path) -> None:
    ctranslate2 = pytest.importorskip("ctranslate2")
    torch = pytest.importorskip("torch")
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_world_tokenizer(EASY)
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), pad_token_id=0, eos_token_id=1, **sizes)).eval()
    model.save_pretrained(tmp_path / "hf")
    tokenizer.save_pretrained(tmp_path / "hf")
    ctranslate2.converters.TransformersConverter(str(tmp_path / "hf")).convert(str(tmp_path / "ct2"))
    prompt = tokenizer.tokenize("Question: Ann had 12 pies. She ate 5 pies. How many pies now?\nAnswer:")
    generator = ctranslate2.Generator(str(tmp_path / "ct2"))
    result = generator.generate_batch([prompt], max_length=8, sampling_topk=1, include_prompt_in_result=False)
    ids = torch.tensor([tokenizer.convert_tokens_to_ids(prompt)])
    expected = model.generate(ids, max_new_tokens=8, do_sample=False, pad_token_id=0)[0, ids.shape[1] :]
    assert result[0].sequences_ids[0] == [i for i in expected.tolist() if i != tokenizer.eos_token_id]
