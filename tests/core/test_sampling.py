from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from rft.core.model import load_model
from rft.core.sampling.base import Sampler, Solution, finish
from rft.core.sampling.ctranslate2_backend import ROWS, draw_blocks, quick_collections
from rft.core.sampling.engines import Place, choose_engine, open_sampler
from rft.core.sampling.torch_backend import choose, left_padded
from rft.core.sampling.vllm_forms import head_size, vllm_refusal
from rft.core.tokenization import Prompt, encode_prompts, load_tokenizer
from tests.core_tiny import tiny_tokenizer, toy_pairs, trained_folder

torch.set_num_threads(1)

ENGINES = ["torch", "ctranslate2"]
PROMPTS = [prompt for prompt, _ in toy_pairs(40, seed=9)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_folder(tmp_path_factory.mktemp("trained"))


def opened(engine: str, folder: Path, *, threads: int = 1, batch: int | None = None) -> Sampler:
    return open_sampler(engine, folder, Place(device="cpu", threads=threads, dtype="float32", batch=batch))


def draw(sampler: Sampler, prompts: list[Prompt], **changes: object) -> list[list[Solution]]:
    values = {"num_draws": 3, "temperature": 1.0, "top_p": 1.0, "max_new_tokens": 24, "stop": [], "seed": 5}
    return sampler.sample(prompts, **{**values, **changes})


def greedy(sampler: Sampler, prompts: list[Prompt], **changes: object) -> list[Solution]:
    return [row[0] for row in draw(sampler, prompts, num_draws=1, temperature=0.0, **changes)]


def smallest_gap(folder: Path, prompt: Prompt, *, steps: int) -> float:
    """Smallest top-2 logit gap along greedy decoding of one prompt, without a cache: independent of every engine."""
    model, tokenizer = load_model(folder, device="cpu", dtype="float32").eval(), load_tokenizer(folder)
    ids, gaps = encode_prompts(tokenizer, [prompt])[0], []
    for _ in range(steps):
        top = model(torch.tensor([ids])).logits[0, -1].topk(2)
        gaps.append(float(top.values[0] - top.values[1]))
        ids.append(int(top.indices[0]))
        if ids[-1] == tokenizer.eos_token_id:
            break
    return min(gaps)


def assert_equal_but_for_near_ties(folder: Path, first: list[Solution], second: list[Solution]) -> None:
    differing = [prompt for prompt, a, b in zip(PROMPTS, first, second, strict=True) if a != b]
    assert [prompt for prompt in differing if smallest_gap(folder, prompt, steps=24) >= 1e-3] == []


@pytest.mark.parametrize("engine", ENGINES)
def test_batched_greedy_equals_one_by_one(engine: str, folder: Path) -> None:
    sampler = opened(engine, folder, batch=16)
    assert len({len(prompt.text.split()) for prompt in PROMPTS}) > 3  # or padding is not tested
    batched = greedy(sampler, PROMPTS)
    alone = [greedy(sampler, [prompt])[0] for prompt in PROMPTS]
    assert_equal_but_for_near_ties(folder, batched, alone)
    assert not any(solution.truncated for solution in batched)


def test_engines_agree_on_greedy(folder: Path) -> None:
    by_torch, by_ctranslate2 = (greedy(opened(engine, folder), PROMPTS) for engine in ENGINES)
    assert_equal_but_for_near_ties(folder, by_torch, by_ctranslate2)


def test_torch_greedy_equals_hugging_face_generate(folder: Path) -> None:
    model, tokenizer = load_model(folder, device="cpu", dtype="float32").eval(), load_tokenizer(folder)
    ours = greedy(opened("torch", folder), PROMPTS)
    theirs = []
    for ids in encode_prompts(tokenizer, PROMPTS):
        out = model.generate(
            torch.tensor([ids]), attention_mask=torch.ones(1, len(ids)), max_new_tokens=24, do_sample=False
        )
        theirs += finish(tokenizer, [out[0, len(ids) :].tolist()], ends=[tokenizer.eos_token_id], stop=[])
    assert_equal_but_for_near_ties(folder, ours, theirs)


def total_variation(first: Counter[str], second: Counter[str]) -> float:
    keys = first.keys() | second.keys()
    return 0.5 * sum(abs(first[key] / first.total() - second[key] / second.total()) for key in keys)


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (0.7, 1.0), (1.0, 0.8)])
def test_engines_sample_the_models_distribution(folder: Path, temperature: float, top_p: float) -> None:
    """One token where the model is unsure, against the exact distribution."""
    prompt, draws = Prompt("q 3 4 17 11 = r 3 4 17 11 ; ans"), 4000
    model, tokenizer = load_model(folder, device="cpu", dtype="float32").eval(), load_tokenizer(folder)
    logits = model(torch.tensor(encode_prompts(tokenizer, [prompt]))).logits[0, -1]
    probs = torch.softmax(logits / temperature, -1).double()
    order = probs.argsort(descending=True)
    before = probs[order].cumsum(0) - probs[order]
    probs[order[before >= top_p]] = 0.0
    probs /= probs.sum()
    assert probs.max() < 0.9
    for engine in ENGINES:
        options = {"num_draws": draws, "max_new_tokens": 1, "temperature": temperature, "top_p": top_p}
        (drawn,) = draw(opened(engine, folder), [prompt], **options)
        counts = Counter(solution.text for solution in drawn)
        expected: Counter[str] = Counter()
        for token, prob in enumerate(probs.tolist()):
            expected[tokenizer.decode([token], skip_special_tokens=True)] += prob * draws
        # The expected total variation of n draws over m even classes is about sqrt(m / (2 pi n)): 0.03 for 25 words.
        assert total_variation(counts, expected) < 0.04, engine


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_follow_from_the_seed_alone(engine: str, folder: Path) -> None:
    sampler = opened(engine, folder)
    first = draw(sampler, PROMPTS)
    other = draw(sampler, PROMPTS, seed=6)
    assert draw(sampler, PROMPTS) == first
    assert draw(opened(engine, folder, threads=2), PROMPTS) == first
    assert other != first
    torch.set_num_threads(1)


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_are_the_same_in_a_fresh_process(engine: str, folder: Path) -> None:
    here = [[solution.text for solution in row] for row in draw(opened(engine, folder), PROMPTS[:6])]
    script = (
        "import json, sys; from pathlib import Path\n"
        "from rft.core.sampling.engines import Place, open_sampler\n"
        "from rft.core.tokenization import Prompt\n"
        f"s = open_sampler({engine!r}, Path(sys.argv[1]), Place(device='cpu', threads=1, dtype='float32'))\n"
        "prompts = [Prompt(text) for text in json.loads(sys.argv[2])]\n"
        "rows = s.sample(prompts, num_draws=3, temperature=1.0, top_p=1.0, max_new_tokens=24,"
        " stop=[], seed=5)\n"
        "print(json.dumps([[g.text for g in row] for row in rows]))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), json.dumps([prompt.text for prompt in PROMPTS[:6]])],
        capture_output=True,
        text=True,
        cwd=root,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == here


def test_torch_samples_do_not_depend_on_the_batch(folder: Path) -> None:
    wide, narrow = (draw(opened("torch", folder, batch=batch), PROMPTS) for batch in (256, 3))
    same = sum(a == b for a, b in zip(wide, narrow, strict=True))
    assert same >= len(PROMPTS) - 1  # a number next to a boundary of the distribution may fall on its other side


@pytest.mark.parametrize("engine", ENGINES)
def test_draws_beyond_one_pass(engine: str, folder: Path) -> None:
    rows = draw(opened(engine, folder), PROMPTS[:3], num_draws=ROWS + 5)
    assert [len(row) for row in rows] == [ROWS + 5] * 3
    assert all(row[0].text.startswith("r") or row[0].text for row in rows)
    assert draw_blocks(70) == [32, 32, 6]


@pytest.mark.parametrize("engine", ENGINES)
def test_truncation_and_token_counts(engine: str, folder: Path) -> None:
    sampler = opened(engine, folder)
    full, cut = greedy(sampler, PROMPTS), greedy(sampler, PROMPTS, max_new_tokens=3)
    tokenizer = load_tokenizer(folder)
    assert all(solution.truncated and solution.num_tokens == 3 for solution in cut)
    assert [s.num_tokens for s in full] == [len(tokenizer(s.text)["input_ids"]) + 1 for s in full]


@pytest.mark.parametrize("engine", ENGINES)
def test_stop_strings_cut_the_text_and_count_as_an_end(engine: str, folder: Path) -> None:
    sampler = opened(engine, folder)
    full, cut = greedy(sampler, PROMPTS), greedy(sampler, PROMPTS, stop=[";"], max_new_tokens=20)
    for whole, part in zip(full, cut, strict=True):
        assert part.text == whole.text.split(";")[0]
        assert not part.truncated
        assert part.num_tokens < whole.num_tokens


def test_finish_on_ids() -> None:
    tokenizer = tiny_tokenizer()
    ids = tokenizer("r 3 ; ans 4")["input_ids"]
    ended, open_end, stopped = finish(tokenizer, [[*ids, 1, 5, 6], ids, [*ids, 9]], ends=[1], stop=["ans"])
    assert (ended.truncated, open_end.truncated, stopped.truncated) == (False, False, False)
    plain = finish(tokenizer, [[*ids, 1, 5, 6], ids], ends=[1], stop=[])
    assert [(row.num_tokens, row.truncated) for row in plain] == [(6, False), (5, True)]


def test_left_padding_masks_and_counts_from_the_first_real_token() -> None:
    ids, mask, positions = left_padded([[7, 8, 9], [5]])
    assert ids.tolist() == [[7, 8, 9], [0, 0, 5]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert positions.tolist() == [[0, 1, 2], [0, 0, 0]]


def test_choice_inverts_the_cumulative_distribution() -> None:
    logits = torch.log(torch.tensor([[0.5, 0.3, 0.2]] * 4))
    uniform = torch.tensor([0.0, 0.49, 0.51, 0.999], dtype=torch.float64)
    assert choose(logits, uniform_B=uniform, temperature=1.0, top_p=1.0).tolist() == [0, 0, 1, 2]
    assert choose(logits, uniform_B=uniform, temperature=1.0, top_p=0.6).tolist() == [0, 0, 0, 1]


def test_bad_requests_are_named(folder: Path) -> None:
    sampler = opened("torch", folder)
    with pytest.raises(ValueError, match="one draw"):
        draw(sampler, PROMPTS, temperature=0.0)
    with pytest.raises(ValueError, match="hold no token"):
        draw(sampler, [Prompt("q 1 ="), Prompt("")])
    with pytest.raises(ValueError, match="top_p"):
        draw(sampler, PROMPTS, top_p=0.0)


def test_auto_resolves_without_importing_an_engine(folder: Path) -> None:
    code = (
        "import sys; from rft.core.sampling.engines import choose_engine\n"
        "print(choose_engine('auto', 'LlamaForCausalLM', device='cpu').engine)\n"
        "assert not {'torch', 'ctranslate2', 'transformers', 'vllm'} & set(sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "ctranslate2"
    assert choose_engine("auto", folder, device="cpu").engine == "ctranslate2"
    assert choose_engine("auto", "MambaForCausalLM", device="cpu").engine == "torch"
    assert choose_engine("torch", folder, device="cpu").engine == "torch"


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_vllm_absent_is_said_plainly(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"vllm.* not installed"):
        choose_engine("vllm", folder, device="cuda")
    with pytest.raises(ValueError, match="vLLM, which is not installed"):
        opened("vllm", folder)


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({"hidden_size": 32, "num_attention_heads": 4}, 8),
        ({"hidden_size": 32, "num_attention_heads": 4, "head_dim": 64}, 64),
        ({"n_embd": 64, "n_head": 2}, 32),
        ({"model_type": "mamba"}, None),
    ],
)
def test_vllm_on_a_processor_takes_heads_of_known_sizes(
    tmp_path: Path, config: dict[str, Any], size: int | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert head_size(tmp_path) == size
    assert vllm_refusal(size, device="cuda") is None
    assert (vllm_refusal(size, device="cpu") is None) == (size != 8)


class _Circle:
    """Garbage that only a collection finds."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def _nothing_frozen() -> Iterator[None]:
    gc.unfreeze()
    gc.disable()  # no collection that nobody asked for
    yield
    gc.enable()
    gc.collect()
    gc.freeze()  # as tests/conftest.py left it


@pytest.mark.usefixtures("_nothing_frozen")
def test_collections_while_a_model_is_converted_pass_over_what_was_there_and_only_for_that_long():
    old = weakref.ref(_Circle())
    with quick_collections():
        new = weakref.ref(_Circle())
        gc.collect()
        assert new() is None
        assert old() is not None
    assert gc.get_freeze_count() == 0
    gc.collect()
    assert old() is None


@pytest.mark.usefixtures("_nothing_frozen")
def test_what_is_frozen_for_good_stays_frozen_through_a_conversion():
    gc.freeze()
    before = gc.get_freeze_count()
    with quick_collections():
        pass
    assert gc.get_freeze_count() == before
