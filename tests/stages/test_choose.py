"""Choosing kept paths as stages: scores under the models that drew them, and the choice itself."""

from __future__ import annotations

import dataclasses
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from byte_model import byte_tokenizer, write_byte_model
from composing import tiny
from lone_stage import GivenPaths, given_problems, given_weights, run_stage
from reward_model import write_reward_model

from rft.core.model import load_model
from rft.core.rewards import reward_scores
from rft.plan.cell import plan
from rft.plan.sources import resolve
from rft.records import Problem, Sample, write_jsonl
from rft.stages.choose import Choose, ChooseFacts
from rft.stages.generation import Generation
from rft.stages.imported import model_digest
from rft.stages.kept import KEPT_FILE, KeptPaths
from rft.stages.problems import Subset, write_problems
from rft.stages.scores import PathScores, Scores
from rft.stages.shard import Pool, Shard
from rft.stages.stage import SAMPLES_FILE
from rft.text.choosing import CHOOSERS
from rft.text.selection import KeptPath

NUM_QUESTIONS, NUM_DRAWS = 6, 5
PROBLEMS = [Problem(f"p{i}", f"What is {i} and {i}?", f"{i}+{i}=<<{i}+{i}={2 * i}>>", str(2 * i)) for i in range(6)]
QUESTIONS, PATHS = given_problems("train"), GivenPaths(name="kept")
SUBSET = Subset(QUESTIONS, NUM_QUESTIONS, 0)


def samples(model: str) -> list[Sample]:
    return [
        Sample(p.id, draw, f"{p.id} by {model}" + " so" * ((draw + i) % 4), False, 3 + (7 * draw + i) % 5, model)
        for i, p in enumerate(PROBLEMS)
        for draw in range(NUM_DRAWS)
    ]


def pool(model: str) -> Pool:
    how = Generation(model, "torch", "float32", "plain", 99, 99, ())
    block = {"block": (0, NUM_QUESTIONS), "draws": (0, NUM_DRAWS), "temperature": 1.0, "top_p": 1.0, "seed": 0}
    shard = Shard(weights=given_weights(model), generation=how, subset=SUBSET, stream=model, **block)
    return Pool(model, (shard,), NUM_DRAWS)


POOLS = {model: pool(model) for model in ("ann", "bob")}


