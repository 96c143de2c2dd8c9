"""What it costs to add something: a method, a key, an engine and a rule from one module outside the package."""

from __future__ import annotations

import os
from pathlib import Path

import forked
import pytest
from composing import TINY

from rft.records import Record, read_json

HERE = Path(__file__).resolve().parent


def run(folder: Path, *overrides: str, status: int = 0) -> str:
    """The program as from the command line, with the plug-in's folder on the path."""
    paths = f"{forked.REPOSITORY}{os.pathsep}{HERE}"
    flags = [word for word in overrides if word.startswith("-")]  # which Hydra wants first
    words = ("-m", "rft.run", *flags, *TINY, *(word for word in overrides if word not in flags))
    done = forked.run(*words, cwd=folder, env=forked.environment(PYTHONPATH=paths))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def records(study: Path) -> list[Record]:
    return [Record.from_json(read_json(path)) for path in sorted(study.glob("*/record.json"))]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over the toy's key, by worker processes, with the toy engine and rule."""
    folder = tmp_path_factory.mktemp("plugins")
    choices = (
        "sampling.engine=echo",
        "data.rule=toy_rule",
        "method=toy,sft",
        "methods.toy.times=1,3",
        "study_name=toy",
    )
    run(folder, "-m", "hydra/launcher=dag_local", "hydra.launcher.workers=2", "plugins=[toy_plugin]", *choices)
    return folder / "multirun_outputs" / "toy"


def test_a_method_a_key_an_engine_and_a_rule_come_from_one_file(study: Path):
    found = {(r.setting["method"], r.setting.get("methods.toy.times")): r for r in records(study)}
    assert set(found) == {("toy", 1), ("toy", 3), ("sft", None)}
    assert found["toy", 3].data["num_augmented"] == 32
    assert found["toy", 3].names["method"] == "toy repetition"
    for record in found.values():
        assert record.scores["maj1@1"].value == 1.0  # the toy rule
        assert record.setting["sampling.engine"] == "echo"


def test_the_plug_ins_source_is_part_of_what_rests_on_it(study: Path, tmp_path: Path):
    """Edited, it is another stage: nothing that the old source computed is taken for the new one's."""
    code = (HERE / "toy_plugin.py").read_text().replace("any number is right", "any number is right, edited")
    (tmp_path / "toy_plugin.py").write_text(code)
    environment = forked.environment(PYTHONPATH=f"{forked.REPOSITORY}{os.pathsep}{tmp_path}")
    overrides = ["plugins=[toy_plugin]", "sampling.engine=echo", "method=toy", "dry_run=true"]
    overrides += [f"store.root={study.parent}/.store", "data.rule=toy_rule", "methods.toy.times=3"]
    done = forked.run("-m", "rft.run", *TINY, *overrides, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line.split()[1:3] for line in done.stdout.splitlines() if line[:1].isalpha()}
    assert lines["toy_set"] == lines["finetune"] == lines["evaluate"] == ["1", "0"]
    assert lines["pretrain"] == ["1", "1"]


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("plugins=[no_such_module]",), "plugins names 'no_such_module', which cannot be imported"),
        (("method=toy",), "unknown method 'toy'"),
        (("plugins=[toy_plugin]", "method=tov"), "Did you mean toy?"),
        (("plugins=[toy_plugin]", "methods.toy.tims=2"), "Did you mean times?"),
        (("plugins=[toy_plugin]", "method=toy", "methods.toy.times=0"), "methods.toy.times=0 is outside [1, inf)"),
    ],
)
def test_what_is_misspelt_is_named(tmp_path: Path, overrides: tuple[str, ...], message: str):
    assert message in run(tmp_path, *overrides, status=1)
