"""The command `rft`: what it dispatches to, what it says of itself, completion in a real shell, and the state of a study."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic_study import Truth, grid, write_study

from rft import cli
from rft.cli.pipe import READER_LEFT
from rft.cli.plan import with_last_override
from rft.conf_path import conf_folder
from rft.infra.leases import try_lease
from rft.infra.store import Store
from rft.infra.study import Study
from rft.usage import usage

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with an executable `rft`, as an installed package has."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "rft"
    script.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPOSITORY)!r})\nimport rft.cli\nrft.cli.main()\n"
    )
    script.chmod(0o755)
    return folder


@pytest.mark.parametrize("arguments", [["--help"], ["status", "multirun_outputs/reference/claims"]])
def test_a_reader_that_leaves_ends_the_command_without_a_word(arguments: list[str]):
    """As `rft status DIR | head -1` does."""
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, "-c", "import rft.cli; rft.cli.main()", *arguments]
    done = subprocess.run(words, cwd=REPOSITORY, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (READER_LEFT, "")


def rft(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = "import rft.cli; rft.cli.main()"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", code, *arguments]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_help_names_every_subcommand_file(capsys: pytest.CaptureFixture[str]):
    files = {path.stem for path in (REPOSITORY / "rft" / "cli").glob("*.py")} - {"__init__", "completion", "pipe"}
    assert files == {command.name for command in cli.COMMANDS}
    for arguments in ([], ["--help"], ["-h"]):
        assert cli.call(arguments) == 0
        out = capsys.readouterr().out
        assert all(f"  {name} " in out for name in files)


@pytest.mark.parametrize("name", [command.name for command in cli.COMMANDS])
def test_every_subcommand_explains_itself(name: str, tmp_path: Path):
    done = rft(tmp_path, name, "--help")
    assert done.returncode == 0, done.stderr
    modules = {name: f"usage: python -m rft.{name}" for name in ("grade", "select", "store")}  # these name themselves
    of = {"plan": "usage: rft run", **modules}
    assert done.stdout.startswith(of.get(name, f"usage: rft {name}"))
    assert not list(tmp_path.iterdir())


def test_an_unknown_word_is_refused_with_what_is_meant(capsys: pytest.CaptureFixture[str]):
    assert cli.call(["stats"]) == 2
    assert "unknown command 'stats'. Did you mean status?" in capsys.readouterr().err


def test_exit_status_of_a_subcommand_is_that_of_the_program(tmp_path: Path):
    done = rft(tmp_path, "plot", "nowhere")
    assert done.returncode == 2
    assert "nowhere is not a folder" in done.stderr


def test_help_of_run_says_allowed_values_and_choices_without_hydra(tmp_path: Path):
    code = (
        "import sys; sys.argv = ['rft', '--help']; import rft.run; rft.run.main(); "
        "assert not {'hydra', 'omegaconf', 'torch', 'transformers', 'rapidfuzz', 'numpy'} & set(sys.modules); "
        "assert not [name for name in sys.modules if name.startswith(('rft.methods', 'rft.stages', 'rft.text', 'rft.core'))]"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    out = subprocess.check_output([sys.executable, "-c", code], cwd=tmp_path, env=environment, text=True)
    assert "k: int in [1, inf)" in out
    assert "method: expert_iteration | fresh_human | icl |" in out
    assert "quickstart" in out


def test_help_of_run_has_the_keys_that_a_user_sets_alone():
    text = " ".join(usage([conf_folder()]).split())
    assert "dict[" not in text
    assert "plan.*: compare, gpu_gb preflight" in text
    for filled in ("donors", "donor_train", "prompts", "is_shown"):
        assert filled not in text
    assert "+pools.NAME.*: path" in text
    assert "+servers.NAME.*: base_url, model" in text


def test_help_of_run_lists_the_users_files(tmp_path: Path):
    (tmp_path / "mine" / "study").mkdir(parents=True)
    (tmp_path / "mine" / "study" / "pilot.yaml").write_text("k: 2\n")
    assert "pilot" in rft(tmp_path, "run", "--config-dir", "mine", "--help").stdout
    assert "pilot" not in rft(tmp_path, "run", "--help").stdout


def test_plan_writes_nothing(tmp_path: Path):
    done = rft(tmp_path, "plan", "method=sft", "-m")  # a flag behind: the override goes between, where Hydra takes it
    assert done.returncode == 0, done.stderr
    assert "nano-xs_sft_f1_s0" in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_plan_imports_no_torch(tmp_path: Path):
    code = (
        "import sys; sys.argv = ['rft', 'dry_run=true']; import rft.run; rft.run.main(); "
        "assert not {'torch', 'transformers', 'wandb', 'ctranslate2', 'rapidfuzz'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True, capture_output=True)


def test_the_added_override_stands_behind_the_others_and_beside_them():
    assert with_last_override(["-m", "k=1", "dry_run=false"], "dry_run=true")[-1] == "dry_run=true"
    assert with_last_override(["k=1", "-m"], "dry_run=true") == ["k=1", "dry_run=true", "-m"]
    assert with_last_override(["--config-dir", "mine"], "dry_run=true") == ["--config-dir", "mine", "dry_run=true"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rft st", {"status", "stop", "store", "study"}),
        ("rft run model=nano-", {f"model=nano-{size}" for size in ("l", "m", "s", "s-double", "s-half", "xs", "own")}),
        ("rft plan +study=qui", {"+study=quickstart"}),
        ("rft status mi", {"mine"}),
    ],
)
def test_completion_in_bash(line: str, expected: set[str], program: Path, tmp_path: Path):
    (tmp_path / "mine" / "model").mkdir(parents=True)
    shutil.copyfile(REPOSITORY / "conf/model/nano-s.yaml", tmp_path / "mine/model/nano-own.yaml")
    if "model=" in line:
        line = line.replace("model=", "--config-dir mine model=")
    script = (
        'eval "$(rft run -sc install=bash)"; complete -p rft >/dev/null || exit 3\n'
        f'COMP_LINE="{line}"; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n'
        'hydra_bash_completion; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = {**os.environ, "PATH": f"{program}:{os.environ['PATH']}"}
    out = subprocess.check_output(["bash", "-c", script], cwd=tmp_path, env=environment, text=True)
    assert set(out.split()) == expected


@pytest.fixture
def study(tmp_path: Path) -> Study:
    """Three cells: one done, one failed, one that nobody has come to."""
    done = grid(models=["nano-s"], fracs=[1.0], methods=["sft"])
    study = Study(write_study(tmp_path / "multirun_outputs" / "mine", specs=done, truth=Truth(num_items=20)), "mine")
    study.register(["b-2", "c-3"])
    study.fail("b-2", reason="ValueError: loss became NaN", stage="finetune")
    return study


def test_status_says_what_is_done_and_what_is_missing_and_why(
    study: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(study.folder)  # where no default store lies
    assert cli.call(["status", str(study.folder)]) == 0
    out = capsys.readouterr().out
    assert "1 of 3 cells have a record" in out
    assert "missing: b-2: ValueError: loss became NaN" in out
    assert "missing: c-3: not finished" in out
    assert "there is no store" in out


def test_status_names_stages_whose_owner_lives(study: Study, capsys: pytest.CaptureFixture[str]):
    store = Store(study.folder.parent / ".store")
    key = "5f0c4a1e" * 4
    with try_lease(store.lock_path("shard", key), lease_s=store.lease_s) as lease:
        assert lease.is_locked
        cli.call(["status", str(study.folder)])
        assert "being computed now in" in (out := capsys.readouterr().out)
        assert "shard 5f0c4a1e" in out
    cli.call(["status", str(study.folder)])
    assert "nothing" in capsys.readouterr().out.splitlines()[-1]


def test_status_refuses_what_is_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.call(["status", str(tmp_path)]) == 2
    assert "is no study folder" in capsys.readouterr().err
