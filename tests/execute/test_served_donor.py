"""A donor that a server runs, in a whole cell: what is drawn, what it is known by, what is asked first, what is written."""

from __future__ import annotations

import gzip
import itertools
import random
import re
from pathlib import Path
from typing import Any

import pytest
from byte_model import overrides
from composing import FILES, FROM_FILES, composed, compute
from model_servers import chat, completion, scripted_server, transformers_server

from rft.config import StudyConfig
from rft.execute.cell import plan_cell, run_cell
from rft.execute.executor import LocalProcesses
from rft.execute.servers import check_servers
from rft.execute.sweep import run_sweep
from rft.infra.store import Store
from rft.plan.cell import plan
from rft.plan.show import plan_text
from rft.records import Record, read_json, read_jsonl
from rft.stages.served import ServedShard

pytest.importorskip("openai")

from rft.core.sampling import openai_backend

KEY = "sk-nobody-may-see-this"
SUM = re.compile(r"has (\d+) red and (\d+) blue")


class Teacher:
    """Answers with one of the ways to add, by the request's seed; `wrong` is the share of wrong ones."""

    def __init__(self, *, model: str = "m", root: str = "/weights/m", fails_after: int | None = None) -> None:
        self.model, self.root, self.fails_after = model, root, fails_after
        self.bodies: list[dict[str, Any]] = []

    def __call__(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": self.model, "object": "model", "root": self.root}]}
        if body.get("max_tokens") == 1:
            return 200, completion("2", model=self.model) if "prompt" in body else chat("2", model=self.model)
        self.bodies.append(body)
        if self.fails_after is not None and len(self.bodies) > self.fails_after:
            return 400, {"error": {"message": "out of service"}}
        asked = body["prompt"] if "prompt" in body else body["messages"][-1]["content"]
        a, b = map(int, SUM.findall(asked)[-1])
        first, second = ((a, b), (b, a))[random.Random(body["seed"]).random() < 0.5]
        text = f" {first} + {second} = <<{first}+{second}={a + b}>>{a + b}\n#### {a + b}"
        return 200, completion(text, model=self.model) if "prompt" in body else chat(text, model=self.model)


def cell(folder: Path, url: str, *more: str) -> StudyConfig:
    return composed(
        *overrides(folder), "method=rft", "k=2", "union=[teacher]", f"+servers.teacher.base_url={url}",
        "+servers.teacher.model=m", "+servers.teacher.retries=0", *more,
    )  # fmt: skip


def record_of(cfg: StudyConfig, study: Path) -> Record:
    return Record.from_json(read_json(compute(cfg, study=study) / "record.json"))


def shards(cfg: StudyConfig) -> list[ServedShard]:
    return [stage for stage in plan_cell(cfg).plan.stages if isinstance(stage, ServedShard)]


def test_a_cell_trains_on_what_a_server_has_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    teacher = Teacher()
    with scripted_server(teacher) as url:
        more = (
            "+servers.teacher.api_key_env=TEACHER_KEY",
            "+servers.teacher.price_completion=2",
            "tracking.mode=offline",
        )
        cfg = cell(tmp_path, url, *more, "+servers.teacher.num_params=7")
        text = plan_text([plan_cell(cfg).plan], store=Store(tmp_path / "store"), runtime=cfg.runtime, workers=1)
        assert f"server teacher: m at {url} (plain), known by its address, prompt plain" in text
        record = record_of(cfg, tmp_path / "study")
    facts = record.data["served_pools"]["teacher"]
    assert facts == {
        "provenance": "served", "servers": [url], "report": {"model": "m", "root": "/weights/m"}, "num_requests": 24,
        "prompt_tokens": 120, "completion_tokens": 72, "num_refusals": 0, "num_filtered": 0, "cost": pytest.approx(144e-6),
        "num_discarded": 0, "discarded_prompt_tokens": 0, "discarded_completion_tokens": 0, "num_untold": 0,
    }  # fmt: skip
    assert record.data["drawn_per_question"] == 2
    assert record.data["num_augmented"] > 0
    assert record.data["correct_per_question"] == 2
    assert record.setting["servers.teacher.base_url"] == url
    assert sum(cost.flops for cost in record.cost if cost.name == "served_shard") == 2 * 7 * (120 + 72)
    paths = list(read_jsonl(next((tmp_path / "study").rglob("paths.jsonl.gz"))))
    assert {row["model"] for row in paths} == {"teacher"}
    for path in (one for one in tmp_path.rglob("*") if one.is_file()):
        data = path.read_bytes()
        assert KEY.encode() not in (gzip.decompress(data) if path.suffix == ".gz" else data), path
    # finished: nobody is asked again, the server is gone
    assert record_of(cfg, tmp_path / "study") == record
    (tmp_path / "study" / record.cell_id / "record.json").unlink()
    assert record_of(cfg, tmp_path / "study").scores == record.scores


def test_what_was_thrown_away_is_paid_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Every third reply has no text: the pool is the same, the record's cost is what the server has read and written."""
    monkeypatch.setattr(openai_backend, "PAUSE_S", 0.001)
    teacher, count = Teacher(), itertools.count()

    def spoiling(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        status, reply = teacher(path, body)
        if body.get("max_tokens", 1) > 1 and next(count) % 3 == 2:
            reply["choices"][0]["text"] = None
        return status, reply

    with scripted_server(spoiling) as url:
        more = (
            "++servers.teacher.retries=9",
            "+servers.teacher.price_prompt=1",
            "+servers.teacher.price_completion=100",
        )
        record = record_of(cell(tmp_path, url, *more, "+servers.teacher.num_params=7"), tmp_path / "study")
    facts, asked = record.data["served_pools"]["teacher"], len(teacher.bodies)
    assert facts["num_requests"] == 24 < asked
    assert facts["num_discarded"] == asked - 24
    assert facts["cost"] == pytest.approx(asked * (5 + 100 * 3) / 1e6)
    costs = [cost for cost in record.cost if cost.name == "served_shard"]
    assert sum(cost.tokens for cost in costs) == 3 * asked
    assert sum(cost.flops for cost in costs) == 2 * 7 * (5 + 3) * asked


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_cell_on_a_real_server_draws_what_its_model_draws(tmp_path: Path):
    """`transformers serve` with a random model: its texts come again for the same seed, and are nobody's answers."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    overrides(tmp_path)
    samples: list[list[str]] = []
    with transformers_server(tmp_path / "model") as url:
        for name in ("store", "again"):
            more = (f"++servers.teacher.model={tmp_path / 'model'}", "+servers.teacher.kind=transformers", "temperature=1",
                    "+servers.teacher.concurrency=1", f"store.root={tmp_path / name}")  # fmt: skip
            record = record_of(cell(tmp_path, url, *more), tmp_path / f"study-{name}")
            files = sorted((tmp_path / name / "served_shard").rglob("samples.jsonl.gz"))
            samples.append([row["text"] for path in files for row in read_jsonl(path)])
    assert samples[0] == samples[1]
    assert len(set(samples[0])) > 20
    facts = record.data["served_pools"]["teacher"]
    assert facts["report"] == {"model": f"{tmp_path / 'model'}@main"}
    assert facts["num_requests"] == record.data["num_samples"] == 24
    assert facts["completion_tokens"] == sum(cost.tokens for cost in record.cost if cost.name == "served_shard")


def test_a_server_that_fails_is_taken_up_again_where_it_was(tmp_path: Path):
    """Two shards of 8 and 4 problems, two draws each; the first is kept."""
    teacher = Teacher(fails_after=18)
    with scripted_server(teacher) as url:
        cfg = cell(tmp_path, url, "+servers.teacher.concurrency=1")
        with pytest.raises(RuntimeError, match=r"\(400\).*out of service.*The 2 replies of this block.*\(16 tokens"):
            compute(cfg, study=tmp_path / "study")
        assert 19 <= len(teacher.bodies) < 24, "what waited was not sent"
        teacher.bodies, teacher.fails_after = [], None
        resumed = record_of(cfg, tmp_path / "study")
        assert len(teacher.bodies) == 8
        whole = record_of(cell(tmp_path, url, f"store.root={tmp_path}/other"), tmp_path / "whole")
    assert (whole.scores, whole.data["served_pools"]) == (resumed.scores, resumed.data["served_pools"])


def test_a_server_is_asked_before_anything_is_computed(tmp_path: Path):
    with scripted_server(Teacher()) as url:
        pass
    message = rf"servers.teacher: the server at {url} is not reached"
    cfg = cell(tmp_path, url)
    with pytest.raises(ValueError, match=message):
        compute(cfg, study=tmp_path / "study")
    with pytest.raises(ValueError, match=message):
        run_sweep([cfg], study_folder=tmp_path / "study", executor=LocalProcesses(workers=1, threads=1))
    assert not (tmp_path / "study").exists()
    assert not list((tmp_path / "store").rglob("*.safetensors"))


def test_a_dry_run_asks_nobody(tmp_path: Path):
    teacher = Teacher()
    with scripted_server(lambda path, body: pytest.fail("asked")) as url:
        assert run_cell(plan_cell(cell(tmp_path, url, "dry_run=true")), study_folder=tmp_path / "study") is None
    assert teacher.bodies == []


def test_another_model_under_the_same_name_never_joins_a_pool(tmp_path: Path):
    teacher = Teacher(fails_after=18)
    with scripted_server(teacher) as url:
        cfg = cell(tmp_path, url, "+servers.teacher.concurrency=1")
        with pytest.raises(RuntimeError, match="out of service"):
            compute(cfg, study=tmp_path / "study")
        teacher.root, teacher.fails_after, teacher.bodies = "/weights/other", None, []
        with pytest.raises(ValueError, match=r"weights/m.*weights/other.*servers.teacher.weights"):
            compute(cfg, study=tmp_path / "study")
        assert teacher.bodies == []
        record = record_of(cell(tmp_path, url, "+servers.teacher.weights=other"), tmp_path / "study")
    assert record.data["served_pools"]["teacher"]["report"] == {"model": "m", "root": "/weights/other"}


def test_two_addresses_are_two_pools_unless_their_weights_have_one_word(tmp_path: Path):
    urls = "http://one:1/v1", "http://two:2/v1"
    one, two = (shards(cell(tmp_path, url))[0] for url in urls)
    assert one.key != two.key
    assert one.random_seed != two.random_seed
    one, two = (shards(cell(tmp_path, url, "+servers.teacher.weights=qwen@1"))[0] for url in urls)
    assert one.key == two.key
    assert one.key != shards(cell(tmp_path, urls[0], "+servers.teacher.weights=qwen@2"))[0].key
    assert one.endpoint.base_url != two.endpoint.base_url


@pytest.mark.parametrize(
    ("change", "is_new"),
    [
        ("+servers.teacher.kind=vllm", True),
        ("+servers.teacher.seeds=false", True),
        ("+servers.teacher.prompt=alpaca", True),
        ("data.max_new_tokens=9", True),
        ("temperature=0.9", True),
        ("donor.num_shots=2", True),
        ("+servers.teacher.concurrency=3", False),
        ("+servers.teacher.timeout_s=3", False),
        ("+servers.teacher.price_prompt=3", False),
        ("+servers.teacher.api_key_env=TEACHER_KEY", False),
        ("data.rule=last_number", False),
        ("sampling.engine=torch", False),
    ],
)
def test_what_a_pool_is_known_by(tmp_path: Path, change: str, is_new: bool):
    before, after = (shards(cell(tmp_path, "http://one:1/v1", *more)) for more in ((), (change,)))
    assert ([one.key for one in before] != [one.key for one in after]) == is_new


def test_controls_are_matched_to_the_servers_pool(tmp_path: Path):
    own, control = (shards(cell(tmp_path, "http://one:1/v1", f"method={name}")) for name in ("rft", "sft_matched"))
    assert [one.key for one in own] == [one.key for one in control]


@pytest.mark.parametrize("prompt", ["plain", "chat"])
def test_worked_examples_are_human_ones_and_never_the_question_itself(tmp_path: Path, prompt: str):
    teacher = Teacher()
    with scripted_server(teacher) as url:
        cfg = cell(tmp_path, url, "donor.num_shots=3", "data_frac=0.5", f"+servers.teacher.prompt={prompt}")
        record = record_of(cfg, tmp_path / "study")
    assert record.setting["donor.num_shots"] == 3
    rows = list(read_jsonl(tmp_path / "data" / "train.jsonl"))
    tests = {row["question"] for row in read_jsonl(tmp_path / "data" / "test.jsonl")}
    seen: dict[str, list[str]] = {}
    for body in teacher.bodies:
        text = body.get("prompt") or "\n".join(turn["content"] for turn in body["messages"])
        found = [row["question"] for row in rows if row["question"] in text]
        asked = re.findall(r"Ann has \d+ red and \d+ blue nails. How many nails has she\?", text)
        assert len(asked) == 4, "three examples and the question"
        assert len(set(asked)) == 4, "the question is not among its own examples"
        assert set(asked) == set(found)
        assert not set(asked) & tests
        assert all(row["answer"] in text for row in rows if row["question"] in asked[:-1])
        seen[asked[-1]] = asked[:-1]
    assert len(seen) == 6, "half of the twelve"
    assert {one for shots in seen.values() for one in shots} <= set(seen), "no example from outside the cell's fraction"
    assert len({one for shots in seen.values() for one in shots}) == 4, "three, and one for those who are among them"


def test_more_examples_than_there_are_is_said():
    cfg = composed(*FROM_FILES, "method=rft", "donor.sft=false", "donor.num_shots=4", "data.num_train=4")
    with pytest.raises(ValueError, match=r"donor.num_shots=4.*4 human examples.*at most 3"):
        plan(cfg, FILES)


SERVER = ("union=[teacher]", "+servers.teacher.base_url=http://one:1/v1", "+servers.teacher.model=m")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("sampling.engine=openai",), r"union=\[NAME\] \+servers.NAME.base_url=URL"),
        (("+servers.teacher.model=m",), r"servers.teacher has \['model'\]: give \+servers.teacher.base_url"),
        ((*SERVER, "+servers.teacher.modle=m"), "its keys are base_url, model"),
        ((*SERVER, "+servers.teacher.kind=ollama"), "servers.teacher: "),
        ((*SERVER, "+servers.teacher.concurrency=0"), r"servers.teacher.concurrency=0 is outside \[1, 1024\]"),
        (SERVER[1:], r"it is in no union: name it, as in union=\[teacher\]"),
        ((*SERVER, "++servers.teacher.base_url=one:1/v1"), r"is no address: give http\(s\)"),
        ((*SERVER, f"++servers.teacher.base_url=http://me:{KEY}@one/v1"), "holds a user, a query"),
        ((*SERVER, f"+servers.teacher.api_key_env={KEY}"), "NAME of an environment variable"),
        ((*SERVER, "select.choose=shortest"), "ranks paths by a model that is here"),
        ((*SERVER, "k=8", "sampling.allocate=by_difficulty"), "leave sampling.allocate at uniform"),
        ((*SERVER, "model.name=teacher"), "neither the cell's model nor a pool"),
        (("donor.num_shots=2",), "set donor.sft=false, or name a server"),
    ],
)
def test_what_cannot_work_is_said_without_repeating_a_key(given: tuple[str, ...], message: str):
    with pytest.raises(ValueError, match=message) as caught:
        composed(*FROM_FILES, "method=rft", *given)
    assert KEY not in str(caught.value)


def test_the_check_asks_each_server_once(tmp_path: Path):
    count = {"probes": 0}
    teacher = Teacher()

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        count["probes"] += body.get("max_tokens") == 1
        return teacher(path, body)

    with scripted_server(answer) as url:
        cells = [plan_cell(cell(tmp_path, url, f"k={k}")).plan for k in (2, 4)]
        found = check_servers([target for one in cells for target in one.targets], store=Store(tmp_path / "store"))
    assert count == {"probes": 1}
    assert found["teacher"].root == "/weights/m"
