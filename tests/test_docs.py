"""The pages for people: their links lead somewhere, their code compiles, and their commands name keys that exist."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from rft.cli import COMMANDS
from rft.conf_path import conf_folder
from rft.config.overrides import check_overrides
from rft.plan.typed import method_options, named_choices

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)")
PLACE = re.compile(r"(?:rft|analysis|conf|docs|tests|examples|hydra_plugins)/[\w/.+-]*[\w/]")  # a path in backticks
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
OVERRIDE = re.compile(r"\+?[a-z_]+(?:[./][a-z_0-9]+)*=\S*")
RUNS = (["python", "-m", "rft.run"], ["rft", "run"], ["rft", "plan"])
CONFIG_DIR = "--config-dir"
IN_PLUGINS = ("repeated",)  # names that a recipe adds


def spans(page: Path) -> list[str]:
    return SPAN.findall(FENCE.sub("", page.read_text(encoding="utf-8")))


def commands(page: Path) -> Iterator[list[str]]:
    """The words of every command: indented lines, with what is continued on the next, and text in backticks."""
    text = FENCE.sub("", page.read_text(encoding="utf-8")).replace("\\\n", " ")
    lines = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    for line in [*lines, *SPAN.findall(text)]:
        for part in line.split(" && "):
            try:
                yield shlex.split(part.replace(".venv/bin/", ""), comments=True)
            except ValueError:
                continue  # a single quotation mark: prose


def overrides(page: Path) -> Iterator[list[str]]:
    """The key=value words of each command that Hydra reads, and of each text in backticks that is nothing else."""
    for words in commands(page):
        runs = any(words[: len(run)] == run for run in RUNS)
        if runs or (words and all(OVERRIDE.fullmatch(word) for word in words)):
            chosen = [words[words.index(CONFIG_DIR) + 1]] if CONFIG_DIR in words else []
            given = [word for word in words if OVERRIDE.fullmatch(word) and not word.endswith("=")]
            yield [*given, *(f"{CONFIG_DIR}={folder}" for folder in chosen if (REPOSITORY / folder).is_dir())]


def problem_of(words: list[str]) -> str | None:
    """What is wrong with key=value words; the last may be a folder of the repository that --config-dir names."""
    own = [REPOSITORY / word.partition("=")[2] for word in words if word.startswith(CONFIG_DIR)]
    words = [word for word in words if not word.startswith(CONFIG_DIR)]
    known = {key: [*names, *IN_PLUGINS] for key, names in named_choices().items()}
    plain = [re.sub(r"\|.*", "", word) for word in words]  # tracking.mode=online|disabled: the first of several
    return check_overrides(plain, folders=[*own, conf_folder()], choices=known, options=method_options())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path):
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    assert [target for target in targets if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_in_backticks_exist(page: Path):
    named = [text for text in spans(page) if PLACE.fullmatch(text)]
    assert [text for text in named if not (REPOSITORY / text).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_name_keys_and_choices_that_exist(page: Path):
    assert [problem for words in overrides(page) if (problem := problem_of(words))] == []


def test_the_pages_hold_commands_to_check():
    found = {page.name: sum(map(len, overrides(page))) for page in PAGES}
    assert found["README.md"] >= 10
    assert found["usage.md"] >= 30


def test_a_wrong_key_would_be_found():
    assert "data_frc" in str(problem_of(["data_frc=0.5"]))
    assert "nano-q" in str(problem_of(["model=nano-s,nano-q"]))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_and_subcommands_exist(page: Path):
    subcommands = {command.name for command in COMMANDS}
    for words in commands(page):
        if words[:2] == ["python", "-m"] and words[2].split(".")[0] in ("rft", "analysis"):
            module = REPOSITORY / words[2].replace(".", "/")
            assert module.with_name(f"{module.name}.py").exists() or (module / "__main__.py").exists(), words
        if words[:1] == ["rft"] and len(words) > 1 and "|" not in words:
            assert words[1].startswith("-") or words[1] in subcommands, words
        if words[:1] == ["python"] and words[1].endswith(".py"):
            assert (REPOSITORY / words[1]).exists(), words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_compile(page: Path):
    for language, code in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            ast.parse(code)
