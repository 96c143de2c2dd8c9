"""Settings of a donor that a server runs: vLLM, SGLang, TGI, `transformers serve`, or any other with OpenAI's interface.

rft run method=rft union=[teacher] +servers.teacher.base_url=http://localhost:8000/v1 +servers.teacher.model=Qwen/Qwen2.5-7B

>>> teacher = ServerConfig(base_url="http://localhost:8000/v1", model="Qwen/Qwen2.5-7B")
>>> teacher.kind.value, teacher.api_key_env        # a key is never a setting: only the variable that holds it is named
('plain', None)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rft.config import fields
from rft.config.choices import ServerKind


@dataclass
class ServerConfig:
    """`+servers.NAME.key=value`, NAME in `union`."""

    base_url: Annotated[str, fields.place()]  # http://host:port/v1, without a key in it
    model: str  # the name under which the server knows it
    kind: ServerKind = ServerKind.plain  # which fields a request has besides the standard ones
    # What the server's weights are, in words of the user's who vouches for them (hub id and revision, say): servers with
    # equal words may stand for one another. null: its address is part of what it is, so that two servers never mix
    weights: str | None = None
    prompt: str | None = None  # template, null: data.prompt; one with chat=true asks the server's chat interface
    seeds: bool = True  # requests carry a seed each; false for servers that refuse them
    num_params: Annotated[int | None, fields.fact("[1, inf)")] = None  # for FLOPs on the record
    price_prompt: Annotated[float, fields.fact("[0, inf)", "of a million prompt tokens")] = 0.0
    price_completion: Annotated[float, fields.fact("[0, inf)", "of a million generated tokens")] = 0.0
    api_key_env: Annotated[str | None, fields.run()] = (
        None  # the environment variable that holds the key; null: none is sent
    )
    concurrency: Annotated[int, fields.run("[1, 1024]")] = 8  # requests in flight, of each worker
    timeout_s: Annotated[float, fields.run("(0, inf)")] = 600.0  # of one request
    retries: Annotated[int, fields.run("[0, 20]")] = 6  # of one request, with growing pauses
