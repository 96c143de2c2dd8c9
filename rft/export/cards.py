"""Cards of an export: a README for the model and one for the data, filled from the record alone.

    text = model_card(cell, has_stops=True)     # YAML head that hubs read, then the recipe, the score and how to ask
    # its head says which file is which configuration
    text = data_card(cell, rows, template=template, forms=("train", "messages"), pools={})

Numbers come from the record; what it does not hold (a licence, where human texts are from) the card says it does not know.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rft.export.cell import FinishedCell
from rft.export.checkpoint import base_name, generation_of
from rft.export.examples import DEFAULT, TrainingRow
from rft.infra.hub import HUB_PREFIX
from rft.records import Score
from rft.text.templates import Template

# Identifiers of the hub (huggingface.co/docs/hub/repositories-licenses) that are names of the licence and nothing else
HUB_LICENCES = (
    "apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "gpl-3.0",
    "lgpl-3.0", "agpl-3.0", "mpl-2.0", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "gemma",
)  # fmt: skip
UNKNOWN = "not on the record"
ON_DATA = (  # facts of the record that the data card repeats
    "num_human", "num_augmented", "num_samples", "correct_per_question", "distinct_per_question", "drop_counts",
    "imported_pools", "served_pools", "dataset", "num_too_long", "num_truncated",
)  # fmt: skip


def model_card(cell: FinishedCell, *, has_stops: bool) -> str:
    """README.md of the model's folder; `has_stops`: the generation config holds the stop strings."""
    record, how = cell.record, generation_of(cell)
    on_hub = str(cell.base.identity.get("content", "")).startswith(HUB_PREFIX)
    head = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["math", record.setting["method"]],
    }
    head |= {"base_model": base_name(cell)} if on_hub else {}
    head |= licence_head(record.model.get("licence"))
    data = record.data
    facts = {
        "cell": f"`{record.cell_id}` of study `{record.study}`",
        "base": f"{base_name(cell)} (licence: {record.model.get('licence') or UNKNOWN})",
        "method": record.names.get("method", record.setting["method"]),
        "data": record.names["data"],
        "human examples": data.get("num_human"),
        "added examples": data.get("num_augmented"),
        "optimiser steps": data.get("num_optimizer_steps"),
        "seeds": ", ".join(f"{name} {value}" for name, value in sorted(record.seeds.items())),
        "commit": record.provenance.get("commit"),
    }
    stops = ", ".join(f"`{json.dumps(stop)}`" for stop in how.stop_strings) or "none"
    return "\n".join(
        [
            _yaml(head),
            f"# {record.cell_id}",
            "",
            *_table(("", ""), [(name, value) for name, value in facts.items() if value not in (None, "")]),
            "",
            "## Scores",
            "",
            *_table(("score", "value", "items"), [(n, _percent(s), s.n) for n, s in record.scores.items()]),
            "",
            f"On {data['eval_subset']}, grading rule `{cell.greedy.identity['rule']}`; ± is one standard error over items,",
            "training seeds not counted. The model is the result of one training run of a study: nothing else was checked.",
            "",
            "## How to ask it",
            "",
            f"The chat template is the prompt of training (`{how.prompt}`): the question as the user's message, no system",
            "message. The score above is greedy decoding of at most "
            f"{how.max_new_tokens} tokens, ended by the end-of-sequence token or a stop string: {stops}.",
            "",
            "    ids = tokenizer.apply_chat_template([{'role': 'user', 'content': question}], add_generation_prompt=True,",
            "                                        return_tensors='pt', return_dict=True)",
            "    model.generate(**ids, tokenizer=tokenizer)",
            "",
            *_on_stops(has_stops),
            "",
            "## Configuration",
            "",
            *_table(
                ("key", "value"), [(f"`{key}`", f"`{json.dumps(value)}`") for key, value in _sorted(record.setting)]
            ),
            "",
        ]
    )


def licence_head(licence: str | None) -> dict[str, str]:
    """As hubs take it: an identifier of theirs, or `other` with a name; any other word makes them refuse the whole folder.

    >>> licence_head("Apache-2.0"), licence_head("Llama 2 Community License (gated)")
    ({'license': 'apache-2.0'}, {'license': 'other', 'license_name': 'llama-2-community-license-gated'})
    """
    if not licence:
        return {}
    name = re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-.")
    return {"license": name} if name in HUB_LICENCES else {"license": "other", "license_name": name or "unnamed"}


