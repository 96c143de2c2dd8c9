"""The engine of servers beside one that fails in every way there is: failure is never a draw, and no key is ever told."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from model_servers import chat, completion, scripted_server

from rft.config import ServerKind
from rft.core.sampling.base import Solution
from rft.core.tokenization import Prompt

pytest.importorskip("openai")

from rft.core.sampling import openai_backend, openai_client
from rft.core.sampling.openai_backend import Chat, OpenAISampler, Usage
from rft.core.sampling.openai_client import Endpoint, Report, ServerError, report

KEY = "sk-secret0123"
OPTIONS: dict[str, Any] = {"temperature": 0.7, "top_p": 1.0, "max_new_tokens": 8, "stop": [], "seed": 3}
ASKED = (Prompt("How many?"),)
TURNS = Chat(({"role": "user", "content": "How many?"},))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses: that they grow is the client's own promise."""
    import openai._base_client as client

    monkeypatch.setattr(client, "INITIAL_RETRY_DELAY", 0.001)
    monkeypatch.setattr(client, "MAX_RETRY_DELAY", 0.002)
    monkeypatch.setattr(openai_backend, "PAUSE_S", 0.001)
    monkeypatch.setattr(openai_backend, "LONGEST_PAUSE_S", 0.01)


def drawn(url: str, *, prompts: Any = ASKED, num_draws: int = 1, options: Any = None, **more: Any) -> Any:
    sampler = OpenAISampler(Endpoint(url, "m", **({"retries": 3} | more)))
    try:
        return sampler.sample(prompts, num_draws=num_draws, **(OPTIONS | (options or {}))), sampler
    finally:
        sampler.close()


def always(value: Any, status: int = 200) -> Callable[..., tuple[int, Any]]:
    return lambda path, body: (status, value)


def in_turn(*answers: tuple[int, Any]) -> Callable[..., tuple[int, Any]]:
    left: Iterator[tuple[int, Any]] = iter(answers)
    return lambda path, body: next(left)


def test_every_draw_is_a_request_with_a_seed_of_its_own_and_comes_back_to_its_place():
    """Replies come in another order than requests; the text says which request it answers."""
    seen: list[dict[str, Any]] = []
    lock = threading.Lock()

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        with lock:
            seen.append(body)
            late = len(seen) % 3
        time.sleep(0.01 * late)
        return 200, completion(f"{body['prompt']} {body['seed']}")

    with scripted_server(answer) as url:
        groups, sampler = drawn(url, prompts=[Prompt("a"), Prompt("b")], num_draws=8)
        again, _ = drawn(url, prompts=[Prompt("a"), Prompt("b")], num_draws=8, concurrency=1)
    assert groups == again
    assert [[draw.text[0] for draw in group] for group in groups] == [["a"] * 8, ["b"] * 8]
    assert len({draw.text for group in groups for draw in group}) == 16
    assert len({body["seed"] for body in seen}) == 16
    assert all("n" not in body and body["temperature"] == 0.7 and body["max_tokens"] == 8 for body in seen)
    assert sampler.usage == Usage(num_requests=16, prompt_tokens=80, completion_tokens=48)


def test_a_fault_that_passes_changes_nothing():
    busy, broken = (429, {"error": {"message": "slow down"}}), (500, {"error": {"message": "oops"}})
    none = (200, completion() | {"choices": []})
    with scripted_server(in_turn(busy, broken, none, (200, completion("r 7")))) as url:
        groups, sampler = drawn(url, retries=3)
    assert groups == [[Solution("r 7", 3, False)]]
    assert sampler.usage.num_requests == 1
    assert (sampler.usage.num_discarded, sampler.usage.num_untold) == (1, 2)


def test_the_bill_is_the_servers():
    """A server that spoils replies at random, and counts what it was asked and what it wrote, without knowing of us."""
    dice, lock = random.Random(5), threading.Lock()
    bill: Counter[str] = Counter()

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        with lock:
            tokens, spoilt = dice.randrange(1, 50), dice.choice(("", "", "text", "end", "choices", "usage", "busy"))
            if spoilt == "busy":
                bill["untold"] += 1
                return 503, {"error": {"message": "busy"}}
            bill["untold"] += spoilt == "usage"
            bill["written"] += tokens * (spoilt != "usage")
            bill["read"] += 5 * (spoilt != "usage")
            bill["spoilt"] += spoilt != ""
        reply = completion(None if spoilt == "text" else str(body["seed"]), tokens=tokens)
        reply["choices"][0]["finish_reason"] = "abort" if spoilt == "end" else "stop"
        return 200, reply | {"choices": {"choices": []}, "usage": {"usage": None}}.get(spoilt, {})

    with scripted_server(answer) as url:
        groups, sampler = drawn(url, prompts=[Prompt(str(n)) for n in range(20)], num_draws=3, retries=60)
    usage = sampler.usage
    assert usage.num_requests == 60
    assert bill["spoilt"] > 30
    assert usage.prompt_tokens + usage.discarded_prompt_tokens == bill["read"]
    assert usage.completion_tokens + usage.discarded_completion_tokens == bill["written"]
    assert usage.completion_tokens == sum(draw.num_tokens for group in groups for draw in group)
    assert (usage.num_discarded, usage.num_untold) == (bill["spoilt"], bill["untold"])


