"""What planning makes of a server's settings: its address in one spelling, where requests go, and what cannot work.

>>> address("HTTP://LocalHost:8000/v1/")
'http://localhost:8000/v1'
>>> address("http://me:secret@localhost/v1")
Traceback (most recent call last):
ValueError: base_url holds a user, a query or a fragment: give http(s)://host:port/path alone; a key comes from ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from rft.config import Allocate, ServerConfig, StudyConfig
from rft.core.sampling.openai_client import Endpoint
from rft.text.choosing import POLICY
from rft.text.prompts import asked_by

VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")  # capitals alone: most keys are none
LONGEST_VARIABLE = 64
OPENAI = "openai"  # the engine of servers, which serves donors alone


def address(base_url: str) -> str:
    """One spelling of a server's address. Raises ValueError for what is none, and for what may hold a secret, unrepeated."""
    parts = urlsplit(base_url)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "base_url holds a user, a query or a fragment: give http(s)://host:port/path alone; a key comes from the "
            "environment variable that api_key_env names"
        )
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError(f"base_url={base_url} is no address: give http(s)://host:port/v1")
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme.lower()}://{parts.hostname}{port}{parts.path.rstrip('/')}"


def endpoint_of(server: ServerConfig) -> Endpoint:
    """Where and how a server is asked."""
    return Endpoint(
        base_url=address(server.base_url),
        model=server.model,
        kind=server.kind,
        seeds=server.seeds,
        api_key_env=server.api_key_env,
        concurrency=server.concurrency,
        timeout_s=server.timeout_s,
        retries=server.retries,
        price_prompt=server.price_prompt,
        price_completion=server.price_completion,
        num_params=server.num_params,
    )


def server_problems(cfg: StudyConfig) -> Iterator[str]:
    """A message for each setting of a server, or of donors without SFT, that cannot work."""
    if cfg.sampling.engine == OPENAI:
        yield (
            "sampling.engine=openai: a server cannot have what is fine-tuned here, it serves donors: name it in the union, "
            "union=[NAME] +servers.NAME.base_url=URL +servers.NAME.model=ID"
        )
    for name, server in cfg.servers.items():
        yield from (f"servers.{name}: {problem}" for problem in _problems(name, server, cfg))
    if not cfg.donor.num_shots:
        return
    if cfg.donor.sft and not cfg.servers:
        yield (
            f"donor.num_shots={cfg.donor.num_shots}: fine-tuned donors are asked without worked examples; set "
            "donor.sft=false, or name a server in the union"
        )
    if cfg.select.choose != POLICY:
        yield f"donor.num_shots={cfg.donor.num_shots} needs select.choose=policy, not {cfg.select.choose}"
    if cfg.sampling.allocate is not Allocate.uniform:
        yield f"donor.num_shots={cfg.donor.num_shots} needs sampling.allocate=uniform, not {cfg.sampling.allocate.value}"


def _problems(name: str, server: ServerConfig, cfg: StudyConfig) -> Iterator[str]:
    try:
        address(server.base_url)
    except ValueError as error:
        yield str(error)
    if name not in cfg.union:
        yield f"it is in no union: name it, as in union=[{name}], or leave it out"
    if name == cfg.model.name or name in cfg.pools or re.fullmatch(r"[\w+-]+", name) is None:
        yield (
            "its name is the donor's name of its draws: letters, digits, '_', '-' and '+', and neither the cell's model "
            "nor a pool"
        )
    variable = server.api_key_env
    if variable is not None and (VARIABLE.fullmatch(variable) is None or len(variable) > LONGEST_VARIABLE):
        yield "api_key_env is the NAME of an environment variable, never a key (what was given is not repeated here)"
    if cfg.select.choose != POLICY:
        yield f"select.choose={cfg.select.choose} ranks paths by a model that is here: leave it at policy"
    if cfg.sampling.allocate is not Allocate.uniform:
        yield f"it draws as many to each question: leave sampling.allocate at uniform, not {cfg.sampling.allocate.value}"
    prompt = server.prompt or cfg.data.prompt
    template = asked_by(prompt, cfg.prompts.get(prompt))
    if template.chat and template.prefix:
        yield f"prompt {prompt} begins the answer for the model (prefix), which a server's chat interface cannot"
