"""vLLM's own server on loopback as a donor: `make vllm-test` makes the environment that it needs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides
from composing import composed, compute
from core_tiny import toy_pairs
from model_servers import wait_for
from vllm_model import CONTEXT, served_folder

from rft.config import ServerKind
from rft.core.sampling.engines import Place, open_sampler
from rft.core.tokenization import Prompt
from rft.records import Record, read_json, read_jsonl

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # its own imports warn
pytest.importorskip("vllm", reason="vLLM is not installed here: make vllm-test")

from rft.core.sampling.openai_backend import Chat, OpenAISampler  # noqa: E402
from rft.core.sampling.openai_client import Endpoint, report  # noqa: E402

START_S = 600.0
PROMPTS = [prompt for prompt, _ in toy_pairs(8, seed=21)]
OPTIONS: dict[str, Any] = {"top_p": 1.0, "max_new_tokens": 24, "stop": []}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return served_folder(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    small = ["--dtype", "float32", "--enforce-eager", "--kv-cache-memory-bytes", str(1 << 26), "--max-num-seqs", "64"]
    place = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", "m"]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), *place, *small]
    quiet = {"VLLM_LOGGING_LEVEL": "WARNING", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    server = subprocess.Popen(command, env={**os.environ, **quiet, "OMP_NUM_THREADS": "1"}, start_new_session=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", until_s=START_S)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGTERM)  # its own session: the engine's processes with it
        server.wait(60)


@pytest.fixture
def sampler(url: str) -> Iterator[OpenAISampler]:
    opened = OpenAISampler(Endpoint(url, "m", ServerKind.vllm, concurrency=16))
    yield opened
    opened.close()


def test_the_server_says_what_it_serves_and_its_kind_must_be_named(url: str, folder: Path):
    found = report(Endpoint(url, "m", ServerKind.vllm), chat=False)
    assert (found.model, found.root, found.context, found.owner) == ("m", str(folder), CONTEXT, "vllm")
    with pytest.raises(ValueError, match="set kind=vllm"):
        report(Endpoint(url, "m"), chat=False)
    with pytest.raises(ValueError, match="does not know the model other"):
        report(Endpoint(url, "other", ServerKind.vllm), chat=False)


def test_greedy_decoding_is_that_of_the_torch_engine_token_for_token(sampler: OpenAISampler, folder: Path):
    here = open_sampler("torch", folder, Place(device="cpu", threads=1, dtype="float32", batch=8))
    wanted, found = (one.sample(PROMPTS, num_draws=1, temperature=0.0, seed=0, **OPTIONS) for one in (here, sampler))
    assert [[one.text.strip() for one in group] for group in found] == [[one.text for one in group] for group in wanted]
    assert [[one.num_tokens for one in group] for group in found] == [[one.num_tokens for one in g] for g in wanted]
    assert sampler.usage.completion_tokens == sum(one.num_tokens for group in wanted for one in group)


def test_the_seed_of_a_request_decides_whatever_is_in_flight(sampler: OpenAISampler):
    one, again, other = (
        sampler.sample(PROMPTS, num_draws=4, temperature=1.0, seed=seed, **OPTIONS) for seed in (1, 1, 2)
    )
    assert one == again != other
    alone = sampler.sample(PROMPTS[:1], num_draws=2, temperature=1.0, seed=1, **OPTIONS)
    assert alone[0] == one[0][:2]
    assert all(len({draw.text for draw in group}) > 1 for group in one)


def turns(prompt: Prompt, *earlier: tuple[str, str]) -> Chat:
    """The toy prompt without its '=' as a user's turn, behind earlier turns."""
    asked = {"role": "user", "content": prompt.text.removesuffix(" =")}
    return Chat((*({"role": role, "content": text} for role, text in earlier), asked))


SHOTS = (("user", "q 7 8"), ("assistant", "r 7 8 ; ans 8"))


