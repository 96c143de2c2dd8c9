"""Servers with OpenAI's interface on loopback: a real one (`transformers serve`), and one that says what a test tells it to.

with transformers_server(folder) as url: ...            # needs the extra `openai`, fastapi and uvicorn
with scripted_server(answer) as url: ...                # answer(path, body) -> (status, JSON value)
"""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from loopback import Asked, json_server

from rft.config import ServerKind
from rft.core.sampling.openai_client import Endpoint

Answer = Callable[[str, dict[str, Any]], tuple[int, Any]]
WAIT_S = 60.0


@contextmanager
def scripted_server(answer: Answer) -> Iterator[str]:
    """The body of a GET is empty; `headers` of a request stand in it under that name."""

    def answered(asked: Asked) -> tuple[int, Any]:
        return answer(asked.path, {**(json.loads(asked.body) if asked.body else {}), "headers": asked.headers})

    with json_server(answered) as url:
        yield f"{url}/v1"


def completion(
    text: str | None = "r 1", *, finish: Any = "stop", model: str = "m", tokens: int = 3, **more: Any
) -> Any:
    """A reply of /v1/completions."""
    choice = {"index": 0, "text": text, "finish_reason": finish, "logprobs": None}
    usage = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}
    plain = {"id": "1", "object": "text_completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
    return plain | more


def chat(text: str | None = "r 1", *, finish: Any = "stop", refusal: str | None = None, **more: Any) -> Any:
    """A reply of /v1/chat/completions."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    choices = [{"index": 0, "message": message, "finish_reason": finish}]
    return completion() | {"object": "chat.completion", "choices": choices} | more


@contextmanager
def transformers_server(folder: Path) -> Iterator[str]:
    """In this process: what it imports is there already, and it is ready in about a second."""
    from transformers.cli.serve import Serve

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    server = Serve(str(folder), device="cpu", dtype="float32", host="127.0.0.1", port=port, non_blocking=True)
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.kill_server()


def wait_for(url: str, *, until_s: float = WAIT_S) -> None:
    """Until the address answers."""
    until = time.monotonic() + until_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as found:
                found.read()
            return
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def served_by_transformers(url: str, folder: Path, **changes: Any) -> Endpoint:
    """One request at a time, since its seeds are those of the process."""
    given: dict[str, Any] = {"kind": ServerKind.transformers, "concurrency": 1} | changes
    return Endpoint(url, str(folder), **given)
