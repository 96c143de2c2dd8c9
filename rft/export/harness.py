"""A task for lm-evaluation-harness that asks the exported model what the record asked it, and grades as the record did.

    name = write_task(cell, out / "lm_eval", model=out / "model")
    # lm_eval --model hf --model_args pretrained=out/lm_eval/model,dtype=float32 --tasks NAME --include_path out/lm_eval

`NAME.yaml` has the length and stop strings of the study, `test.jsonl` the prompts to the letter with the gold answers, and
`task.py` reads it and grades by `rft.text.answers`, which needs nothing but the standard library (`pip install --no-deps`).
The model is a folder of links with a generation config of its own: the harness looks for stop strings by itself, and where
a generation config has some, transformers asks for a tokenizer that the harness does not give.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from rft.export.cell import FinishedCell
from rft.export.checkpoint import GENERATION_FILE, generation_of
from rft.records import write_jsonl
from rft.stages.generation import Generation, make_prompts

TEST_FILE, CODE_FILE, MODEL = "test.jsonl", "task.py", "model"
SCORE = "maj1@1"

_CODE = '''"""Rows and grading of a task for lm-evaluation-harness, written by `rft export --lm-eval`."""

import functools
import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
RULE, MAX_TOKENS = {rule!r}, {max_tokens}


def rows(**_):
    from datasets import Dataset

    return {{"test": Dataset.from_list([json.loads(line) for line in (HERE / {test!r}).open(encoding="utf-8")])}}


@functools.lru_cache(maxsize=1)
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(HERE / {model!r})


def process_results(doc, results):
    """A text that was cut inside what may be a longer answer has none, as in the record; all else is graded by its answer."""
    from rft.text.answers import grade

    text = results[0]
    truncated = len(tokenizer()(text, add_special_tokens=False)["input_ids"]) >= MAX_TOKENS
    return {{{score!r}: float(grade(RULE, text.strip(), doc["gold"], truncated).value == "correct")}}
'''


def write_task(cell: FinishedCell, out: Path, *, model: Path) -> str:
    """Write the folder beside the exported model; returns the task's name.

    Raises ValueError where the harness would cut the prompts into other tokens than the study did.
    """
    out.mkdir()
    how = generation_of(cell)
    name = "rft_" + re.sub(r"[^0-9A-Za-z]+", "_", cell.record.cell_id)
    _link_model(model, out / MODEL)
    prompts = _prompts(cell, model, how)
    pairs = zip(cell.test_problems(), prompts, strict=True)
    write_jsonl(out / TEST_FILE, ({"id": one.id, "prompt": text, "gold": one.gold} for one, text in pairs))
    rule = str(cell.greedy.identity["rule"])
    given = {"rule": rule, "max_tokens": how.max_new_tokens, "test": TEST_FILE, "model": MODEL, "score": SCORE}
    (out / CODE_FILE).write_text(_CODE.format(**given), encoding="utf-8")
    (out / f"{name}.yaml").write_text(_task(name, how), encoding="utf-8")
    return name


def _task(name: str, how: Generation) -> str:
    """The YAML, which quotes texts as JSON does."""
    lines = [
        f"task: {name}",
        "custom_dataset: !function task.rows",
        "test_split: test",
        "output_type: generate_until",
        'doc_to_text: "{{prompt}}"',
        'doc_to_target: "{{gold}}"',
        "process_results: !function task.process_results",
        "num_fewshot: 0",
        "repeats: 1",
        "generation_kwargs:",
        f"  until: {json.dumps(how.stop_strings)}",
        f"  max_gen_toks: {how.max_new_tokens}",
        "  do_sample: false",
        "metric_list:",
        f"  - metric: {json.dumps(SCORE)}",
        "    aggregation: mean",
        "    higher_is_better: true",
        "metadata:",
        "  version: 1.0",
    ]
    return "\n".join(lines) + "\n"


def _link_model(model: Path, out: Path) -> None:
    """The exported folder again, but for stop strings and length, which the harness brings."""
    out.mkdir()
    for file in sorted(model.rglob("*")):
        place = out / file.relative_to(model)
        if file.is_dir():
            place.mkdir()
        elif file.name != GENERATION_FILE:
            up = "../" * (2 + len(file.relative_to(model).parts) - 1)
            place.symlink_to(f"{up}{model.name}/{file.relative_to(model)}")
    said = json.loads((model / GENERATION_FILE).read_text(encoding="utf-8"))
    kept = {key: value for key, value in said.items() if key not in ("stop_strings", "max_new_tokens")}
    (out / GENERATION_FILE).write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _prompts(cell: FinishedCell, model: Path, how: Generation) -> list[str]:
    """The prompt of every test problem, as text that a plain call of the exported tokenizer cuts as the study did."""
    from rft.core.tokenization import encode_prompts, load_tokenizer

    ours, exported = load_tokenizer(cell.weights.folder), load_tokenizer(model)
    prompts = make_prompts(how, cell.test_problems(), shots=[], tokenizer=ours)
    for prompt, wanted in zip(prompts, encode_prompts(ours, prompts), strict=True):
        # the harness adds what the tokenizer adds, unless the text begins with that token already
        begins = bool(exported.bos_token) and prompt.text.startswith(exported.bos_token)
        got = exported(prompt.text, add_special_tokens=not begins)["input_ids"]
        if list(got) != list(wanted):
            raise ValueError(
                f"lm-evaluation-harness would cut the prompts of {cell.record.cell_id} into other tokens than the study "
                f"({got[:8]}... for {wanted[:8]}...): leave --lm-eval out"
            )
    return [prompt.text for prompt in prompts]
