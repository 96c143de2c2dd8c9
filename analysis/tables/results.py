"""Tables as text: what a study run prints at its end, and the flat CSV of all records.

print(results_table(table, outcomes))
records_csv(table, outcomes)
"""

from __future__ import annotations

import csv
import io
import math
import textwrap
import typing
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.load.cells import ACCURACY, NO_DEDUP, Cell, Missing, Table, group_draws, group_settings
from analysis.load.labels import familiar
from analysis.load.names import base_names, value_text
from analysis.load.outcomes import Outcomes
from analysis.load.places import place_of, untold_keys
from analysis.load.points import mean_of, score_of, share_interval
from analysis.stats.uncertainty import Estimate
from rft.records import Score

MOST_ROWS = 60  # settings; beyond, those on all data alone are printed
WIDTH = 118  # of what is printed, in characters


def results_table(table: Table, outcomes: Outcomes) -> str:
    """One row per setting (accuracy ± standard error in percent, n) and the missing cells with their reasons."""
    header, rows = results_rows(table, outcomes)
    left_out = 0
    if len(rows) > MOST_ROWS:
        short = results_rows(Table(tuple(c for c in table.cells if c.data_frac in (None, 1.0))), outcomes)[1]
        rows, left_out = (short, len(rows) - len(short)) if short else (rows, 0)
    lines = [align(header, rows)] if rows else ["no finished cell"]
    lines += [wrap(note) for note in table.notes]
    if left_out:
        lines.append(f"{left_out} settings on part of the data are not printed: see table5 and records.csv.")
    if rows:
        lines.append(wrap(ERROR_NOTE))
    if table.missing:
        lines.append(f"\n{len(table.missing)} cells are missing and left out of every fit (a missing cell is never 0):")
        lines += _gaps(table.missing)
    return "\n".join(lines)


MOST_GAPS = 12  # missing cells that are named one by one for one reason; of a running study there are hundreds


