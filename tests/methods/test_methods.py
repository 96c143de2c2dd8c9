"""SFT-best, self-query and self-revise: identity, whole cells at a tiny size, and what each promises about its data."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from composing import compute, tiny
from lone_stage import run_stage

from rft.archive.files import rows_at
from rft.check.cell import cell_findings
from rft.check.finding import Verdict
from rft.config import WorldConfig
from rft.core.world_tokenizer import UNK, build_world_tokenizer
from rft.execute.stages import execute
from rft.export.cell import FinishedCell
from rft.export.examples import training_rows
from rft.infra.store import Store
from rft.methods.self_revise import ReviseSet, farthest
from rft.plan.cell import CellPlan, plan
from rft.plan.sources import resolve
from rft.records import Problem, Record, Sample, read_json, read_jsonl, write_jsonl
from rft.stages import relabel as relabelling
from rft.stages.drafts import with_drafts
from rft.stages.finetune import Finetune
from rft.stages.generation import Generated, Generation
from rft.stages.holdout import HoldOut
from rft.stages.problems import PROBLEMS_FILE, Subset, WorldProblems
from rft.stages.relabel import Relabel, World
from rft.stages.shard import Pool
from rft.stages.stage import SAMPLES_FILE, Stage
from rft.stages.trainset import Trainset
from rft.stages.tuning import Tuning, Values, best_of
from rft.text import overlap
from rft.text.answers import extract
from rft.text.equations import check, equation_list
from rft.text.hindsight import hindsight
from rft.text.prompts import TASK_TEMPLATES, template_named
from rft.text.world import WorldSplit, world_problems

CARVED = ("method=sft_best", "data.num_validation=0", "methods.sft_best.validation_frac=0.25")
FOLDED = (
    "method=self_revise",
    "methods.self_revise.num_folds=3",
    "methods.self_revise.num_drafts=2",
    "methods.self_revise.choose=farthest",
)
LEARNT = ("train.epochs=80", "train.lr=1e-2", "temperature=0.5")  # equations hold, so that some paths are relabelled
METHODS = {
    "best": ("method=sft_best",),
    "carved": CARVED,
    "query": ("method=self_query", "k=2"),
    "query_all": ("method=self_query", "k=2", "methods.self_query.relabel=all", *LEARNT),
    "query_asked": ("method=self_query", "k=2", "methods.self_query.relabel=all", "methods.self_query.consistent=true"),
    "revise": ("method=self_revise", "methods.self_revise.num_drafts=2", "eval.vote_k=2"),
    "folded": FOLDED,
}
SHARED = ("methods.sft_best.epoch_grid=[1,2]", "temperature=1.5")


@functools.cache
def planned(*overrides: str) -> CellPlan:
    cfg = tiny(*SHARED, *overrides)
    return plan(cfg, resolve(cfg))


def keys(cell: CellPlan, kind: str) -> set[str]:
    return {stage.key for stage in cell.stages if stage.kind == kind}


@pytest.mark.parametrize("method", ["sft", "rft", "sft_matched"])
@pytest.mark.parametrize(
    "override",
    [
        "methods.sft_best.epoch_grid=[5]",
        "methods.sft_best.validation_frac=0.4",
        "methods.self_query.mix=alone",
        "methods.self_query.relabel=all",
        "methods.self_query.consistent=true",
        "methods.self_revise.num_drafts=3",
        "methods.self_revise.choose=farthest",
        "methods.self_revise.num_folds=4",
    ],
)
def test_settings_of_these_methods_change_no_other_cell(method: str, override: str):
    assert planned(f"method={method}", override).cell_key == planned(f"method={method}").cell_key


@pytest.mark.parametrize(
    ("name", "override"),
    [
        ("best", "methods.sft_best.epoch_grid=[1,3]"),
        ("carved", "methods.sft_best.validation_frac=0.5"),
        ("query", "methods.self_query.mix=alone"),
        ("query", "methods.self_query.relabel=all"),
        ("query", "methods.self_query.consistent=true"),
        ("revise", "methods.self_revise.num_drafts=3"),
        ("revise", "methods.self_revise.choose=farthest"),
        ("revise", "methods.self_revise.num_folds=4"),
    ],
)
def test_its_own_settings_make_another_cell_that_shares_the_base(name: str, override: str):
    one, other = planned(*METHODS[name]), planned(*METHODS[name], override)
    assert one.cell_id != other.cell_id
    assert one.read.base == other.read.base


def test_candidates_pool_and_drafts_are_those_of_the_sft_and_rft_cells():
    sft = planned("method=sft", "train.epochs=2")
    assert sft.read.trained.weights.key in keys(planned("method=sft_best"), "finetune")
    assert keys(planned(*METHODS["query"]), "shard") == keys(planned("method=rft", "k=2"), "shard")
    drafts = planned("method=self_revise").read.trained.drafts
    assert drafts == planned("method=sft").read.measured.evaluate
    assert keys(planned("method=self_revise"), "shard") == keys(planned("method=rft", "k=1"), "shard")


def test_each_trains_the_base_and_nulls_what_it_does_not_use():
    for name, overrides in METHODS.items():
        cell = planned(*overrides)
        finetunes = [stage for stage in cell.stages if isinstance(stage, Finetune)]
        assert {stage.base.kind for stage in finetunes} == {"pretrain"}, name
        assert "union" not in cell.setting
    best, query_, revised = (planned(*METHODS[name]) for name in ("best", "query", "revise"))
    assert not {"k", "train.epochs", "train.epoch_rule", "temperature"} & set(best.setting)
    assert "sample_seed" not in best.seeds
    assert best.setting["methods.sft_best.epoch_grid"] == [1, 2]
    assert (query_.setting["k"], query_.setting["temperature"]) == (2, 1.5)
    assert (query_.setting["methods.self_query.mix"], query_.setting["methods.self_query.relabel"]) == (
        "mixed",
        "wrong",
    )
    assert "k" not in revised.setting
    assert revised.setting["temperature"] == 1.5
    assert (revised.setting["methods.self_revise.num_drafts"], revised.setting["methods.self_revise.num_folds"]) == (
        2,
        1,
    )


def test_a_shared_stage_has_one_name_whichever_cell_plans_it():
    cells = [
        planned(*overrides) for overrides in (*METHODS.values(), ("method=sft", "train.epochs=2"), ("method=rft",))
    ]
    labels: dict[str, set[str]] = {}
    for stage in (stage for cell in cells for stage in cell.stages):
        labels.setdefault(stage.key, set()).add(stage.label)
    assert all(len(names) == 1 for names in labels.values())


def test_a_key_without_meaning_for_them_collapses():
    assert planned("method=sft_best", "k=9").cell_id == planned("method=sft_best", "k=2").cell_id
    assert planned("method=self_revise", "k=9").cell_id == planned("method=self_revise", "k=2").cell_id
    assert planned("method=self_revise", "sample_from=all").cell_id == planned("method=self_revise").cell_id
    union = planned(*METHODS["query"], "union=[nano-s]")
    assert union.cell_id == planned(*METHODS["query"]).cell_id


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with one cell of each method, over one store."""
    folder = tmp_path_factory.mktemp("methods")
    for name, overrides in METHODS.items():
        cfg = tiny(*SHARED, *overrides, f"store.root={folder}/store")
        compute(cfg, study=folder / name)
    return folder


