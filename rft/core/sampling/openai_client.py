"""A server with OpenAI's interface: where it is, what it says of itself, and its faults in words that say what to do.

    endpoint = Endpoint("http://localhost:8000/v1", "Qwen/Qwen2.5-7B", ServerKind.vllm)
    report(endpoint, chat=False)        # Report(model="Qwen/Qwen2.5-7B", root="/models/qwen", context=32768)

Built on the package `openai`, which repeats a request after a lost connection, a time-out and the states 408, 409, 429 and
5xx, with pauses that double from half a second to eight (a `Retry-After` of at most two minutes is obeyed). A key is read
from the environment when a client is opened, is sent to this address alone, and is cut out of every message.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from rft.config import ServerKind

if TYPE_CHECKING:
    from openai import OpenAI

NO_KEY = "none"  # the client wants one even where the server does not
PROBE = "1 + 1 ="
LIST_TIMEOUT_S = 60.0  # of the list of models: a server that is busy loading one may take its time
# What a server's own defaults (a model's generation_config.json) would add to temperature and top_p, undone
NEUTRAL: dict[ServerKind, dict[str, Any]] = {
    ServerKind.vllm: {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    ServerKind.sglang: {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    ServerKind.transformers: {  # without it every draw is the greedy one, whatever the temperature
        "generation_config": '{"do_sample": true, "top_k": 0, "repetition_penalty": 1.0}'
    },
}


class ServerError(RuntimeError):
    """A request failed for good."""


@dataclass(frozen=True)
class Endpoint:
    """Where a server is and how it is asked."""

    base_url: str
    model: str  # the name under which the server knows it
    kind: ServerKind = ServerKind.plain
    seeds: bool = True
    api_key_env: str | None = None
    concurrency: int = 8
    timeout_s: float = 600.0
    retries: int = 6
    price_prompt: float = 0.0  # of a million tokens
    price_completion: float = 0.0
    num_params: int | None = None

    def open(self, **changes: Any) -> OpenAI:
        """A client. Raises ValueError where the package or the key is missing."""
        if find_spec("openai") is None:
            raise ValueError(
                "a server as donor needs the package openai, which is not installed: pip install '.[openai]'"
            )
        from openai import OpenAI

        for name in ("httpx", "httpx2", "openai"):  # a line for each request would drown a study's log
            logging.getLogger(name).setLevel(logging.WARNING)
        client = OpenAI(
            base_url=self.base_url, api_key=self.key or NO_KEY, timeout=self.timeout_s, max_retries=self.retries
        )
        return client.with_options(**changes) if changes else client

    @property
    def key(self) -> str | None:
        """The key, from the environment. Raises ValueError where the named variable is not set."""
        if self.api_key_env is None:
            return None
        found = os.environ.get(self.api_key_env)
        if not found:
            raise ValueError(
                f"the environment variable {self.api_key_env} of api_key_env is not set: export the key there"
            )
        return found

    def request(self, *, temperature: float, top_p: float, max_new_tokens: int, chat: bool) -> dict[str, Any]:
        """What every request of a call has, but prompt, seed and stop strings."""
        length = "max_completion_tokens" if chat and self.kind is ServerKind.openai else "max_tokens"
        asked: dict[str, Any] = {"model": self.model, "temperature": temperature, length: max_new_tokens}
        if not (self.kind is ServerKind.tgi and top_p == 1):
            asked["top_p"] = top_p
        return asked | ({"extra_body": NEUTRAL[self.kind]} if self.kind in NEUTRAL else {})


@dataclass(frozen=True)
class Report:
    """What a server says of the model that answers: shards of one pool must agree in it."""

    model: str  # of its replies
    root: str | None = None  # of its list of models: where the weights are from (vLLM, SGLang)
    context: int | None = None
    owner: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What is known."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}


@contextmanager
def told(endpoint: Endpoint, kind: type[Exception]) -> Iterator[None]:
    """Faults of the client as faults of the study, the key cut out."""
    import openai

    try:
        yield
    except openai.OpenAIError as error:
        message, key = explained(error, endpoint), endpoint.key
        raise kind(message.replace(key, "***") if key else message) from None


def report(endpoint: Endpoint, *, chat: bool) -> Report:
    """Ask the server for its models, and for one token in the way in which all will be asked for.

    Raises ValueError where it is not reached, refuses the key, does not know the model or the fields of a request.
    """
    listed = _listed(endpoint)
    owner = getattr(listed, "owned_by", None)
    if owner in [kind.value for kind in NEUTRAL] and endpoint.kind.value != owner:
        raise ValueError(
            f"{endpoint.base_url} says that it is {owner}, but servers.NAME.kind={endpoint.kind.value}: its own top_k and "
            f"penalties would be applied; set kind={owner}"
        )
    with told(endpoint, ValueError), endpoint.open(max_retries=min(2, endpoint.retries)) as client:
        asked = endpoint.request(temperature=1.0, top_p=1.0, max_new_tokens=1, chat=chat)
        asked |= {"seed": 0} if endpoint.seeds else {}
        if chat:
            answered = client.chat.completions.create(messages=[{"role": "user", "content": PROBE}], **asked).model
        else:
            answered = client.completions.create(prompt=PROBE, **asked).model
    root, context = getattr(listed, "root", None), getattr(listed, "max_model_len", None)
    return Report(str(answered), root, context, owner)


def _listed(endpoint: Endpoint) -> Any:
    """The model's entry in the list of /v1/models; None where the list lacks it or there is no list.

    Not every server has its model there (`transformers serve` lists what lies in a cache), so that this is no fault.
    """
    import openai

    hurried = dataclasses.replace(endpoint, timeout_s=min(endpoint.timeout_s, LIST_TIMEOUT_S))  # as the message says
    with told(hurried, ValueError), hurried.open(max_retries=0) as client:
        try:
            models = client.models.list().data or []
        except openai.APIStatusError as error:
            if error.status_code in (401, 403):
                raise
            return None
    return next((one for one in models if one.id == endpoint.model), None)


def explained(error: Exception, endpoint: Endpoint) -> str:
    """What happened, where, and what to do."""
    import openai

    where = f"the server at {endpoint.base_url}"
    match error:
        case openai.APITimeoutError():
            return f"{where} did not answer within {endpoint.timeout_s:g} s: raise timeout_s, or lower concurrency"
        case openai.APIConnectionError():
            cause = error.__cause__ or error
            return f"{where} is not reached ({cause}): start it, or mend base_url; finished shards are kept"
        case openai.AuthenticationError() | openai.PermissionDeniedError():
            key = (
                f"the key in {endpoint.api_key_env}"
                if endpoint.api_key_env
                else "a request without a key (api_key_env)"
            )
            return f"{where} refuses {key}: {_body(error)}"
        case openai.NotFoundError():
            return (
                f"{where} does not know the model {endpoint.model} or the path (base_url ends in /v1?): {_body(error)}"
            )
        case openai.APIStatusError() if error.status_code < 500:
            return (
                f"{where} refuses a request ({error.status_code}): {_body(error)}; kind and seeds say what it is sent"
            )
        case openai.APIStatusError():
            return f"{where} failed {error.status_code} {endpoint.retries + 1} times: {_body(error)}"
    return f"{where}: {type(error).__name__}: {error}"


def _body(error: Any) -> str:
    return " ".join(str(error.body or error.message).split())[:300]