def data_card(
    cell: FinishedCell,
    rows: Sequence[TrainingRow],
    *,
    template: Template,
    forms: Sequence[str],
    pools: dict[str, int],
) -> str:
    """README.md of the data's folder; `pools` are further files by name, with their numbers of rows."""
    files = [*((form, f"{form}.jsonl") for form in forms), *((name.removesuffix(".jsonl"), name) for name in pools)]
    configs: list[dict[str, Any]] = [
        {"config_name": name, "data_files": [{"split": "train", "path": path}]} for name, path in files
    ]
    for config in configs:
        if config["config_name"] == DEFAULT:
            config["default"] = True
    record = cell.record
    sources = Counter((row.source, row.donor or "") for row in rows)
    return "\n".join(
        [
            _yaml({"configs": configs, "task_categories": ["text-generation"], "tags": ["math"]}),
            f"# Training set of {record.cell_id}",
            "",
            f"What the model of study `{record.study}` was trained on, in order: {len(rows)} examples from the training part",
            f"of `{record.names['data']}`. The licence and origin of the human texts are {UNKNOWN}: they are those of that",
            "data set, and sampled solutions may also fall under the licences of the models that wrote them.",
            "",
            *_table(("source", "donor", "examples"), [(*key, count) for key, count in sorted(sources.items())]),
            "",
            "A row of `train` has the question, its solution, the answer read from it under the rule "
            f"`{cell.greedy.identity['rule']}`, where",
            "it is from (for a kept sample the donor and the number of its draw), its equations, and as `score` the mean",
            "log-probability under the donor in nats a token, where the cell ranked its paths (else null). The other files",
            "hold the same rows in the forms of trainers; " + _on_prompts(template) + " The",
            "end-of-sequence token is left to the trainer. "
            + _on_cuts(record.data.get("num_truncated"))
            + "A pool holds all draws of a donor, right and wrong.",
            "",
            *_pools(pools, is_trained_on=cell.is_made_of_pools),
            *_table(
                ("what the record says", ""), [(f"`{k}`", f"`{json.dumps(v)}`") for k, v in _selection(record.data)]
            ),
            "",
        ]
    )


def _on_prompts(template: Template) -> str:
    if not template.chat:
        return "`prompt` is the prompt of training to the letter."
    text = "`prompt` and `messages` have the turns of training, which the chat template of the base's tokenizer frames."
    if not template.prefix:
        return text
    return f"{text} Responses begin with `{json.dumps(template.prefix)}`, which training gave to the model and did not teach."


def _on_cuts(num_truncated: int | None) -> str:
    if not num_truncated:
        return ""
    return f"Solutions are whole: {num_truncated} of them were cut at the limit of tokens in training, without an end. "


def _on_stops(has_stops: bool) -> list[str]:
    first = "The generation config has the stop strings, for which `generate` needs the tokenizer."
    if not has_stops:
        first = (
            "transformers cannot look for stop strings with this closed vocabulary: cut the text at them afterwards."
        )
    return [first, "vLLM reads none from the generation config: give them as `stop` of its sampling parameters."]


def _pools(pools: dict[str, int], *, is_trained_on: bool) -> list[str]:
    if not pools:
        return []
    note = [] if is_trained_on else ["The model was trained on no path of these pools.", ""]
    return [*_table(("pool", "draws"), list(pools.items())), "", *note]


def _selection(data: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, data[name]) for name in ON_DATA if data.get(name) is not None]


def _percent(score: Score) -> str:
    return f"{100 * score.value:.2f} ± {100 * score.se:.2f} %"


def _sorted(setting: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(setting.items())


def _table(head: tuple[str, ...], rows: Sequence[tuple[Any, ...]]) -> list[str]:
    cells = [[str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in (head, *rows)]
    lines = [f"| {' | '.join(row)} |" for row in cells]
    return [lines[0], "|" + " --- |" * len(head), *lines[1:]]


def _yaml(head: dict[str, Any]) -> str:
    """The head that hubs read: YAML, of which JSON is a part."""
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in head.items()), "---", ""])
