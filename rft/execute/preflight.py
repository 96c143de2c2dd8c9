"""Checks on the real model and data before accelerators are spent: `preflight=true` runs them before a cell's other work.

    report = run_preflight(cfg, sources, model=base, train=train, test=test)     # folders of finished stages
    print(report.text())
    report.failed          # names of the checks that did not pass

One line of the text, and one entry of `preflight.json` (beside the record) under "checks":
    ok      greedy_batched   4 of 4 prompts equal one by one, 0 differ at a top-2 logit gap under 0.001
    {"name": "greedy_batched", "passed": true, "detail": "4 of 4 ...", "numbers": {"prompts": 4, "equal": 4, "ties": 0}}
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rft.config import StudyConfig
from rft.core.accumulation import accumulate
from rft.core.batching import example_steps
from rft.core.context import context_of
from rft.core.model import Model, count_parameters, load_model
from rft.core.sampling.base import Sampler
from rft.core.sampling.engines import Place, open_sampler
from rft.core.tokenization import Encoded, Prompt, Tokenizer, encode_examples, encode_prompts, load_tokenizer
from rft.execute.memory import memory_to_train
from rft.execute.stages import execute
from rft.infra.devices import available_bytes, resolve_device
from rft.infra.digest import digest
from rft.infra.stage_store import StageStore
from rft.plan.cell import CellPlan
from rft.plan.planner import Planner
from rft.plan.sharing import Memo
from rft.plan.sources import Sources, filled_in
from rft.records import Problem, read_json, write_json
from rft.stages.finetune import training_pairs
from rft.stages.generation import make_prompts
from rft.stages.problems import ProblemFile
from rft.stages.stage import in_order
from rft.text.answers import extract, grade
from rft.text.prompts import asked_by, content_of, draw_shots

PREFLIGHT_FILE = "preflight.json"
NUM_PROMPTS = 4  # decoded one by one and together
NUM_GREEDY_TOKENS = 32  # of each
TIE_NATS = 1e-3  # top-2 logit gap below which the order of float operations may decide
NUM_EXAMPLES = 8  # in the step whose loss is accumulated
NUM_SHOTS = 2  # before the question that must parse: a base model has to be shown the format
TOLERANCE = 1e-4  # relative, of loss and gradient norm in float32

log = logging.getLogger("rft")


class PreflightError(RuntimeError):
    """A check failed."""


@dataclass(frozen=True)
class Check:
    """One check and what it found."""

    name: str
    passed: bool
    detail: str
    numbers: dict[str, Any]


@dataclass(frozen=True)
class Report:
    """All checks of a model on a data set."""

    key: str  # of the model, the data and the settings that were checked
    checks: tuple[Check, ...]

    @property
    def failed(self) -> list[str]:
        """Names of the checks that did not pass."""
        return [check.name for check in self.checks if not check.passed]

    def text(self) -> str:
        """A line a check."""
        return "\n".join(f"{'ok' if c.passed else 'FAILED':<7} {c.name:<16} {c.detail}" for c in self.checks)


def preflight_cell(cfg: StudyConfig, sources: Sources, cell: CellPlan, *, store: StageStore, folder: Path) -> None:
    """Check the cell's base model and data, once; print the report and write it into the cell's folder.

    Computes (or finds) the cell's data and base stages. Raises PreflightError naming the checks that failed.
    """
    key = report_key(cfg, cell)
    path = folder / PREFLIGHT_FILE
    if path.exists() and (found := read_json(path))["key"] == key:
        report = Report(key, tuple(Check(**check) for check in found["checks"]))
    else:
        needed = [cell.read.base, *cell.read.problems]
        execute(in_order(needed), store=store, runtime=cfg.runtime)
        model, *data = (store.folder(stage.kind, stage.key) for stage in needed)
        report = run_preflight(cfg, sources, model=model, train=data[0], test=data[-1], key=key)
        log.info(f"preflight of {cfg.model.name} on {cfg.data.name}\n{report.text()}")
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {"key": key, "checks": [dataclasses.asdict(check) for check in report.checks]})
    if report.failed:
        raise PreflightError(
            f"preflight failed: {', '.join(report.failed)}; see {path}. Mend what it names, or run with preflight=false"
        )


def report_key(cfg: StudyConfig, cell: CellPlan) -> str:
    """Key of a report: it holds for the same model, data, recipe and limits on the same kind of device."""
    settings = [dataclasses.asdict(part) for part in (cfg.train, cfg.sampling, cfg.runtime)]
    plain = [{name: getattr(value, "value", value) for name, value in part.items()} for part in settings]
    name = cfg.model.prompt or cfg.data.prompt
    own = cfg.prompts.get(name)
    return digest([cell.read.base.key, [one.key for one in cell.read.problems], content_of(asked_by(name, own)), plain])


def run_preflight(cfg: StudyConfig, sources: Sources, *, model: Path, train: Path, test: Path, key: str = "") -> Report:
    """All checks. A check that raises has failed with what it raised."""
    ready = _Ready(filled_in(cfg, sources, memo=Memo()), sources, model=model, train=train, test=test)
    checks: dict[str, Callable[[], Check]] = {
        "memory": ready.memory,
        "tokenizer": ready.tokenizer_round_trip,
        "prompts_fit": ready.prompts_fit,
        "rule": ready.rule,
        "accumulation": ready.accumulation,
        "greedy_batched": ready.greedy_batched,
        "generation": ready.generation,
    }
    return Report(key, tuple(_tried(name, check) for name, check in checks.items()))


def _tried(name: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (ValueError, RuntimeError) as error:  # what a stage would otherwise raise after hours
        return Check(name, False, f"{type(error).__name__}: {error}", {})


class _Ready:
    """The model and data under check, loaded once."""

    def __init__(self, cfg: StudyConfig, sources: Sources, *, model: Path, train: Path, test: Path) -> None:
        self.cfg, self.folder = cfg, model
        self.engine = sources.engines[cfg.model.name]
        self.device = resolve_device(cfg.runtime.device)
        planner = Planner(cfg, sources)
        self.shown = planner.generation()
        self.train, self.test = ProblemFile(train).problems(), ProblemFile(test).problems()
        count = min(NUM_SHOTS, cfg.data.num_shots)
        self.shots = draw_shots(self.train, num_shots=count, seed=planner.data_seed) if count else []
        self.tokenizer: Tokenizer = load_tokenizer(model)
        self.model: Model = load_model(model, device=self.device, dtype="float32").eval()

    @functools.cached_property
    def _encoded(self) -> list[Encoded]:
        """The training examples; two checks look at them."""
        return self._examples(self.train)

    def memory(self) -> Check:
        """Fine-tuning's weights, gradients, moments and activations, against what is free now (this model is loaded)."""
        memory = memory_to_train(self.model, self._encoded, self.cfg)
        sharing = self.cfg.runtime.processes if self.device == "cpu" else 1  # each has a GPU of its own
        needed, activations = sharing * memory.total, sharing * memory.activations
        free = available_bytes(self.device)
        detail = f"fine-tuning needs about {needed / 1e9:.1f} GB, {activations / 1e9:.1f} GB of it activations"
        if free is None:
            return Check("memory", True, f"{detail}; free memory cannot be told", {})
        free += 4 * count_parameters(self.model).total  # held by this check itself
        detail += f"; {free / 1e9:.1f} GB are free on {self.device}"
        numbers = {"needed_bytes": needed, "activation_bytes": activations, "free_bytes": free}
        return Check("memory", needed <= free, detail, numbers)

    def tokenizer_round_trip(self) -> Check:
        """Text to ids and back, for every question and solution; white space at the ends is not compared."""
        texts = [text for p in [*self.train, *self.test] for text in (p.question, p.solution)]
        ids = self.tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
        back = self.tokenizer.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        changed = [text for text, again in zip(texts, back, strict=True) if text.strip() != again.strip()]
        detail = f"{len(texts) - len(changed)} of {len(texts)} texts come back unchanged"
        detail += f"; first changed: {changed[0][:60]!r}" if changed else ""
        return Check("tokenizer", not changed, detail, {"texts": len(texts), "changed": len(changed)})

    def prompts_fit(self) -> Check:
        """Prompts within their limit, examples within train.max_tokens, prompt and response within the model's context."""
        prompts = self._prompts([*self.train, *self.test])
        longest = max(len(ids) for ids in encode_prompts(self.tokenizer, prompts))
        widest = max(len(example.ids) for example in self._encoded)
        context = context_of(self.folder) or math.inf
        needed = max(longest + self.cfg.data.max_new_tokens, widest)
        detail = f"longest prompt {longest}, longest example {widest}, with response {needed} of {context} tokens"
        return Check("prompts_fit", needed <= context, detail, {"longest_prompt": longest, "longest_example": widest})

    def rule(self) -> Check:
        """The human solutions parse to their golds under the chosen rule."""
        right = sum(grade(self.cfg.data.rule, p.solution, p.gold, False).value == "correct" for p in self.test)
        detail = f"{right} of {len(self.test)} human test solutions parse to their gold under {self.cfg.data.rule}"
        return Check("rule", right == len(self.test), detail, {"right": right, "n": len(self.test)})

    def accumulation(self) -> Check:
        """One optimiser step as one micro-batch and cut into single examples: the same loss and gradient norm."""
        examples = self._examples(self.train[:NUM_EXAMPLES])
        whole, cut = (self._step(examples, micro_batch_tokens=tokens) for tokens in (1 << 30, 1))
        worst = max(abs(a - b) / max(abs(a), 1e-12) for a, b in zip(whole, cut, strict=True))
        detail = f"loss {whole[0]:.6f} and {cut[0]:.6f}, gradient norm {whole[1]:.5f} and {cut[1]:.5f}"
        return Check(
            "accumulation", worst <= TOLERANCE, detail, {"loss": [whole[0], cut[0]], "norm": [whole[1], cut[1]]}
        )

    def greedy_batched(self) -> Check:
        """The engine's greedy solutions together and one by one; differences at near-ties are counted apart."""
        prompts = self._prompts(self.test[:NUM_PROMPTS])
        sampler = self._sampler()
        together = self._greedy(sampler, prompts, max_new_tokens=NUM_GREEDY_TOKENS)
        alone = [self._greedy(sampler, [prompt], max_new_tokens=NUM_GREEDY_TOKENS)[0] for prompt in prompts]
        sampler.close()
        triples = zip(prompts, together, alone, strict=True)
        gaps = [first_difference_gap(self.model, self.tokenizer, p, a, b) for p, a, b in triples if a != b]
        ties = sum(gap < TIE_NATS for gap in gaps)
        detail = f"{len(prompts) - len(gaps)} of {len(prompts)} prompts equal one by one, "
        detail += f"{ties} differ at a top-2 logit gap under {TIE_NATS:g}"
        detail += f"; gaps {', '.join(f'{gap:.3g}' for gap in gaps)}" if gaps else ""
        numbers = {"prompts": len(prompts), "equal": len(prompts) - len(gaps), "ties": ties, "gaps": gaps}
        return Check("greedy_batched", ties == len(gaps), detail, numbers)

    def generation(self) -> Check:
        """With worked examples in the prompt, at least one greedy solution has an answer under the rule."""
        prompts = self._prompts(self.test[:NUM_PROMPTS], shots=self.shots)
        sampler = self._sampler()
        texts = self._greedy(sampler, prompts, max_new_tokens=self.cfg.data.max_new_tokens)
        sampler.close()
        clean = self.shown.template.clean
        parsed = sum(extract(self.cfg.data.rule, clean(text)) is not None for text in texts)
        detail = f"{parsed} of {len(texts)} greedy solutions after {len(self.shots)} shots have an answer"
        return Check("generation", parsed > 0, detail, {"parsed": parsed, "n": len(texts), "texts": texts})

    def _prompts(self, problems: Sequence[Problem], *, shots: Sequence[Problem] = ()) -> list[Prompt]:
        return make_prompts(self.shown, problems, shots=shots, tokenizer=self.tokenizer)

    def _examples(self, problems: Sequence[Problem]) -> list[Encoded]:
        shown = [(p.question, p.solution) for p in problems]
        pairs = training_pairs(shown, self.shown.template, self.tokenizer)
        return encode_examples(self.tokenizer, pairs, max_tokens=self.cfg.train.max_tokens)

    def _step(self, examples: list[Any], *, micro_batch_tokens: int) -> tuple[float, float]:
        """(loss, gradient norm) of one step over all the examples."""
        steps = example_steps(
            examples, batch_size=len(examples), num_steps=1, seed=0, micro_batch_tokens=micro_batch_tokens
        )
        self.model.zero_grad(set_to_none=True)
        loss = accumulate(self.model, next(steps)).nats()
        norm = torch.nn.utils.get_total_norm([p.grad for p in self.model.parameters() if p.grad is not None])
        self.model.zero_grad(set_to_none=True)
        return loss, float(norm)

    def _sampler(self) -> Sampler:
        place = Place.of(self.cfg.runtime, device=self.device, dtype=self.cfg.sampling.dtype)
        return open_sampler(self.engine, self.folder, place)

    def _greedy(self, sampler: Sampler, prompts: Sequence[Prompt], *, max_new_tokens: int) -> list[str]:
        groups = sampler.sample(
            prompts,
            num_draws=1,
            temperature=0.0,
            top_p=1.0,
            max_new_tokens=max_new_tokens,
            stop=self.shown.stop_strings,
            seed=0,
        )
        return [group[0].text for group in groups]


@torch.inference_mode()
def first_difference_gap(model: Model, tokenizer: Tokenizer, prompt: Prompt, one: str, other: str) -> float:
    """Top-2 logit gap in nats where two solutions of a prompt part, by the model itself, without padding or cache."""
    pair = tokenizer([one, other], add_special_tokens=False, return_attention_mask=False)["input_ids"]
    common = [a for a, b in itertools.takewhile(lambda ab: ab[0] == ab[1], zip(*pair, strict=False))]
    ids = [*encode_prompts(tokenizer, [prompt])[0], *common]
    top = model(input_ids=torch.tensor([ids], device=model.device)).logits[0, -1].float().topk(2).values
    return float(top[0] - top[1])