def _gaps(missing: Sequence[Missing]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for gap in missing:
        by_reason.setdefault(gap.reason, []).append(gap.cell_id)
    lines = []
    for reason, cells in by_reason.items():
        if len(cells) <= MOST_GAPS:
            lines += [wrap(f"{cell}: {reason}", indent="  ") for cell in cells]
        else:
            some = ", ".join(cells[:3])
            lines.append(wrap(f"{len(cells)} cells: {reason} ({some}, ...; all of them in the report)", indent="  "))
    return lines


ERROR_NOTE = (
    "± is one standard error: of a new base of this kind where there are two draws or more (draws, replicates and test "
    "problems together), else of these bases as they are (replicates and problems; of one replicate item noise only). "
    "Where the outcomes of single problems are not at hand, the problems' part is at most what is given. Where none or "
    "all are right: the 95 % Wilson interval."
)


def results_rows(table: Table, outcomes: Outcomes) -> tuple[list[str], list[list[str]]]:
    """(header, rows): one row per setting, its draws and replicates averaged; fields are text, empty where unknown."""
    names = base_names(table.cells)
    voted = sorted({name for cell in table.cells for name in cell.scores if name != "maj1@1"}, key=_score_order)
    header = ["base", "method", "data", "human", "k", "draws", "seeds", "maj1@1 [%]"]
    header += [*(f"{name} [%]" for name in voted), "n", "added", "distinct/q"]
    groups = sorted(group_settings(table.cells).values(), key=lambda group: _order(group[0], list(names)))
    rows = [_row(group, outcomes, name=names[group[0].base], voted=voted) for group in groups]
    names_apart, fields = apart_columns([group[0] for group in groups])
    place = header.index("draws")
    header[place:place] = names_apart
    for row, found in zip(rows, fields, strict=True):
        row[place:place] = found
    return header, rows


SHORT = {
    "data.world.human_style": "style", "temperature": "temp", "sample_from": "from", "train.epoch_rule": "rule",
    "train.epochs": "epochs", "train.lr": "lr", "train.lora_rank": "LoRA", "eval.vote_temperature": "vote temp",
    "union": "donors", "select.policy": "selection",
}  # fmt: skip


def extra_columns(cells: Sequence[Cell]) -> dict[str, str]:
    """Key -> header of whatever sets settings apart that names and labels do not tell, whichever key it is."""
    return {key: SHORT.get(key, key) for key in untold_keys(cells)}


MOST_COLUMNS = 3  # for what labels do not tell; a table of more hides its numbers at the right
UNLIKE = "recipe, where unlike most"


def apart_columns(cells: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    """(headers, a row of fields for each cell) of what `extra_columns` finds: a column each, or of many keys one column.

    That one has what is not the commonest value of its key; all values where this would not tell the same cells apart.
    """
    extra = extra_columns(cells)
    if len(extra) <= MOST_COLUMNS:
        return list(extra.values()), [[field_text(cell, key) for key in extra] for cell in cells]
    every = [also_text(cell, extra) for cell in cells]
    usual = {key: Counter(field_text(c, key) for c in cells if key in c.setting).most_common(1)[0][0] for key in extra}
    odd = [also_text(c, {key: name for key, name in extra.items() if field_text(c, key) != usual[key]}) for c in cells]
    places = [place_of(cell) for cell in cells]
    tells = len(set(zip(places, odd, strict=True))) == len(set(zip(places, every, strict=True)))
    return [UNLIKE if tells else "recipe"], [[text] for text in (odd if tells else every)]


def also_text(cell: Cell, extra: Mapping[str, str]) -> str:
    """The extra columns of one cell in one field: 'temp 1.3; lr 0.003'."""
    return "; ".join(f"{name} {field_text(cell, key)}" for key, name in extra.items() if key in cell.setting)


def field_text(cell: Cell, key: str) -> str:
    """What a cell has of a key: its value, 'null', or nothing where the key means nothing for the cell."""
    return (value_text(cell.setting[key]) or "null") if key in cell.setting else ""


def wrap(text: str, *, indent: str = "") -> str:
    """Text in lines of WIDTH characters, the second and later ones set in."""
    return textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False)


def _order(cell: Cell, bases: list[Any]) -> tuple[Any, ...]:
    return (
        cell.data,
        bases.index(cell.base),
        cell.data_frac or 0,
        cell.lineage,
        cell.union,
        cell.k or 0,
        cell.setting_key,
    )


def _score_order(name: str) -> tuple[str, int]:
    head, _, tail = name.partition("@")
    return head, int(tail) if tail.isdigit() else 0


def _row(group: Sequence[Cell], outcomes: Outcomes, *, name: str, voted: Sequence[str]) -> list[str]:
    cell = group[0]
    sizes = sorted({score.n for c in group if (score := c.accuracy) is not None})
    return [
        name,
        method_name(cell),
        "" if cell.data_frac is None else f"{cell.data_frac:g}",
        number(mean_of(group, "num_human"), digits=0),
        "" if cell.k is None else str(cell.k),
        str(len(group_draws(group))),
        str(len(group)),
        *(score_text(score_of(group, score, outcomes)) for score in (ACCURACY, *voted)),
        "-".join(str(n) for n in ([sizes[0], sizes[-1]] if len(sizes) > 1 else sizes)),
        number(mean_of(group, "num_augmented"), digits=0),
        number(mean_of(group, "distinct_per_question"), digits=2),
    ]


def method_name(cell: Cell) -> str:
    """'rft', 'rft U4' (four donors), 'rft U4 thinned', 'rft no_dedup'; a method that is not known here by its title."""
    words = [cell.method if familiar(cell) else cell.title, f"U{len(cell.union)}" if cell.union else ""]
    words.append("" if cell.on_all_examples else f"{cell.examples_frac:g}")
    words += [NO_DEDUP if cell.policy == NO_DEDUP else "", "thinned" if cell.thinned else ""]
    return " ".join(word for word in words if word)


def score_text(score: Estimate | None) -> str:
    """'41.2 ± 1.4'; nothing where there is no score.

    A share at 0 or 100 % has a standard error of 0, which is no error at all: '0.0 (0.0 to 0.3)' with its interval then.
    """
    if score is None:
        return ""
    if score.se == 0 and score.value in (0.0, 100.0):
        low, high = share_interval(score)
        return f"{score.value:.1f} ({low:.1f} to {high:.1f})"
    return f"{score.value:.1f} ± {score.se:.1f}" if math.isfinite(score.se) else f"{score.value:.1f}"


def number(value: float | None, *, digits: int) -> str:
    """A number, or nothing when it is unknown."""
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def align(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 2) -> str:
    """Columns padded with spaces, the first `left` to the left; columns empty in every row are left out."""
    kept = [i for i in range(len(header)) if any(row[i] for row in rows)]
    widths = [max(len(header[i]), *(len(row[i]) for row in rows)) for i in kept]
    grid = [[header[i] for i in kept], ["-" * w for w in widths], *([row[i] for i in kept] for row in rows)]
    lines = []
    for row in grid:
        cells = [
            text.ljust(w) if i < left else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


Row = list[Any]


def records_rows(table: Table, outcomes: Outcomes) -> tuple[list[str], list[Row]]:
    """(columns, rows): a row a cell: names, every key of the settings, seeds, model, data, scores with n, seconds, FLOPs.

    Fractions; None where a key means nothing for a cell or is not known. Behind a score stand the mean of its setting
    over draws and replicates, the one standard error of that mean, and what it holds: equal in all rows of a setting.
    """
    facts = [name for name, kind in typing.get_type_hints(Cell).items() if kind in FLAT]
    keys = sorted({key for cell in table.cells for key in cell.setting})
    seeds = sorted({name for cell in table.cells for name in cell.seeds})
    scores = sorted({name for cell in table.cells for name in cell.scores}, key=_score_order)
    rates = sorted({name for cell in table.cells for name in cell.rates})
    means = {
        (place, name): score_of(group, name, outcomes)
        for place, group in group_settings(table.cells).items()
        for name in scores
    }
    columns = ["model", "data", *facts, *keys, *seeds, "seconds", "flops"]
    columns += [f"{name}{part}" for name in scores for part in ("", " n", " setting mean", " setting se", " se holds")]
    columns += [f"{name}{part}" for name in rates for part in ("", " n")]
    rows = []
    for cell in table.cells:
        values: Row = [cell.model, cell.data, *(getattr(cell, name) for name in facts)]
        values += [_flat(cell.setting.get(key)) for key in keys] + [cell.seeds.get(name) for name in seeds]
        values += [cell.seconds, cell.flops]
        for name in scores:
            values += _score_fields(cell.scores.get(name), means[(cell.setting_key, cell.base), name])
        for name in rates:
            values += [None, None] if name not in cell.rates else [cell.rates[name].value, cell.rates[name].n]
        rows.append(values)
    return columns, rows


def records_csv(table: Table, outcomes: Outcomes) -> str:
    """`records_rows` as CSV: an empty field where nothing is known."""
    columns, rows = records_rows(table, outcomes)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if value is None else value for value in row] for row in rows])
    return out.getvalue()


def _score_fields(score: Score | None, mean: Estimate | None) -> list[Any]:
    if score is None or mean is None:
        return [None] * 5
    se = mean.se / 100 if math.isfinite(mean.se) else None
    return [score.value, score.n, mean.value / 100, se, mean.kind.value]


FLAT = (str, float, bool, str | None, float | None)  # types of what goes into one field of a CSV file


def _flat(value: Any) -> Any:
    return "+".join(map(str, value)) if isinstance(value, list) else value
