"""`rft verify` against edits of every kind of file that a number rests on, with and without digests made to fit."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from synthetic_study import seal_cell

from rft import cli
from rft.archive.writing import write_archive
from rft.check.finding import Finding, Verdict, failed
from rft.check.verify import Asked, verify
from rft.infra.bucket_store import _digest
from rft.infra.manifest import MANIFEST_FILE, read_manifest, write_manifest
from rft.records import (
    OUTCOMES_FILE,
    PATHS_FILE,
    RECORD_FILE,
    SHOWN_FILE,
    read_json,
    read_jsonl,
    write_json,
    write_jsonl,
)

Row = dict[str, Any]


def found(place: Path, *kinds: str, store: bool = True) -> list[Finding]:
    return verify(place / "study", Asked(str(place / ".store") if store else None, kinds))


def bad(place: Path, *kinds: str, store: bool = True) -> dict[str, str]:
    """What differs, by check, a line each."""
    lines: dict[str, list[str]] = {}
    for one in found(place, *kinds, store=store):
        if one.verdict is Verdict.DIFFERS:
            lines.setdefault(one.check, []).append(f"{one.place}: {one.why}")
    return {check: "\n".join(own) for check, own in lines.items()}


def cell(place: Path, method: str = "rft") -> Path:
    return next((place / "study").glob(f"*_{method}_*"))


def stage(place: Path, kind: str, number: int = 0) -> Path:
    """The folder of a finished stage."""
    return sorted((place / ".store").glob(f"{kind}/*/*"))[number]


def remake(folder: Path) -> None:
    """The same of a stage."""
    old = read_manifest(folder)
    assert old is not None
    (folder / MANIFEST_FILE).unlink()
    write_manifest(folder, name=old.name, key=old.key, seconds=old.seconds, meta=old.meta)


def edit_record(folder: Path, change: Callable[[Row], None]) -> None:
    row = read_json(folder / RECORD_FILE)
    change(row)
    write_json(folder / RECORD_FILE, row)


def edit_rows(path: Path, change: Callable[[list[Row]], None]) -> None:
    rows = list(read_jsonl(path))
    change(rows)
    write_jsonl(path, rows)


def test_an_honest_study_differs_in_nothing_and_is_left_as_it_is(place: Path):
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    findings = found(place, "all")
    assert not failed(findings)
    assert not any(one.verdict is Verdict.UNCHECKED for one in findings)
    assert {one.check for one in findings} == {
        "digests", "scores", "answers", "texts", "kept paths", "stage files", "record against stages", "graded again",
        "computed again", "names", "cell", "what its plan says", "facts of its stages", "files against stages",
    }  # fmt: skip
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def nudge(row: Row) -> None:
    row["scores"]["maj1@1"]["value"] += 0.1


@pytest.mark.parametrize(
    ("change", "sealed_check"),
    [
        (nudge, "scores"),
        (lambda row: row["rates"]["no_answer"].update(n=15), "scores"),
        (lambda row: row["scores"]["maj1@2"].update(se=0.5), "scores"),
        (lambda row: row["scores"].pop("pass@2"), "scores"),
        (lambda row: row["model"].update(pretrain_loss_nats=1.25), "record against stages"),
        (lambda row: row["data"].update(num_samples=7), "record against stages"),
        (lambda row: row["cost"][0].update(seconds=0.5), "record against stages"),
        (lambda row: row["stages"][-1].update(code="0" * 32), "record against stages"),
        (lambda row: row["provenance"]["origins"][0].update(commit="0" * 40), "record against stages"),
        (lambda row: row["data"].update(num_augmented=99), "kept paths"),
        (lambda row: row["setting"].update({"train.lr": 2 * row["setting"]["train.lr"]}), "cell"),
        (lambda row: row["seeds"].update(train_seed=7), "cell"),
        (lambda row: row.update(cell_key=row["cell_key"][:8] + "0" * 24), "cell"),
        (lambda row: row["model"].update(num_params=7), "facts of its stages"),
        (lambda row: row["model"].update(pretrain_tokens=7), "facts of its stages"),
        (lambda row: row["data"].update(drawn_per_question=7.0), "facts of its stages"),
    ],
)
def test_an_edited_record_is_found_also_with_fitting_digests(
    place: Path, change: Callable[[Row], None], sealed_check: str
):
    edit_record(cell(place), change)
    assert "digests" in bad(place, store=False)
    seal_cell(cell(place))
    differing = bad(place)
    assert "digests" not in differing
    assert sealed_check in differing


def turn(rows: list[Row]) -> None:
    """One greedy letter becomes right: of a solution without an answer."""
    row = next(row for row in rows if row["greedy"]["outcome"] != "C" and row["greedy"]["answer"] is None)
    row["greedy"]["outcome"] = "C"


def fitting_scores(folder: Path) -> None:
    """Scores of the record recomputed from the forged outcomes, by a count of letters."""
    letters = [row["greedy"]["outcome"] for row in read_jsonl(folder / OUTCOMES_FILE)]
    kinds = [row["greedy"]["kind"] for row in read_jsonl(folder / OUTCOMES_FILE)]
    n = len(letters)

    def score(hits: int) -> Row:
        p = hits / n
        return {"value": p, "n": n, "se": (p * (1 - p) / n) ** 0.5}

    def change(row: Row) -> None:
        row["scores"]["maj1@1"] = score(letters.count("C"))
        row["rates"] |= {"no_answer": score(letters.count("N")), "truncated": score(letters.count("T"))}
        names = {"arithmetic_error": "a", "plan_error": "p", "lucky": "l"}
        row["rates"] |= {name: score(kinds.count(letter)) for name, letter in names.items()}

    edit_record(folder, change)


def test_a_turned_letter_is_found_also_where_the_record_was_made_to_fit(place: Path):
    folder = cell(place)
    edit_rows(folder / OUTCOMES_FILE, turn)
    assert {"digests", "scores"} <= bad(place, store=False).keys()
    fitting_scores(folder)
    seal_cell(folder)
    alone = bad(place, store=False)
    assert "scores" not in alone
    assert "answers" in alone
    assert "outcomes are not those of" in bad(place)["record against stages"]


def test_an_outcome_file_of_another_cell_is_found(place: Path):
    shutil.copyfile(cell(place, "sft") / OUTCOMES_FILE, cell(place) / OUTCOMES_FILE)
    assert "digests" in bad(place, store=False)
    fitting_scores(cell(place))
    seal_cell(cell(place))
    assert "outcomes are not those of" in bad(place)["record against stages"]


@pytest.mark.parametrize("name", [SHOWN_FILE, PATHS_FILE])
def test_an_edited_text_is_found(place: Path, name: str):
    folder = cell(place)

    def change(rows: list[Row]) -> None:
        row = next(row for row in rows if row.get("outcome", "correct") != "correct" or name == PATHS_FILE)
        row["text"] = f"1+1=<<1+1=2>>2\n#### {row.get('gold', 'none')}"

    if name == PATHS_FILE:  # this tiny model keeps nothing: a path comes out of nowhere
        row = {"id": "w-1", "key": "", "model": "nano-xs", "draw": 0, "text": "1+1=<<1+1=2>>2\n#### 2", "seed": 0}
        write_jsonl(folder / name, [*read_jsonl(folder / name), row])
    else:
        edit_rows(folder / name, change)
    assert "digests" in bad(place, store=False)
    seal_cell(folder)
    assert ("kept paths" if name == PATHS_FILE else "texts") in bad(place, store=False)


def test_a_flipped_bit_in_any_file_of_any_stage_is_found(place: Path):
    files = [path for path in sorted((place / ".store").glob("[!.]*/*/*/*")) if path.is_file()]
    kinds = {path.relative_to(place / ".store").parts[0] for path in files}
    assert {
        "corpus",
        "pretrain",
        "loss",
        "human_set",
        "finetune",
        "shard",
        "select",
        "kept_set",
        "vote",
        "evaluate",
    } <= kinds
    some = {(path.parent.parent.parent.name, path.name): path for path in files}  # each kind of file once
    rounds: dict[int, list[Path]] = {}
    for path in some.values():  # in a round one file of each of these stages, which are told apart
        taken = (number for number, paths in rounds.items() if path.parent in [other.parent for other in paths])
        rounds.setdefault(max(taken, default=-1) + 1, []).append(path)
    for paths in rounds.values():
        contents = {path: path.read_bytes() for path in paths}
        for path, content in contents.items():
            at = len(content) // 2
            path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        told = {" ".join(line.split()[:2]).rstrip(":") for line in bad(place)["stage files"].splitlines()}
        assert told == {f"{path.parent.parent.parent.name} {path.parent.name[:8]}" for path in paths}, paths
        for path, content in contents.items():
            path.write_bytes(content)
    assert not bad(place)


def test_a_missing_stage_is_not_checked_and_no_fault(place: Path):
    shutil.rmtree(stage(place, "select"))
    assert not bad(place)
    gaps = [one for one in found(place) if one.verdict is Verdict.UNCHECKED]
    assert any(one.place.startswith("select") and one.why == "not in the store" for one in gaps)


@pytest.mark.parametrize(("kind", "name"), [("human_set", "examples.jsonl"), ("kept_set", "examples.jsonl")])
def test_a_changed_training_set_with_a_fitting_manifest_is_found_by_computing_it_again(
    place: Path, kind: str, name: str
):
    folder = stage(place, kind)
    edit_rows(folder / name, lambda rows: rows[0].update(solution="2*2=<<2*2=4>>4\n#### 4"))
    remake(folder)
    assert "stage files" not in bad(place)
    assert f"{name}: 1 of" in bad(place, kind)["computed again"]


def test_other_weights_with_a_fitting_manifest_are_found(place: Path):
    for number in range(len(list((place / ".store").glob("finetune/*/*")))):
        folder = stage(place, "finetune", number)
        path = folder / "model.safetensors"
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        remake(folder)
    differing = bad(place, "finetune")
    assert "its weights are others" in differing["record against stages"]
    assert "model.safetensors: other content" in differing["computed again"]


def test_forged_grades_of_a_stage_are_found_by_grading_its_texts(place: Path):
    for number in range(2):
        folder = stage(place, "evaluate", number)

        def change(rows: list[Row]) -> None:
            rows[0].update(outcome="W" if rows[0]["outcome"] == "C" else "C")

        edit_rows(folder / OUTCOMES_FILE, change)
        remake(folder)
    assert "graded again" in bad(place)


def test_forged_votes_and_draws_of_a_stage_are_found_by_grading_their_texts(place: Path):
    folder = stage(place, "vote")
    edit_rows(folder / OUTCOMES_FILE, lambda rows: rows[0].update(outcomes="CC"))
    remake(folder)
    assert "vote" in bad(place)["graded again"]


def test_a_renamed_or_unreadable_cell_is_found(place: Path):
    manifest = read_json(place / "study" / "study.json")
    manifest["cells"][0]["cell_id"] = "nano-xs_sft_f1_s9-00000000"
    write_json(place / "study" / "study.json", manifest)
    assert "it holds nano-xs" in bad(place)["records"]
    path = cell(place) / RECORD_FILE
    path.write_text(path.read_text()[:-40])
    assert "cannot be read" in bad(place)["records"]


def test_an_archive_is_checked_part_by_part_and_a_fitting_forgery_by_its_scores(place: Path, tmp_path: Path):
    to = tmp_path / "archive"
    write_archive(place / "study", to=to)
    assert not failed(verify(to, Asked(str(place / ".store"))))
    for path in to.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
        assert failed(verify(to, Asked())), path.name
        path.write_bytes(content)
    edit_record(cell(place), nudge)
    seal_cell(cell(place))
    write_archive(place / "study", to=to)  # whoever archives an edited study has digests that fit
    (differing,) = [one for one in verify(to, Asked()) if one.verdict is Verdict.DIFFERS]
    assert differing.check == "scores"


@pytest.mark.parametrize("name", ["quickstart", "real-study"])
def test_the_committed_studies_differ_in_nothing(name: str):
    findings = verify(Path("multirun_outputs/reference") / name, Asked())
    assert not failed(findings)
    gaps = {one.check for one in findings if one.verdict is Verdict.UNCHECKED}
    without_model = name == "real-study" and not Path("multirun_outputs/.models/smollm2-135m").exists()
    assert gaps == {"texts", "kept paths", "stage files"} | ({"cell"} if without_model else set())


def test_exit_status_and_text_of_the_command(place: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.call(["verify", str(place / "study"), "--stages", "human_set"]) == 0
    out = capsys.readouterr().out
    assert out.endswith("nothing differs\n")
    edit_record(cell(place), nudge)
    assert cli.call(["verify", str(place / "study")]) == 1
    assert f"differs: scores: {cell(place).name}: maj1@1 value is " in capsys.readouterr().out
    assert cli.call(["verify", str(place / "study"), "--stages", "fintune"]) == 2
    assert "did you mean finetune?" in capsys.readouterr().err
    assert cli.call(["verify", str(place)]) == 2


def test_the_letters_of_gzip_are_not_trusted(place: Path):
    """Rows are compared, not bytes: the same rows in another compression are the same study but for its digest."""
    path = cell(place) / OUTCOMES_FILE
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 1))
    assert bad(place).keys() == {"digests"}
    assert json.loads((cell(place) / "digests.json").read_text())


def test_a_store_in_a_bucket_is_checked_and_not_changed(place: Path, monkeypatch: pytest.MonkeyPatch):
    """The same stages in a bucket; files are brought to where the command is."""
    monkeypatch.chdir(place)
    bucket = place / "bucket"
    for manifest in (place / ".store").glob("*/*/*/manifest.json"):
        kind, key, text = manifest.parents[2].name, manifest.parent.name, manifest.read_bytes()
        (bucket / kind / "manifests").mkdir(parents=True, exist_ok=True)
        (bucket / kind / "manifests" / f"{key}.json").write_bytes(text)
        shutil.copytree(manifest.parent, bucket / kind / "files" / key / _digest(text))
    before = {path: path.read_bytes() for path in bucket.rglob("*") if path.is_file()}
    findings = verify(place / "study", Asked(f"file://{bucket}"))
    assert not failed(findings)
    assert {one.check for one in findings} >= {"stage files", "graded again", "facts of its stages"}
    assert {path: path.read_bytes() for path in bucket.rglob("*") if path.is_file()} == before
    path = next(path for path in bucket.glob("vote/files/*/*/*") if path.name != "manifest.json")
    path.write_bytes(path.read_bytes()[:-1])
    shutil.rmtree(place / "multirun_outputs")  # the cache
    (differing,) = [one for one in verify(place / "study", Asked(f"file://{bucket}")) if one.check == "stage files"
                    and one.verdict is Verdict.DIFFERS]  # fmt: skip
    assert path.name in differing.why
