"""The model of a finished cell as a folder that transformers, vLLM and a hub take as it is.

    write_model(cell, out)           # config, safetensors, tokenizer with the training prompt as chat template,
                                     # generation config: greedy, the study's length, end tokens and stop strings
    write_adapter(cell, out)         # where it was trained with LoRA: the adapter alone, as peft keeps it

`AutoModelForCausalLM.from_pretrained(out)` and `tokenizer.apply_chat_template(messages, add_generation_prompt=True)` then ask
the model as the study did: the token ids of every test prompt are compared when a folder is written.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rft.export.cell import FinishedCell
from rft.infra.hub import HUB_PREFIX
from rft.stages.generation import Generation
from rft.stages.weights import MODEL_FACTS_FILE
from rft.text.chat_templates import chat_template
from rft.text.prompts import OWN, asked_by
from rft.text.templates import QUESTION, Template

if TYPE_CHECKING:
    from rft.core.tokenization import Tokenizer

GENERATION_FILE = "generation_config.json"
ASKED_IN_CHECK = 32  # test prompts whose token ids are compared


def generation_of(cell: FinishedCell) -> Generation:
    """How the cell's model was asked on its test set."""
    row: dict[str, Any] = cell.greedy.identity["generation"]
    plain = {name: value for name, value in row.items() if name not in ("shots", "stop", "plugins", "own_template")}
    return Generation(**plain, stop=tuple(row["stop"]), own_template=_own_template(row))


def template_of(identity: Mapping[str, Any]) -> Template:
    """How the questions of a stage are asked, from what the store keeps of it."""
    return asked_by(identity["prompt"], _own_template(identity))


def _own_template(identity: Mapping[str, Any]) -> Template | None:
    own = identity.get("own_template")
    return None if own is None else Template(**{"name": OWN, **own, "stop": tuple(own.get("stop", ()))})


def write_model(cell: FinishedCell, out: Path) -> bool:
    """Write the folder; returns whether its generation config holds the stop strings.

    Raises ValueError for a cell that shows worked examples or drafts, which no chat template could say.
    """
    from rft.core.checkpoints import model_files

    how = generation_of(cell)
    if "shots" in cell.greedy.identity["generation"] or cell.greedy.identity.get("drafts"):
        raise ValueError(
            f"{cell.record.cell_id} asks with worked examples or drafts, which no chat template can hold: export its data "
            "alone (--data-only)"
        )
    template = how.template
    if template.chat and (template.system or template.prefix or template.lead or template.before != QUESTION):
        raise ValueError(
            f"{cell.record.cell_id} says more in a chat than the question (system text, prefix, words around it), which the "
            "model's own chat template cannot hold: export its data alone (--data-only)"
        )
    out.mkdir(parents=True)
    source = cell.weights.folder
    for file in model_files(source):
        if file.name not in (MODEL_FACTS_FILE, GENERATION_FILE, "manifest.json"):
            (out / file.relative_to(source)).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, out / file.relative_to(source))
    tokenizer = _tokenizer(source, how)
    tokenizer.save_pretrained(str(out))
    has_stops = looks_for_stops(tokenizer, how.stop_strings)
    _write_generation(source, out, how=how, tokenizer=tokenizer, stops=how.stop_strings if has_stops else [])
    _check_prompts(cell, out, how=how)
    return has_stops


def _tokenizer(source: Path, how: Generation) -> Tokenizer:
    from transformers import AutoConfig

    from rft.core.tokenization import begins_with_bos, load_tokenizer, pinned_chat_template

    tokenizer = load_tokenizer(source)
    rows = AutoConfig.from_pretrained(str(source), local_files_only=True).get_text_config().vocab_size
    if tokenizer.pad_token_id >= rows:  # transformers adds one to some families' tokenizers: no model could read it
        tokenizer.pad_token = tokenizer.eos_token
    template = how.template
    if template.chat:
        tokenizer.chat_template = pinned_chat_template(tokenizer)
    else:
        tokenizer.chat_template = chat_template(template, begins_with_bos=begins_with_bos(tokenizer))
    return tokenizer


def _write_generation(source: Path, out: Path, *, how: Generation, tokenizer: Tokenizer, stops: Sequence[str]) -> None:
    from transformers import GenerationConfig

    from rft.core.sampling.base import end_ids

    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=how.max_new_tokens,
        eos_token_id=end_ids(source, tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        stop_strings=list(stops) or None,
    )
    config.save_pretrained(str(out))


def looks_for_stops(tokenizer: Tokenizer, stops: Sequence[str]) -> bool:
    """Whether transformers can look for stop strings with this tokenizer.

    It takes every token's text from behind a made-up word, which a closed vocabulary such as the world's cannot write.
    """
    from transformers.generation.stopping_criteria import StopStringCriteria

    try:
        StopStringCriteria(tokenizer, list(stops))
    except ValueError:
        return False
    return True


def _check_prompts(cell: FinishedCell, out: Path, *, how: Generation) -> None:
    """The exported tokenizer cuts test prompts as the study's did."""
    from rft.core.tokenization import encode_prompts, load_tokenizer
    from rft.stages.generation import make_prompts

    problems = cell.test_problems()[:ASKED_IN_CHECK]
    ours = load_tokenizer(cell.weights.folder)
    wanted = encode_prompts(ours, make_prompts(how, problems, shots=[], tokenizer=ours))
    exported = load_tokenizer(out)
    for problem, ids in zip(problems, wanted, strict=True):
        got = asked(exported, problem.question)
        assert list(ids) == got, f"the chat template gives {got} for {problem.id}, the study asked {ids}"


def asked(tokenizer: Tokenizer, question: str) -> list[int]:
    """The token ids of a question, as any user of the folder gets them."""
    messages = [{"role": "user", "content": question}]
    found = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=True, return_dict=True)
    return list(found["input_ids"])


def write_adapter(cell: FinishedCell, out: Path) -> str:
    """Write the adapter; returns the base that it belongs to. Raises ValueError for a model trained without LoRA."""
    lora = (cell.weights.identity.get("recipe") or {}).get("lora")
    if lora is None:
        raise ValueError(f"{cell.record.cell_id} was trained without adapters: leave --adapter out")
    from rft.core.adapters import split_adapter

    name = base_name(cell)
    split_adapter(
        cell.base.folder, cell.weights.folder, rank=lora["rank"], alpha=lora["alpha"], out=out, base_name=name
    )
    return name


def base_name(cell: FinishedCell) -> str:
    """Where others find the base: its id on the hub, else its name here."""
    content = str(cell.base.identity.get("content", ""))
    return content.removeprefix(HUB_PREFIX) if content.startswith(HUB_PREFIX) else str(cell.record.model["name"])