MALFORMED = {
    "no choices": completion() | {"choices": []},
    "choices are null": completion() | {"choices": None},
    "two choices": completion() | {"choices": completion()["choices"] * 2},
    "no usage": completion() | {"usage": None},
    "no prompt tokens": completion() | {"usage": {"prompt_tokens": None, "completion_tokens": 3, "total_tokens": 3}},
    "tokens below none": completion() | {"usage": {"prompt_tokens": 5, "completion_tokens": -3, "total_tokens": 2}},
    "no text": completion(None),
    "a number for a text": completion(7),
    "unknown end": completion(finish="abort"),
    "no end": completion(finish=None),
    "no JSON object": "busy",
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_reply_that_is_none_is_asked_for_again_and_then_fails(name: str):
    count: Counter[str] = Counter()

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        count[path] += 1
        return 200, MALFORMED[name]

    with scripted_server(answer) as url, pytest.raises(ServerError, match="not the interface asked for"):
        drawn(url, retries=2)
    assert count == {"/v1/completions": 3}


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 503])
def test_a_request_that_fails_for_good_ends_the_shard(status: int):
    """One bad reply among many good ones: no solutions at all."""

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        bad = body["prompt"] == "bad"
        return (status, {"error": {"message": "no"}}) if bad else (200, completion(str(body["seed"])))

    prompts = [Prompt("bad" if number == 5 else "good") for number in range(12)]
    with scripted_server(answer) as url, pytest.raises(ServerError, match=r"the server at http"):
        drawn(url, prompts=prompts, num_draws=2)


def test_a_server_that_does_not_answer_in_time_is_said():
    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, completion()

    with scripted_server(answer) as url, pytest.raises(ServerError, match=r"within 0.1 s.*timeout_s"):
        drawn(url, timeout_s=0.1, retries=1)


def test_how_a_text_ended():
    """Stop strings that a server leaves in are cut, and end the text even at its last token."""
    cases = {
        "length": (completion("12", finish="length"), Solution("12", 3, True)),
        "stop": (completion("12"), Solution("12", 3, False)),
        "stop left in": (completion("12\nQ: x", finish="length"), Solution("12", 3, False)),
        "filter": (completion("par", finish="content_filter"), Solution("", 3, True)),
        "end of TGI": (completion("12", finish="eos_token"), Solution("12", 3, False)),
        "empty": (completion("", tokens=1), Solution("", 1, False)),
    }
    for name, (reply, wanted) in cases.items():
        with scripted_server(always(reply)) as url:
            ((found,),), sampler = drawn(url, options={"stop": ["\nQ:"]})
        assert found == wanted, name
        assert sampler.usage.num_filtered == (name == "filter")


def test_a_chat_goes_to_its_own_interface_and_a_refusal_is_a_draw_without_text():
    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        assert path == "/v1/chat/completions"
        assert body["messages"] == list(TURNS.messages)
        assert body["max_completion_tokens"] == 8
        return 200, chat(None, refusal="No 7.")

    with scripted_server(answer) as url:
        ((found,),), sampler = drawn(url, prompts=[TURNS], kind=ServerKind.openai)
    assert found == Solution("", 3, False)
    assert sampler.usage.num_refusals == 1


def test_a_model_that_only_thought_has_said_nothing():
    reply = chat(None, finish="length")
    with scripted_server(always(reply)) as url, pytest.raises(ServerError, match="without a text"):
        drawn(url, prompts=[TURNS], retries=0)
    reply["choices"][0]["message"]["reasoning_content"] = "Let me see 7"
    with scripted_server(always(reply)) as url:
        assert drawn(url, prompts=[TURNS])[0] == [[Solution("", 3, True)]]


