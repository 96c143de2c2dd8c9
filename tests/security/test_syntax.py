"""No text from outside is run: what the syntax tree of the project may not hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BARE = {"eval", "exec", "compile", "__import__"}
DOTTED = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "marshal.loads",
    "marshal.load",
}
DOTTED |= {f"{module}.{name}" for module in ("pickle", "dill", "cloudpickle", "joblib") for name in ("load", "loads")}
DOTTED |= {"shelve.open", "pickle.Unpickler", "yaml.unsafe_load", "yaml.full_load", "yaml.load", "pandas.read_pickle"}
# What this process or its own sweep wrote a moment before, never a file that somebody hands over
OWN = {
    ("rft/execute/gathered.py", "pickle.loads"),
    ("hydra_plugins/rft_launchers/job_composing.py", "pickle.loads"),
    ("rft/infra/cluster/job.py", "pickle.loads"),
    ("rft/infra/cluster/ray_worker.py", "pickle.loads"),
}


def sources() -> list[Path]:
    places = ("rft", "analysis", "hydra_plugins", "examples")
    return [path for place in places for path in sorted((REPOSITORY / place).rglob("*.py"))] + [REPOSITORY / "setup.py"]


def dangers(code: str) -> Iterator[str]:
    """Calls that run, or could run, what they are given."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (name for a in node.names if (name := f"{node.module}.{a.name}") in DOTTED)
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if name in BARE or name in DOTTED:
            yield name
        if given.get("shell", "False") != "False":
            yield f"{name}(shell=...)"
        if given.get("trust_remote_code", "False") != "False" or given.get("allow_pickle", "False") != "False":
            yield f"{name} of code"
        if name == "torch.load" and given.get("weights_only") != "True":
            yield "torch.load without weights_only"
        if name.endswith(".from_pretrained") and "Model" in name and "gguf_file" not in given:
            shared = "options" in given.values() or "trust_remote_code" in given
            if given.get("use_safetensors") != "True" or not shared:
                yield f"{name} without use_safetensors, trust_remote_code"


def test_nothing_runs_what_it_reads():
    found = {
        (str(path.relative_to(REPOSITORY)), name) for path in sources() for name in dangers(path.read_text("utf-8"))
    }
    assert found == OWN


@pytest.mark.parametrize(
    "code",
    [
        "eval(x)",
        "import subprocess as s\ns.run(x, shell=True)",
        "pickle.load(f)",
        "from pickle import loads",
        "yaml.load(f)",
        "torch.load(f)",
        "AutoModelForCausalLM.from_pretrained(x)",
        "np.load(f, allow_pickle=True)",
        "M.from_pretrained(x, trust_remote_code=flag)",
    ],
)
def test_each_danger_is_seen(code: str):
    assert list(dangers(code))
