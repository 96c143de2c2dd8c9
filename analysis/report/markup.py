"""HTML from plain values. Whatever is not a `Markup` is escaped.

table(["base", "k"], [["nano-s", "4"]], name="results", caption="All settings", filters=("base",))
tag("p", "a < b", class_="note")                # <p class="note">a &lt; b</p>
"""

from __future__ import annotations

import html
from collections.abc import Sequence


class Markup(str):
    """Text that is HTML already; what is added to it is escaped unless it is HTML too."""

    def __add__(self, other: str) -> Markup:
        return Markup(str(self) + str(escape(other)))


def escape(value: object) -> Markup:
    """Text for element content and for quoted attributes."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value), quote=True))


def join(parts: Sequence[object], separator: str = "\n") -> Markup:
    """Parts one after the other, plain ones escaped."""
    return Markup(separator.join(escape(part) for part in parts))


def tag(name: str, *content: object, **attributes: object) -> Markup:
    """An element; an attribute that is a Python word ends in an underscore, other underscores are hyphens. True: bare."""
    shown = []
    for key, value in attributes.items():
        word = key.rstrip("_").replace("_", "-")
        if value is True:
            shown.append(f" {word}")
        elif value is not None and value is not False:
            shown.append(f' {word}="{escape(value)}"')
    return Markup(f"<{name}{''.join(shown)}>{join(content, '')}</{name}>")


def items(texts: Sequence[object]) -> Markup:
    """A list."""
    return tag("ul", *(tag("li", text) for text in texts))


LONG = 32  # characters from which on a column may break its lines


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    name: str,
    caption: str,
    filters: Sequence[str] = (),
    sortable: bool = True,
) -> Markup:
    """A table in a scrolling region; the script adds sorting, a text filter and a choice for each column of `filters`.

    Columns that are empty in every row are left out.
    """
    kept = [i for i in range(len(header)) if any(str(row[i]) for row in rows)]
    numbers = {i for i in kept if all(_is_number(str(row[i])) for row in rows)}
    head = [
        tag("th", header[i], scope="col", class_="num" if i in numbers else None, data_choice=header[i] in filters)
        for i in kept
    ]
    kinds = {i: "text" for i in kept if max((len(str(row[i])) for row in rows), default=0) > LONG}
    kinds |= dict.fromkeys(numbers, "num")
    body = [tag("tr", *(tag("td", row[i], class_=kinds.get(i)) for i in kept)) + Markup("\n") for row in rows]
    grid = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *head)),
        tag("tbody", *map(Markup, body)),
        id=name,
        data_sortable=sortable,
    )
    return tag("div", grid, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _is_number(text: str) -> bool:
    """Also '41.2 ± 1.4', '-1.2 to +3.8' and nothing at all."""
    first = text.split(" ")[0].replace(",", "").replace("%", "")
    try:
        return not text or float(first) is not None
    except ValueError:
        return False