@pytest.mark.parametrize("earlier", [(), SHOTS])
def test_a_chat_is_framed_once_by_the_served_models_own_template(
    sampler: OpenAISampler, folder: Path, earlier: tuple[tuple[str, str], ...]
):
    """What the server writes in a chat is what the torch engine writes behind the framed text, token for token."""
    before = "q 7 8 = ; r 7 8 ; ans 8 ; " if earlier else ""
    framed = [Prompt(before + one.text) for one in PROMPTS]
    here = open_sampler("torch", folder, Place(device="cpu", threads=1, dtype="float32", batch=8))
    wanted = here.sample(framed, num_draws=1, temperature=0.0, seed=0, **OPTIONS)
    found = sampler.sample([turns(one, *earlier) for one in PROMPTS], num_draws=1, temperature=0.0, seed=0, **OPTIONS)
    assert [[one.text.strip() for one in group] for group in found] == [[one.text for one in group] for group in wanted]
    words = sum(len(one.text.split()) for one in framed)
    assert sampler.usage.prompt_tokens == words


def test_draws_of_a_chat_are_those_of_the_framed_text(sampler: OpenAISampler):
    """One seed, two interfaces of one server."""
    given: dict[str, Any] = {**OPTIONS, "num_draws": 4, "temperature": 1.0, "seed": 3}
    chats = sampler.sample([turns(one) for one in PROMPTS], **given)
    plain = sampler.sample(PROMPTS, **given)
    assert chats == plain
    assert all(len({draw.text for draw in group}) > 1 for group in chats)


def record_of(folder: Path, url: str, *more: str) -> Record:
    cfg = composed(
        *overrides(folder), "method=rft", "union=[teacher]", f"+servers.teacher.base_url={url}", "temperature=1",
        "+servers.teacher.model=m", "+servers.teacher.kind=vllm", "runtime.device=cpu", "sampling.engine=torch", *more,
    )  # fmt: skip
    return Record.from_json(read_json(compute(cfg, study=folder / "study") / "record.json"))


def drawn(folder: Path) -> dict[tuple[str, int], str]:
    files = (folder / "store" / "served_shard").rglob("samples.jsonl.gz")
    return {(row["id"], row["draw"]): row["text"] for path in files for row in read_jsonl(path)}


def test_a_cell_draws_from_it_and_more_draws_top_its_pool_up(tmp_path: Path, url: str, folder: Path):
    first = record_of(tmp_path, url, "k=2")
    few = drawn(tmp_path)
    second = record_of(tmp_path, url, "k=4")
    many = drawn(tmp_path)
    assert len(few) == 24
    assert len(many) == 48
    assert few.items() <= many.items(), "the first two draws stay"
    assert len(set(many.values())) > 20
    facts = [one.data["served_pools"]["teacher"] for one in (first, second)]
    assert [one["num_requests"] for one in facts] == [24, 48]
    for one, record in zip(facts, (first, second), strict=True):
        assert one["report"]["root"] == str(folder)
        assert one["completion_tokens"] == sum(cost.tokens for cost in record.cost if cost.name == "served_shard")


def test_a_cell_draws_from_it_in_chats_with_worked_examples(tmp_path: Path, url: str, folder: Path):
    """Of all that is asked the server counts the words: three questions, two answers, the signs between them."""
    record = record_of(tmp_path, url, "k=2", "+servers.teacher.prompt=chat", "donor.num_shots=2")
    facts = record.data["served_pools"]["teacher"]
    assert record.setting["servers.teacher.prompt"] == "chat"
    assert facts["num_requests"] == 24
    rows = list(read_jsonl(tmp_path / "data" / "train.jsonl"))
    question, answer = (len(rows[0][name].split()) for name in ("question", "answer"))
    assert {(len(row["question"].split()), len(row["answer"].split())) for row in rows} == {(question, answer)}
    assert facts["prompt_tokens"] == 24 * (3 * question + 3 + 2 * answer + 4)
    assert len(set(drawn(tmp_path).values())) > 10