def record(study: Path, name: str) -> Record:
    (path,) = (study / name).glob("*/record.json")
    return Record.from_json(read_json(path))


def folder_of(study: Path, stage: Stage[Any]) -> Path:
    entry = Store(study / "store").get(stage.kind, stage.key)
    assert entry is not None, stage.label
    return entry.path


@pytest.mark.parametrize("name", METHODS)
def test_a_cell_ends_in_a_record(study: Path, name: str):
    found = record(study, name)
    assert found.scores["maj1@1"].n == 16
    assert found.data["num_human"] == 16
    assert found.data["num_examples"] == found.data["num_human"] + found.data["num_augmented"]
    assert found.data["num_optimizer_steps"] >= 1
    assert found.data["lr"] > 0


def test_self_query_accounts_for_every_sample(study: Path):
    assert record(study, "query_all").data["num_augmented"] > 0
    for name in ("query", "query_all", "query_asked"):
        data = record(study, name).data
        assert data["num_samples"] == 32
        assert sum(data["drop_counts"].values()) + data["num_augmented"] == 32
        assert data["num_relabelled_valid"] <= data["num_relabelled_readable"] <= data["num_augmented"]


def test_relabelled_rows_are_exported_with_the_draw_that_each_is_of(study: Path):
    (folder,) = (path.parent for path in (study / "query_all").glob("*/record.json"))
    cell = FinishedCell.open(folder, store=Store(study / "store"))
    rows = [row for row in training_rows(cell) if row.source == "relabelled"]
    listed = list(rows_at(folder / cell.record.files["paths"]))
    assert [(row.id, row.draw, row.question, row.solution) for row in rows] == [
        (row["id"], row["draw"], row["question"], row["text"]) for row in listed
    ]
    assert len(rows) == cell.record.data["num_augmented"]
    assert {row.answer for row in rows} <= {row["answer"] for row in listed}
    assert not [one for one in cell_findings(folder, cell.record) if one.verdict is Verdict.DIFFERS]


