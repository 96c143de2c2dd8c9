"""The paper's tables 1, 2, 4, 5 and 6 from any study, as Markdown, LaTeX and CSV.

    for name, grid in paper_tables(table, outcomes).items():
        grid.texts()["md"], grid.texts()["tex"], grid.texts()["csv"]

Tables 1, 2 and 4 are of one recipe and name what they leave out; the others have a row for every setting, with a column for
what labels do not tell. Accuracies in percent: mean over draws and replicates ± the one standard error
(analysis.load.points.score_of); an empty field is a number that does not exist, never 0. Where settings of one base that a
table lays side by side were not run in the same draws of it, each number says in how many.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.compare.costs import SAMPLING, making
from analysis.load.cells import BASE_STAGES, Base, Draw, Table
from analysis.load.labels import method_label, studied, studied_methods
from analysis.load.ladders import own_ladders
from analysis.load.names import base_names, counted
from analysis.load.outcomes import Outcomes
from analysis.load.points import Point, distinct_of, make_points, score_of
from analysis.load.query import ALL_DATA, where
from analysis.load.recipes import main_recipe
from analysis.load.voted import in_one_way
from analysis.style import METHODS
from analysis.tables.perturbed import copy_rows
from analysis.tables.results import also_text, extra_columns, number, score_text

VOTED = re.compile(r"maj1@[0-9]+")
LATEX = str.maketrans({"%": r"\%", "_": r"\_", "&": r"\&", "#": r"\#", "±": r"$\pm$", "−": "$-$", "$": r"\$"})


@dataclass(frozen=True)
class Grid:
    """A table of text."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""  # what its numbers hold, and what the table leaves out

    def texts(self) -> dict[str, str]:
        """The table by file ending: md, tex, csv."""
        return {"md": self.markdown(), "tex": self.latex(), "csv": self.comma_separated()}

    def markdown(self) -> str:
        """GitHub's form."""
        lines = [f"**{self.title}**", "", "| " + " | ".join(self.header) + " |", "|---" * len(self.header) + "|"]
        lines += ["| " + " | ".join(field.replace("|", r"\|") for field in row) + " |" for row in self.rows]
        lines += ["", self.note] if self.note else []
        return "\n".join(lines) + "\n"

    def latex(self) -> str:
        """A booktabs tabular."""
        lines = [f"% {text}" for text in (self.title, self.note) if text]
        lines += [r"\begin{tabular}{l" + "r" * (len(self.header) - 1) + "}", r"\toprule"]
        lines += [" & ".join(field.translate(LATEX) for field in self.header) + r" \\", r"\midrule"]
        lines += [" & ".join(field.translate(LATEX) for field in row) + r" \\" for row in self.rows]
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"

    def comma_separated(self) -> str:
        """CSV with a header."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([self.header, *self.rows])
        return out.getvalue()


def paper_tables(table: Table, outcomes: Outcomes) -> dict[str, Grid]:
    """The tables that the study has rows for."""
    points = make_points(table.cells, outcomes)
    names = base_names(p.cell for p in points)
    main = main_recipe([p for p in points if p.cell.source is None])
    of_one = [*main.points, *(p for p in points if p.cell.source is not None)]
    grids = {name: _noted(make(of_one, names)) for name, make in OF_ONE_RECIPE.items()}
    grids = {name: replace(grid, note=f"{grid.note} {main}".strip()) for name, grid in grids.items()}
    grids |= {name: _noted(make(points, names, outcomes)) for name, make in OF_ALL_SETTINGS.items()}
    return {name: grids[name] for name in sorted(grids) if grids[name].rows}


def _score(point: Point | None, among: Sequence[Point] = ()) -> str:
    """'41.2 ± 1.4', of unlike draws of `among` '41.2 ± 1.4 (1 draw)'."""
    return "" if point is None else f"{score_text(point.estimate)}{_draws_words(point, among)}"


def _draws_words(point: Point, among: Sequence[Point]) -> str:
    """' (1 draw)' where some settings of its base were not run in the same draws of it; '' where all were."""
    mine = {frozenset(cell.draw for cell in other.cells) for other in where(among, base=point.cell.base)}
    return f" ({counted(len(point.draws), 'draw')})" if len(mine) > 1 else ""


DRAWS_NOTE = (
    "In brackets, where settings of a base were not run in the same draws of it: in how many; what draws are worth is in the "
    "difference of such numbers."
)


def _noted(grid: Grid) -> Grid:
    """With a word on its brackets, where it has any."""
    told = any(re.search(r" \([0-9]+ draws?\)$", field) for row in grid.rows for field in row)
    return replace(grid, note=f"{grid.note} {DRAWS_NOTE}".strip()) if told else grid


def _full(points: Sequence[Point], base: Base, method: str) -> Point | None:
    found = where(points, method=method, base=base, data_frac=ALL_DATA)
    return _only(found) if found else None


def _only(points: Sequence[Point]) -> Point:
    (point,) = points  # of one recipe there is one setting for each place
    return point


def _table_1(points: Sequence[Point], names: dict[Base, str]) -> Grid:
    """Methods that are not known here get a column of their own behind the paper's."""
    rows, others, largest = [], _other_methods(points), True
    for base, name in names.items():
        top = _top(points, base, method="rft")
        mine = where(points, base=base)
        if not mine:
            continue
        found = [_full(points, base, "icl"), _full(points, base, "sft"), top]
        found += [_top(points, base, method=method) for method in others]
        shown = [point for point in found if point is not None]
        icl, sft, rft, *further = (_score(point, shown) for point in found)
        correct, distinct = (None, None) if top is None else (top.mean_of("correct_per_question"), distinct_of(top))
        k = "" if top is None else str(top.cell.k)
        paths = (number(correct, digits=1), number(distinct, digits=2))
        rows.append((name, number(_loss_of(mine), digits=3), icl, sft, rft, k, *paths, *further))
        largest &= all(own_ladders(points, method=p.method)[base][-1] is p for p in shown if studied(p.cell))
    header = (
        "base",
        "pretraining loss",
        "ICL",
        "SFT",
        "RFT",
        "k",
        "correct paths/q",
        "distinct paths/q",
        *others.values(),
    )
    which = "largest k" if largest else "largest k of those in most draws"
    return Grid(f"Table 1: pretraining loss, ICL, SFT and RFT ({which}), maj1@1 [%]", header, tuple(rows))


