"""A study of a model that the user's own configuration files alone know: checked with these, not by the record's word."""

from __future__ import annotations

from pathlib import Path

import pytest
from composing import TINY, compute
from synthetic_study import seal_cell

from rft.check.explain import explain_overrides, find_cell
from rft.check.finding import Finding, Verdict
from rft.check.planned import CELL
from rft.check.recompute import AGAIN
from rft.check.verify import Asked, verify
from rft.cli.explain import main as explain_main
from rft.cli.verify import main as verify_main
from rft.conf_path import conf_folder
from rft.plan.composing import composed
from rft.plan.typed import to_study_config
from rft.records import RECORD_FILE, read_json, write_json


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files of one's own, a study of one cell made with them, and its store."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "conf" / "model").mkdir(parents=True)
    known = (conf_folder() / "model" / "nano-xs.yaml").read_text()
    (folder / "conf" / "model" / "nano-own.yaml").write_text(known.replace("name: nano-xs", "name: nano-own"))
    words = [*TINY, "model=nano-own", "method=sft", f"store.root={folder / '.store'}"]
    compute(to_study_config(composed(words, config_dir=folder / "conf")), study=folder / "study")
    return folder


def of_cells(found: list[Finding]) -> list[Finding]:
    return [one for one in found if one.check == CELL]


def test_without_the_files_it_is_said_what_is_missing(own: Path):
    (found,) = of_cells(verify(own / "study", Asked(str(own / ".store"))))
    assert found.verdict is Verdict.UNCHECKED
    assert "nano-own" in found.why
    assert "--config-dir" in found.why


def test_with_the_files_the_cell_is_its_plan(own: Path):
    found = verify(own / "study", Asked(str(own / ".store"), config_dir=own / "conf"))
    assert [one for one in found if one.verdict is not Verdict.SAME and one.check != AGAIN] == []  # not asked for
    assert len(of_cells(found)) == 1


def test_with_the_files_an_edited_seed_is_found(own: Path, tmp_path: Path):
    (cell,) = (path.parent for path in (own / "study").glob(f"*/{RECORD_FILE}"))
    before = (cell / RECORD_FILE).read_bytes()
    row = read_json(cell / RECORD_FILE)
    row["seeds"]["train_seed"] += 1
    try:
        write_json(cell / RECORD_FILE, row)
        seal_cell(cell)
        (found,) = of_cells(verify(own / "study", Asked(str(own / ".store"), config_dir=own / "conf")))
        assert found.verdict is Verdict.DIFFERS
    finally:
        (cell / RECORD_FILE).write_bytes(before)
        seal_cell(cell)


def test_explain_plans_with_the_files(own: Path):
    record = find_cell(own / "study", "nano-own")
    with pytest.raises(ValueError, match="--config-dir"):
        explain_overrides(record, ["train.lr=2e-3"], store=None)
    text = explain_overrides(record, ["train.lr=2e-3"], store=None, config_dir=own / "conf")
    assert "finetune" in text
    assert "pretrain" not in text  # not trained again


def test_the_commands_refuse_a_folder_that_is_not_there(own: Path, capsys: pytest.CaptureFixture[str]):
    gone = ["--config-dir", str(own / "cofn")]
    assert verify_main([str(own / "study"), *gone]) == 2
    assert explain_main([*gone, str(own / "study"), "nano-own", "--", "train.lr=2e-3"]) == 2
    assert capsys.readouterr().err.count("there is no such folder") == 2
    good = ["--config-dir", str(own / "conf")]
    assert verify_main([str(own / "study"), *good]) == 0
    assert explain_main([*good, str(own / "study"), "nano-own", "--", "train.lr=2e-3"]) == 0