def test_self_revise_votes_and_counts_what_revising_changed(study: Path):
    found = record(study, "revise")
    assert found.data["num_examples"] == 32
    assert "maj1@2" in found.scores
    kept = found.data["num_drafts_correct"] - found.data["num_revised_to_wrong"]
    assert found.scores["maj1@1"].value * 16 == kept + found.data["num_revised_to_correct"]


# SFT-best: the choice


def test_ties_go_to_the_middle():
    def chosen(epochs: list[float], accuracy: list[float]) -> float:
        return epochs[best_of([Values(epochs=one) for one in epochs], accuracy)]

    assert chosen([2, 4, 8], [0.5, 0.5, 0.5]) == 4
    assert chosen([2, 4, 8], [0.25, 0.5, 0.5]) == 4
    assert chosen([2, 4, 8], [0.5, 0.25, 0.5]) == 2
    assert chosen([2, 4, 8], [0.25, 0.25, 0.5]) == 8


def choice_of(cell: CellPlan) -> tuple[Finetune, Tuning]:
    weights = cell.read.trained.weights
    assert isinstance(weights, Finetune)
    assert weights.choice is not None
    return weights, weights.choice


def trainset_of(cell: CellPlan) -> Trainset:
    assert cell.read.trained.trainset is not None
    return cell.read.trained.trainset


@pytest.mark.parametrize("name", ["best", "carved"])
def test_the_choice_rests_on_validation_problems_alone(study: Path, name: str):
    cell = planned(*METHODS[name])
    _, choice_stage = choice_of(cell)
    test_ids = {row["id"] for row in read_jsonl(folder_of(study, cell.read.measured.evaluate.problems) / PROBLEMS_FILE)}
    scores = []
    for evaluation in choice_stage.tries:
        assert evaluation.problems.split == "validation"
        rows = list(read_jsonl(folder_of(study, evaluation) / "outcomes.jsonl.gz"))
        assert rows
        assert test_ids.isdisjoint(row["id"] for row in rows)
        scores.append(sum(row["outcome"] == "C" for row in rows) / len(rows))
    choice = read_json(folder_of(study, choice_stage) / "choice.json")
    assert [one["accuracy"] for one in choice["tries"]] == scores
    assert choice == record(study, name).data["choice"]
    assert cell.read.measured.evaluate not in choice_stage.tries