def _other_methods(points: Sequence[Point]) -> dict[str, str]:
    """Studied methods besides RFT, with their titles."""
    return {name: where(points, method=name)[0].cell.title for name in studied_methods(points) if name != "rft"}


def _top(points: Sequence[Point], base: Base, *, method: str) -> Point | None:
    """Of a base's settings with a method on all data, that of the largest k among those that were run in most draws."""
    ladder = own_ladders(points, method=method).get(base, [])
    most = max((len(point.draws) for point in ladder), default=0)
    return next((point for point in reversed(ladder) if len(point.draws) == most), None)


def _loss_of(points: Sequence[Point]) -> float | None:
    """Mean pretraining loss of the drawn bases; None where it is not known of all, or of one draw twice and unlike."""
    losses: dict[Draw, set[float | None]] = {}
    for point in points:
        for cell in point.cells:
            losses.setdefault(cell.draw, set()).add(cell.loss)
    known = [value for found in losses.values() for value in found if value is not None]
    return sum(known) / len(known) if len(known) == len(losses) else None


def _by_k(ladder: Sequence[Point]) -> dict[int | None, Point]:
    return {k: _only(where(ladder, k=k)) for k in dict.fromkeys(p.cell.k for p in ladder)}


def _table_2(points: Sequence[Point], names: dict[Base, str]) -> Grid:
    methods = {"rft": "", **{method: f", {title}" for method, title in _other_methods(points).items()}}
    ladders = {
        name + title: _by_k([p for p in own_ladders(points, method=method).get(base, []) if p.cell.k])
        for base, name in names.items()
        for method, title in methods.items()
    }
    ladders = {
        name: ladder for name, ladder in ladders.items() if any(distinct_of(p) is not None for p in ladder.values())
    }
    ks = sorted({k for ladder in ladders.values() for k in ladder if k is not None})
    rows = [(str(k), *(_distinct(ladder, k) for ladder in ladders.values())) for k in ks]
    counted = "with the human path" if points and points[0].cell.source else "without the human path"
    return Grid(f"Table 2: distinct paths per question ({counted}) by k", ("k", *ladders), tuple(rows))


def _distinct(ladder: Mapping[int | None, Point], k: int) -> str:
    """'1.52', of k in unlike draws '2.64 (1 draw)'."""
    if k not in ladder:
        return ""
    return f"{number(distinct_of(ladder[k]), digits=2)}{_draws_words(ladder[k], list(ladder.values()))}"


STAGES = (("pretraining", BASE_STAGES), ("fine-tuning", ("finetune",)), ("sampling", SAMPLING))


