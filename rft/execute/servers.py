"""Servers that a study is about to ask: reached, willing, and the model that drew before, before anything expensive runs.

    check_servers(stages, store=store)      # ValueError: servers.teacher: the server at http://... is not reached (...)

Asks each server for its list of models and for one token, in the way in which all will be asked for. A server whose shards
are all there is not asked, so that a finished study needs none; a dry run asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rft.core.sampling.openai_client import Report, report
from rft.infra.stage_store import StageStore
from rft.stages.served import ServedShard, mixed
from rft.stages.stage import Stage, in_order


def check_servers(targets: Iterable[Stage[Any]], *, store: StageStore) -> dict[str, Report]:
    """What every server with shards to draw says of itself, by donor. Raises ValueError naming the server."""
    shards = [stage for stage in in_order(targets) if isinstance(stage, ServedShard)]
    found: dict[str, Report] = {}
    for first in {shard.served: shard for shard in shards if not store.has(shard.kind, shard.key)}.values():
        donor = first.served.donor
        try:
            found[donor] = report(first.endpoint, chat=first.served.template.chat)
        except ValueError as error:
            raise ValueError(f"servers.{donor}: {error}") from None
        for shard in (one for one in shards if one.served == first.served):
            entry = store.get(shard.kind, shard.key)
            before = shard.read(entry.path).facts().report if entry is not None else found[donor]
            if before != found[donor]:
                raise ValueError(f"servers.{donor}: {mixed(donor, [before, found[donor]])}")
    return found