def test_the_model_is_that_of_the_choice(study: Path):
    best, choice = choice_of(planned(*METHODS["best"]))
    chosen = read_json(folder_of(study, choice) / "choice.json")["chosen"]["epochs"]
    (candidate,) = [one for one in best.tries if one.recipe.epochs == chosen]
    weights = [(folder_of(study, stage) / "model.safetensors").read_bytes() for stage in (best, candidate)]
    assert weights[0] == weights[1]
    assert (folder_of(study, best) / "curve.jsonl").exists()


def test_a_carved_validation_split_is_unseen_by_what_is_compared(study: Path):
    cell = planned(*CARVED)
    parts = {stage.split: stage for stage in cell.stages if isinstance(stage, HoldOut)}
    held = {row["id"] for row in read_jsonl(folder_of(study, parts["validation"]) / PROBLEMS_FILE)}
    human = {row["id"] for row in read_jsonl(folder_of(study, trainset_of(cell)) / "examples.jsonl")}
    assert len(held) == 4
    assert held < human
    for evaluation in choice_of(cell)[1].tries:
        assert isinstance(evaluation.weights, Finetune)
        seen = {row["id"] for row in read_jsonl(folder_of(study, evaluation.weights.trainset) / "examples.jsonl")}
        assert seen == human - held
    assert "4 of 16 human problems" in record(study, "carved").data["choice"]["split"]


# Self-revise: folds and drafts


def test_no_draft_comes_from_a_model_that_saw_its_question(study: Path):
    cell = planned(*FOLDED)
    drafted: Counter[str] = Counter()
    trainset = trainset_of(cell)
    assert isinstance(trainset, ReviseSet)
    for shard in (shard for pool in trainset.drafts for shard in pool.shards):
        assert isinstance(shard.weights, Finetune)
        seen = {row["id"] for row in read_jsonl(folder_of(study, shard.weights.trainset) / "examples.jsonl")}
        ids = [row["id"] for row in read_jsonl(folder_of(study, shard) / SAMPLES_FILE)]
        assert seen.isdisjoint(ids)
        assert len(seen | set(ids)) == 16
        drafted.update(ids)
    human = {row["id"] for row in read_jsonl(folder_of(study, trainset) / "examples.jsonl")}
    assert drafted == dict.fromkeys(human, 2)
    assert record(study, "folded").data["drawn_per_question"] == sum(drafted.values()) / len(human) == 2.0


def test_the_farthest_draft_is_shown_with_the_question():
    drafts = [Sample("p", i, text, False, 3) for i, text in enumerate(("3*2=6", "3*2=7 and more", "3+2=7 and mor"))]
    assert farthest(drafts, "3*2=6").draw == 1
    asked = template_named("world_revise").with_draft("How many?", "total <<3+2=5>>5\n#### 5")
    prompt = template_named("world_revise").ask(asked)
    assert prompt == "Question: How many?\nAnswer: total <<3+2=5>>5\n#### 5\nAnswer:"


def test_evaluation_shows_the_greedy_draft_of_the_same_problem():
    drafts = [Sample(name, -1, f"draft of {name}", False, 3) for name in "ba"]
    problems = [Problem(name, f"{name}?", "", "1") for name in "ab"]
    asked = [problem.question for problem in with_drafts(problems, "plain_revise", drafts)]
    assert asked == ["a?\nAnswer: draft of a", "b?\nAnswer: draft of b"]


# Self-query: relabelling


@pytest.mark.parametrize(
    ("text", "answer", "fault"),
    [
        ("makes <<3*17=51>>51\nleft <<51-6=45>>45\n#### 46", "45", None),
        ("<<1/4=.25>>.25\n#### 7", "0.25", None),
        ("<<3*17=52>>52\n#### 52", "", "false_equation"),
        ("3*17=51\n#### 51", "", "no_equation"),
        ("<<3*17=51>>51", "", "no_answer"),
        ("<<100=50+50>>\n#### 100", "", "no_result"),
    ],
)
def test_hindsight_takes_the_last_equations_result(text: str, answer: str, fault: str | None):
    reading = hindsight(text, kind="annotated", tolerance=1e-3)
    assert (reading.answer, reading.fault) == (answer, fault)
    if fault is None:
        assert extract("gsm8k", reading.text) == answer


