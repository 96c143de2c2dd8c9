"""The engine of servers beside a real one: `transformers serve` with a tiny model, in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from byte_model import byte_tokenizer, write_byte_model
from core_tiny import toy_pairs, trained_folder
from model_servers import served_by_transformers, transformers_server

from rft.config import ServerKind
from rft.core.sampling.engines import Place, open_sampler
from rft.core.tokenization import Prompt

pytest.importorskip("openai")
pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

from rft.core.sampling.openai_backend import Chat, OpenAISampler  # noqa: E402
from rft.core.sampling.openai_client import Report, report  # noqa: E402

PROMPTS = [prompt for prompt, _ in toy_pairs(10, seed=21)]
OPTIONS: dict[str, Any] = {"top_p": 1.0, "max_new_tokens": 24, "stop": []}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained_folder(tmp_path_factory.mktemp("served"), num_steps=60)


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with transformers_server(folder) as found:
        yield found


@pytest.fixture
def sampler(url: str, folder: Path) -> Iterator[OpenAISampler]:
    opened = OpenAISampler(served_by_transformers(url, folder))
    yield opened
    opened.close()


def test_greedy_decoding_is_that_of_the_torch_engine(sampler: OpenAISampler, folder: Path):
    here = open_sampler("torch", folder, Place(device="cpu", threads=1, dtype="float32", batch=8))
    wanted = here.sample(PROMPTS, num_draws=1, temperature=0.0, seed=0, **OPTIONS)
    found = sampler.sample(PROMPTS, num_draws=1, temperature=0.0, seed=0, **OPTIONS)
    assert found == wanted
    assert any(group[0].truncated for group in wanted) or all(group[0].num_tokens < 24 for group in wanted)


def test_the_seed_decides_and_every_draw_has_its_own(sampler: OpenAISampler):
    one, again, other = (
        sampler.sample(PROMPTS, num_draws=2, temperature=1.0, seed=seed, **OPTIONS) for seed in (1, 1, 2)
    )
    assert one == again != other
    assert sum(len({draw.text for draw in group}) > 1 for group in one) > len(PROMPTS) / 2
    assert sampler.usage.num_requests == 3 * 2 * len(PROMPTS)
    assert sampler.usage.completion_tokens == sum(d.num_tokens for rows in (one, again, other) for g in rows for d in g)


def test_without_its_kind_such_a_server_is_greedy_and_that_is_seen(url: str, folder: Path):
    sampler = OpenAISampler(served_by_transformers(url, folder, kind=ServerKind.plain))
    with pytest.raises(RuntimeError, match=r"equal at temperature 1.*kind"):
        sampler.sample(PROMPTS[:8], num_draws=9, temperature=1.0, seed=1, **OPTIONS)
    sampler.close()


def test_the_length_is_truncation(sampler: OpenAISampler):
    short = {**OPTIONS, "max_new_tokens": 2}
    (found,) = zip(*sampler.sample(PROMPTS, num_draws=1, temperature=0.0, seed=0, **short), strict=True)
    assert all(one.truncated and one.num_tokens == 2 for one in found)


def test_the_server_names_the_model_that_answers(url: str, folder: Path):
    assert report(served_by_transformers(url, folder), chat=False) == Report(f"{folder}@main")


def test_another_model_is_refused_by_name(url: str, folder: Path):
    endpoint = served_by_transformers(url, Path("other"))
    with pytest.raises(ValueError, match=r"refuses a request \(400\).*pinned"):
        report(endpoint, chat=False)


@pytest.fixture(scope="module")
def chatty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads any text, and has a chat template."""
    folder = write_byte_model(tmp_path_factory.mktemp("chat") / "model")
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "
    tokenizer.save_pretrained(folder)
    return folder


def test_a_chat_is_framed_by_the_servers_template_and_stop_strings_end_it(chatty: Path):
    framed = Prompt("user: How many?\nassistant: ", framed=True)
    here = open_sampler("torch", chatty, Place(device="cpu", threads=1, dtype="float32", batch=1))
    options: dict[str, Any] = {"num_draws": 1, "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 12, "seed": 0}
    ((whole,),) = here.sample([framed], stop=[], **options)
    end = whole.text[4]
    with transformers_server(chatty) as url:
        sampler = OpenAISampler(served_by_transformers(url, chatty))
        ((asked,),) = sampler.sample([Chat(({"role": "user", "content": "How many?"},))], stop=[], **options)
        ((cut,),) = sampler.sample([Chat(({"role": "user", "content": "How many?"},))], stop=[end], **options)
        sampler.close()
    assert asked == whole
    assert (cut.text, cut.truncated) == (whole.text.partition(end)[0], False)
    torch.set_num_threads(1)