def _table_4(points: Sequence[Point], names: dict[Base, str]) -> Grid:
    rows, unions = [], False
    for base, name in names.items():
        for method in ("sft", "rft", *_other_methods(points)):
            mine = [p for p in where(points, method=method, base=base, data_frac=1) if p.cell.cost]
            if not mine:
                continue
            cell = max(mine, key=lambda p: (len(making(p.cell)), p.cell.k or 0, p.cell.plainly_selected)).cell
            fields = [name, method_label(cell)]
            for _, stages in STAGES:
                costs = [s for s in making(cell) if s.name in stages]
                fields.append(f"{sum(s.flops for s in costs):.2g}" if costs else "")
                fields.append(f"{sum(s.seconds for s in costs) / 3600:.3g}" if costs else "")
            rows.append(tuple(fields))
            unions |= bool(cell.union)
    header = ("base", "cell", *(f"{name} {unit}" for name, _ in STAGES for unit in ("FLOPs", "hours")))
    note = "Fine-tuning and sampling of a cell with donors: those of its donors' SFT models too." if unions else ""
    return Grid("Table 4: computation (of the first replicate; shared stages in full)", header, tuple(rows), note)


def _table_5(points: Sequence[Point], names: dict[Base, str], outcomes: Outcomes) -> Grid:  # noqa: ARG001
    """Every setting in rows, bases in columns."""
    rows: dict[tuple[str, str, str, str], dict[str, str]] = {}
    told = ("train.epochs", "train.epoch_rule")  # they have a column
    extra = {key: name for key, name in extra_columns([p.cell for p in points]).items() if key not in told}
    for point in sorted(points, key=_table_5_order):
        cell = point.cell
        epochs = "" if cell.epochs is None else f"{cell.epochs:g}"
        rule = "" if cell.epoch_rule is None else f"{cell.epoch_rule}, {epochs}"
        data = "" if cell.data_frac is None else f"{cell.data_frac:g}"
        row = rows.setdefault((method_label(cell), data, rule, also_text(cell, extra)), {})
        assert names[cell.base] not in row, "a row tells all that sets settings apart"
        row[names[cell.base]] = _score(point, points)
    grid = tuple((*key, *(row.get(name, "") for name in names.values())) for key, row in rows.items())
    return Grid("Table 5: all settings, maj1@1 [%]", ("method", "data", "epochs", "also", *names.values()), grid)


def _table_5_order(point: Point) -> tuple[object, ...]:
    order = {"icl": 0, "sft": 1, "sft_best": 2, "rft": 3}
    cell = point.cell
    return (
        order.get(cell.method, 9 if cell.lineage[0] in METHODS else 10),
        *cell.lineage,
        len(cell.union),
        cell.policy or "",
        cell.data_frac or 0,
        cell.k or 0,
        cell.setting_key,
    )


def _table_6(points: Sequence[Point], names: dict[Base, str], outcomes: Outcomes) -> Grid:
    shown = in_one_way(where(points, data_frac=ALL_DATA), outcomes).points
    voted = sorted({n for p in shown for c in p.cells for n in c.scores if VOTED.fullmatch(n) and n != "maj1@1"})
    extra = extra_columns([p.cell for p in shown])
    rows = [
        (
            names[p.cell.base],
            method_label(p.cell),
            also_text(p.cell, extra),
            _score(p, shown),
            *(score_text(score_of(p.cells, n, outcomes)) for n in voted),
        )
        for p in sorted(shown, key=lambda p: (list(names).index(p.cell.base), _table_5_order(p)))
    ]
    return Grid("Table 6: greedy and voted accuracy [%]", ("base", "method", "also", "maj1@1", *voted), tuple(rows))


def _table_perturbed(points: Sequence[Point], names: dict[Base, str], outcomes: Outcomes) -> Grid:
    """Has the base model seen the test set? Then its accuracy falls on the copy, and methods are compared there."""
    ordered = sorted(points, key=lambda p: (list(names).index(p.cell.base), _table_5_order(p)))
    header, rows = copy_rows(ordered, names, outcomes)
    return Grid("Numbers-changed copy of the test set, the same problems, maj1@1 [%]", header, tuple(rows))


Maker = Callable[[Sequence[Point], dict[Base, str]], Grid]
OF_ONE_RECIPE: Mapping[str, Maker] = {"table1": _table_1, "table2": _table_2, "table4": _table_4}
OF_ALL_SETTINGS: Mapping[str, Callable[[Sequence[Point], dict[Base, str], Outcomes], Grid]] = {
    "table5": _table_5, "table6": _table_6, "table_perturbed": _table_perturbed,
}  # fmt: skip