@pytest.mark.parametrize(
    ("kind", "there", "absent"),
    [
        (ServerKind.plain, {"top_p": 1.0}, ("top_k", "generation_config")),
        (ServerKind.vllm, {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}, ("generation_config",)),
        (ServerKind.tgi, {}, ("top_p", "top_k")),
        (ServerKind.transformers, {"top_p": 1.0}, ("top_k",)),
    ],
)
def test_what_a_server_would_add_by_itself_is_undone(kind: ServerKind, there: dict[str, Any], absent: tuple[str, ...]):
    seen: list[dict[str, Any]] = []
    with scripted_server(lambda path, body: (seen.append(body), (200, completion()))[1]) as url:
        drawn(url, kind=kind, seeds=False)
    (body,) = seen
    assert there.items() <= body.items()
    assert not set(absent) & set(body)
    assert "seed" not in body
    assert ("generation_config" in body) == (kind is ServerKind.transformers)


def test_draws_that_are_all_equal_are_no_sample():
    """63 further draws that repeat may be chance, 64 are none: whether of 64 prompts or of 8."""
    prompts = [Prompt(str(number)) for number in range(64)]
    with scripted_server(lambda path, body: (200, completion(body["prompt"]))) as url:
        for asked, num_draws in ((prompts, 2), (prompts[:8], 9)):
            with pytest.raises(RuntimeError, match="decodes greedily"):
                drawn(url, prompts=asked, num_draws=num_draws)
        drawn(url, prompts=prompts[:63], num_draws=2)
        drawn(url, prompts=prompts[:8], num_draws=8)
        drawn(url, prompts=prompts, num_draws=1)
        drawn(url, prompts=prompts, num_draws=1, options={"temperature": 0.0})
    first = {"left": 1}

    def once(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        first["left"] -= 1
        return 200, completion(body["prompt"] + "x" * (first["left"] == 0))

    with scripted_server(once) as url:
        drawn(url, prompts=prompts, num_draws=2)


# the report: what is asked before anything expensive


def listing(**entry: Any) -> Callable[..., tuple[int, Any]]:
    models = {"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x", **entry}]}
    return lambda path, body: (200, models if path == "/v1/models" else completion())


def test_the_report_is_what_the_server_says():
    with scripted_server(listing(root="/weights/m", max_model_len=4096)) as url:
        assert report(Endpoint(url, "m"), chat=False) == Report("m", "/weights/m", 4096, "x")


def test_a_server_that_is_not_there_is_said_with_its_address():
    with scripted_server(always(completion())) as url:
        pass
    with pytest.raises(ValueError, match=rf"the server at {url} is not reached .*start it, or mend base_url"):
        report(Endpoint(url, "m"), chat=False)


def test_a_list_of_models_that_does_not_come_is_said_with_the_time_that_it_had(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(openai_client, "LIST_TIMEOUT_S", 0.2)

    def late(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        time.sleep(1.0)
        return 200, completion()

    with scripted_server(late) as url, pytest.raises(ValueError, match=r"did not answer within 0.2 s"):
        report(Endpoint(url, "m"), chat=False)


def test_a_server_whose_kind_is_another_is_told():
    with scripted_server(listing(owned_by="vllm")) as url:
        with pytest.raises(ValueError, match="set kind=vllm"):
            report(Endpoint(url, "m"), chat=False)
        assert report(Endpoint(url, "m", ServerKind.vllm), chat=False).owner == "vllm"


def test_the_key_is_sent_and_never_told(monkeypatch: pytest.MonkeyPatch):
    """A server that repeats the key in its message does not bring it into ours."""
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    monkeypatch.setenv("TEACHER_KEY", KEY)
    seen: list[str | None] = []

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        lower = {name.lower(): value for name, value in body["headers"].items()}
        seen.append(lower.get("authorization"))
        return 401, {"error": {"message": f"Incorrect API key provided: {lower['authorization']}"}}

    with scripted_server(answer) as url:
        endpoint = Endpoint(url, "m", api_key_env="TEACHER_KEY", retries=0)
        for ask in (lambda: report(endpoint, chat=False), lambda: drawn(url, api_key_env="TEACHER_KEY", retries=0)):
            with pytest.raises((ValueError, ServerError), match="refuses the key in TEACHER_KEY") as caught:
                ask()
            assert KEY not in str(caught.value)
            assert "***" in str(caught.value)
        with pytest.raises(ServerError, match="without a key"):
            drawn(url, retries=0)
    assert seen == [f"Bearer {KEY}"] * 2 + ["Bearer none"], "the key of another server must not go out"
    assert KEY not in repr(endpoint)
    monkeypatch.delenv("TEACHER_KEY")
    with pytest.raises(ValueError, match="TEACHER_KEY of api_key_env is not set"):
        report(endpoint, chat=False)