def scores_of(model: str) -> Scores:
    return Scores(
        paths=PATHS, pool=POOLS[model], weights=given_weights(model), prompt="plain", subset=SUBSET, model=model
    )


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Finished problems, pools and models; of the pools every draw but draw 4 of odd questions was kept."""
    place = tmp_path_factory.mktemp("inputs")
    for name in ("problems", "kept", "ann pool", "bob pool"):
        (place / name).mkdir()
    write_problems(PROBLEMS, place / "problems")
    kept = []
    for model in POOLS:
        write_jsonl(place / f"{model} pool" / SAMPLES_FILE, (sample.to_json() for sample in samples(model)))
        kept += [s for s in samples(model) if s.draw < 4 or int(s.id[1]) % 2 == 0]
        write_byte_model(place / model)
    other = load_model(place / "bob", device="cpu", dtype="float32")
    with torch.no_grad():
        other.get_input_embeddings().weight *= 20
    other.save_pretrained(place / "bob")
    kept.sort(key=lambda s: (s.id, s.model, s.draw))
    paths = [KeptPath(s.id, f"{s.model}{s.draw}", s.model, s.draw, s.text) for s in kept]
    write_jsonl(place / "kept" / KEPT_FILE, (path.to_json() for path in paths))
    found = {QUESTIONS: place / "problems", PATHS: place / "kept"}
    for model, one in POOLS.items():
        found |= {one.shards[0]: place / f"{model} pool", given_weights(model): place / model}
    for model in POOLS:
        run_stage(scores_of(model), out=place / f"{model} scores", inputs=found)
        found[scores_of(model)] = place / f"{model} scores"
    return found


def test_each_path_is_scored_under_its_own_donor(inputs: dict):
    kept = {(p.id, p.model, p.draw): p for p in KeptPaths(inputs[PATHS]).kept()}
    tokenizer = byte_tokenizer()
    seen = 0
    for model, pool in POOLS.items():
        plain = load_model(inputs[given_weights(model)], device="cpu", dtype="float32").eval()
        lengths = {(s.id, s.draw): s.num_tokens for s in samples(pool.donor)}
        for row in PathScores(inputs[scores_of(model)]).rows():
            path, question = kept[row.origin], next(p.question for p in PROBLEMS if p.id == row.id)
            before = tokenizer(f"Question: {question}\nAnswer:")["input_ids"]
            after = [*tokenizer(f" {path.text}")["input_ids"], tokenizer.eos_token_id]
            with torch.no_grad():
                logits = plain(torch.tensor([before + after])).logits[0, len(before) - 1 : -1]
            expected = torch.log_softmax(logits.double(), -1)[torch.arange(len(after)), after].mean()
            assert row.logprob == pytest.approx(float(expected), abs=1e-4)
            assert (row.model, row.num_tokens) == (model, lengths[row.id, row.draw])
            seen += 1
    assert seen == len(kept)


def test_a_path_that_its_pool_lacks_is_an_error(inputs: dict, tmp_path: Path):
    (tmp_path / "short").mkdir()
    rows = [sample.to_json() for sample in samples("ann") if sample.draw != 2]
    write_jsonl(tmp_path / "short" / SAMPLES_FILE, rows)
    with pytest.raises(RuntimeError, match="draw 2 of problem p0 was kept, but ann's pool lacks it"):
        run_stage(scores_of("ann"), out=tmp_path / "out", inputs=inputs | {POOLS["ann"].shards[0]: tmp_path / "short"})


def choice(chooser: str, **changes: object) -> Choose:
    stage = Choose(
        paths=PATHS,
        scores=tuple(scores_of(model) for model in POOLS),
        subset=SUBSET,
        equations="annotated",
        chooser=chooser,
        budget=20,
        cap=None,
        seed=0,
    )
    return dataclasses.replace(stage, **changes)


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = write_reward_model(tmp_path_factory.mktemp("reward") / "model")
    return {"reward": model_digest(folder), "reward_path": str(folder)}


@pytest.fixture
def chosen(inputs: dict, tmp_path: Path, reward: dict[str, str]):
    def run(chooser: str, **changes: object) -> tuple[list[KeptPath], ChooseFacts]:
        given = reward if CHOOSERS[chooser].needs_reward_model else {}
        stage = choice(chooser, **given | changes)
        out = tmp_path / stage.key
        facts = run_stage(stage, out=out, inputs=inputs).facts
        assert isinstance(facts, ChooseFacts)
        return KeptPaths(out).kept(), facts

    return run


@pytest.mark.parametrize("chooser", sorted(CHOOSERS))
def test_without_a_budget_everything_is_kept_byte_for_byte(inputs: dict, tmp_path: Path, reward: dict, chooser: str):
    given = reward if CHOOSERS[chooser].needs_reward_model else {}
    run_stage(choice(chooser, budget=None, **given), out=tmp_path / "out", inputs=inputs)
    assert (tmp_path / "out" / KEPT_FILE).read_bytes() == (inputs[PATHS] / KEPT_FILE).read_bytes()


@pytest.mark.parametrize("chooser", sorted(CHOOSERS))
def test_a_choice_keeps_as_many_of_each_question_as_the_random_one(inputs: dict, chosen, chooser: str):
    for changes in ({}, {"cap": 3, "budget": None}, {"budget": 7}, {"budget": 10**6}):
        paths, facts = chosen(chooser, **changes)
        control, _ = chosen("random", **changes) if chooser != "random" else (paths, facts)
        assert Counter(path.id for path in paths) == Counter(path.id for path in control)
        order = [path for path in KeptPaths(inputs[PATHS]).kept() if path in paths]
        assert paths == order, "in the order in which they were kept"
        assert facts.num_chosen == len(paths) <= facts.num_candidates == 54


def test_facts_describe_what_was_chosen(inputs: dict, chosen):
    scores = {row.origin: row for model in POOLS for row in PathScores(inputs[scores_of(model)]).rows()}
    found = {}
    for chooser in CHOOSERS:
        paths, facts = chosen(chooser)
        rows = [scores[path.id, path.model, path.draw] for path in paths]
        assert facts.chosen_mean_tokens == pytest.approx(sum(row.num_tokens for row in rows) / 20)
        assert facts.chosen_mean_logprob == pytest.approx(sum(row.logprob for row in rows) / 20)
        found[chooser] = facts
    assert min(found.values(), key=lambda facts: facts.chosen_mean_tokens) == found["shortest"]
    assert max(found.values(), key=lambda facts: facts.chosen_mean_logprob) == found["likeliest"]


def test_the_reward_model_chooses_what_it_scores_highest(inputs: dict, chosen, reward: dict[str, str]):
    paths, _ = chosen("reward", budget=NUM_QUESTIONS)
    questions = {problem.id: problem.question for problem in PROBLEMS}
    kept = KeptPaths(inputs[PATHS]).kept()
    pairs = [(questions[path.id], path.text) for path in kept]
    scores = reward_scores(Path(reward["reward_path"]), pairs, device="cpu", micro_batch_tokens=4096, dtype="float32")
    value = {(p.id, p.model, p.draw): score for p, score in zip(kept, scores, strict=True)}
    for path in paths:
        best = max(score for (name, *_), score in value.items() if name == path.id)
        assert value[path.id, path.model, path.draw] == pytest.approx(best, abs=1e-5)


def test_a_reward_model_that_changed_since_the_plan_is_refused(inputs: dict, tmp_path: Path, reward: dict[str, str]):
    folder = write_reward_model(tmp_path / "model", seed=1)
    with pytest.raises(RuntimeError, match="has changed since the study was planned"):
        run_stage(choice("reward", **reward | {"reward_path": str(folder)}), out=tmp_path / "out", inputs=inputs)


# As planned


def test_candidates_are_what_the_policy_keeps_without_a_cap():
    plain, *others = (
        tiny("method=rft", "k=3", *given)
        for given in ((), ("select.choose=shortest",), ("select.choose=random", "select.budget=9", "select.cap=2"))
    )
    select = plan(plain, resolve(plain)).read.trained.selections[0]
    for cfg in others:
        candidates, choose = plan(cfg, resolve(cfg)).read.trained.selections
        assert candidates == select
        assert choose.paths == select
        assert (choose.cap, choose.budget) == ((2, 9) if cfg.select.cap else (None, None))
    balanced = tiny("method=rft", "k=3", "select.policy=balanced", "select.choose=shortest")
    candidates, choose = plan(balanced, resolve(balanced)).read.trained.selections
    assert (candidates.checks.named().cap, choose.cap) == (None, 4)


def test_a_reward_model_counts_by_its_content(tmp_path: Path):
    one = write_reward_model(tmp_path / "one")
    moved = shutil.copytree(one, tmp_path / "moved")
    other = write_reward_model(tmp_path / "other", seed=1)
    cells = []
    for folder in (one, moved, other):
        cfg = tiny("method=rft", "select.choose=reward", f"select.reward_model={folder}")
        cells.append(plan(cfg, resolve(cfg)))
    assert cells[0].cell_key == cells[1].cell_key != cells[2].cell_key
    assert cells[0].setting != cells[2].setting


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("select.budget=9",), "select.budget=9 needs something that chooses"),
        (("select.choose=random", "select.policy=no_dedup"), "chooses among distinct paths"),
        (("select.choose=random", "select.thin=own", "union=[nano-s]"), "both cut paths down"),
        (("select.choose=reward",), "needs select.reward_model"),
        (("select.choose=shortst",), "did you mean shortest"),
        (("select.choose=random", "select.budget=0"), r"select.budget=0 is outside \[1, inf\)"),
    ],
)
def test_choices_that_contradict_themselves_are_refused(overrides: tuple[str, ...], message: str):
    with pytest.raises(ValueError, match=message):
        tiny("method=rft", *overrides)