def test_hindsight_of_plain_text():
    reading = hindsight("3 x 17 = 51 nails.\n#### 50", kind="plain", tolerance=1e-3)
    assert (reading.answer, reading.text) == ("51", "3 x 17 = 51 nails.\n#### 51")


ASKED = [Problem("a", "A?", "", "46"), Problem("b", "B?", "", "9")]
TEXTS = {  # draws of question a, then of b
    "a": (
        "total <<3+17=20>>20\n#### 20",  # consistent, wrong: relabelled
        "total <<3+17=20>>20\n#### 20",  # again
        "left <<50-4=46>>46\n#### 46",  # right
        "left <<50-4=45>>45\n#### 45",  # false
    ),
    "b": (
        "left <<30-5=25>>25\n#### 24",  # slip in the last line alone: relabelled with 25
        "total <<3+17=20>>20\n#### 20",  # the same text as for a
        "total <<2+2=4>>4\n#### 4",  # its question will be a test question
        "#### 4",
    ),
}


def relabelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, relabel: str = "wrong", checked: bool = False
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What `Relabel` keeps of TEXTS when the reverse model asks 'Q <key>' and the SFT model always answers 20."""
    world = tiny("data.world.max_value=60").data.world
    assert world is not None
    (test_problem,) = world_problems(world, split=WorldSplit.TEST, count=1)
    stage = relabel_stage(world, relabel=relabel, checked=checked)
    (test,), (shard,) = stage.held_out, stage.pool.shards
    folders = {stage.subset.source: tmp_path / "pool", test: tmp_path / "test", shard: tmp_path / "shard"}
    folders |= {stage.writer: tmp_path, shard.weights: tmp_path}
    for folder in folders.values():
        folder.mkdir(exist_ok=True)
    write_jsonl(tmp_path / "pool" / PROBLEMS_FILE, (problem.to_json() for problem in ASKED))
    write_jsonl(tmp_path / "test" / PROBLEMS_FILE, [test_problem.to_json()])
    drawn = [Sample(name, i, text, False, 9, "m") for name, texts in TEXTS.items() for i, text in enumerate(texts)]
    write_jsonl(tmp_path / "shard" / SAMPLES_FILE, (sample.to_json() for sample in drawn))

    def written(how: Generation, problems: list[Problem], **_: Any) -> Generated:
        solving = how.prompt == "world"
        questions = ["total <<10+10=20>>20\n#### 20" if solving else f"Q {p.question}" for p in problems]
        held = [test_problem.question.upper() if "2+2" in p.question and not solving else "" for p in problems]
        made = [Sample(p.id, -1, h or q, False, 5) for p, q, h in zip(problems, questions, held, strict=True)]
        return Generated(made, 5, 1.0)

    monkeypatch.setattr(relabelling, "generate", written)
    done = run_stage(stage, out=tmp_path / "out", inputs=folders)
    assert done.facts is not None
    return list(read_jsonl(tmp_path / "out" / "kept.jsonl.gz")), done.facts.to_json()


def relabel_stage(world: WorldConfig, *, relabel: str, checked: bool) -> Relabel:
    """Over a pool of four draws to two questions, and one held-out problem."""
    cell = planned(*METHODS["query"])
    (planned_stage,) = cell.read.trained.selections
    assert isinstance(planned_stage, Relabel)
    pool = WorldProblems(split="train", world=world, count=2)
    (shard, *_) = planned_stage.pool.shards
    return dataclasses.replace(
        planned_stage,
        pool=Pool("m", (shard,), 4),
        subset=Subset(pool, 2, 0),
        solver=shard.weights if checked else None,
        solving=shard.generation if checked else None,
        held_out=(WorldProblems(split="test", world=world, count=1),),
        relabel=relabel,
        rule="gsm8k",
        world=World(0, 60),
    )


def test_relabelled_answers_agree_with_their_equations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows, facts = relabelled(tmp_path, monkeypatch)
    assert [(row["id"], row["draw"], row["answer"]) for row in rows] == [("a", 0, "20"), ("b", 0, "25")]
    for row in rows:
        assert check(row["text"]).ok
        assert extract("gsm8k", row["text"]) == row["answer"] == equation_list(row["text"])[-1].split("=")[1]
        assert row["question"] == f"Q {row['text']}"
    drops = {reason: count for reason, count in facts["drop_counts"].items() if count}
    wanted = {"no_equation": 1, "false_equation": 1, "right_answer": 1, "duplicate_path": 2, "held_out_question": 1}
    assert drops == wanted


def test_relabel_all_takes_right_answers_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows, facts = relabelled(tmp_path, monkeypatch, relabel="all")
    assert [(row["id"], row["draw"]) for row in rows] == [("a", 0), ("a", 2), ("b", 0)]
    assert facts["drop_counts"]["right_answer"] == 0


def test_consistent_keeps_questions_answered_as_the_path_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows, facts = relabelled(tmp_path, monkeypatch, checked=True)
    assert [row["answer"] for row in rows] == ["20"]
    assert facts["drop_counts"]["inconsistent_question"] == 1


def test_a_test_problem_in_other_words_is_held_out():
    config = tiny().data.world
    assert config is not None
    problems = world_problems(config, split=WorldSplit.TEST, count=40)
    held_out = relabelling._HeldOut(overlap.Tested([]), World(config.seed, config.max_value))
    assert all(problem.question in held_out for problem in problems)
    pool = world_problems(config, split=WorldSplit.POOL, count=40)
    assert not any(problem.question in held_out for problem in pool)


# Prompts and limits


def test_the_worlds_task_prompts_hold_only_its_words():
    world = tiny().data.world
    assert world is not None
    tokenizer = build_world_tokenizer(world)
    (problem,) = world_problems(world, split=WorldSplit.POOL, count=1)
    revised = TASK_TEMPLATES["world_revise"]
    for prompt in (
        TASK_TEMPLATES["world_reverse"].ask(problem.solution),
        revised.ask(revised.with_draft(problem.question, problem.solution)),
    ):
        assert UNK not in tokenizer.tokenize(prompt)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("method=sft_best", "eval.split=validation"), "cannot be scored there"),
        (("method=sft_best", "methods.sft_best.epoch_grid=[]"), "methods.sft_best.epoch_grid is empty"),
        (("method=sft_best", "methods.sft_best.validation_frac=1"), "outside"),
        (("method=self_query", "data.prompt=chat"), "no wording for data.prompt=chat: use alpaca"),
        (("method=self_revise", "methods.self_revise.num_drafts=0"), r"num_drafts=0 is outside \[1, inf\)"),
        (("method=self_revise", "model.arch.context=128"), "has a context of 128: lower"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(overrides: tuple[str, ...], message: str):
    with pytest.raises(ValueError, match=message):
        tiny(*overrides)


def test_more_folds_than_problems_are_refused():
    with pytest.raises(ValueError, match="cannot hold 0 of 16 human problems out"):
        planned("method=self_revise", "methods.self_revise.num_folds=17")


def test_examples_that_are_too_long_with_their_draft_are_refused_by_number(study: Path):
    cfg = tiny(*SHARED, "method=self_revise", "train.max_tokens=75", "data.max_new_tokens=60")
    cell = plan(cfg, resolve(cfg))
    with pytest.raises(ValueError, match=r"of 16 examples exceed train.max_tokens=75"):
        execute(cell.stages, store=Store(study / "store"), runtime=cfg.runtime)


def test_alone_without_a_relabelled_path_says_what_to_change(study: Path):
    cfg = tiny(*SHARED, "method=self_query", "k=2", "methods.self_query.mix=alone")
    cell = plan(cfg, resolve(cfg))
    with pytest.raises(ValueError, match="no sampled path was relabelled"):
        execute(cell.stages, store=Store(study / "store"), runtime=cfg.runtime)
