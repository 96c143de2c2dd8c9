"""Where configuration files lie: the project's own `conf` in a checkout or an installed wheel, and the folders of a user.

    >>> conf_folder().name                                       # .../conf, or .../site-packages/rft/conf
    'conf'
    >>> search_folders(["--config-dir", "mine", "model=own"]) == [conf_folder(), Path("mine")]     # the first one wins
    True
    >>> choices("model", search_folders([]))["nano-s"].name
    'nano-s.yaml'

Standard library alone: it is read before anything slow is imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

CONFIG_DIR_FLAGS = ("--config-dir", "-cd")
SEARCHPATH_KEY = "hydra.searchpath"
_HERE = Path(__file__).resolve().parent


def conf_folder() -> Path:
    """The project's own configuration files: inside the package in a wheel (setup.py puts them there), else beside it."""
    packaged = _HERE / "conf"
    return packaged if packaged.is_dir() else _HERE.parent / "conf"


def search_folders(arguments: Sequence[str]) -> list[Path]:
    """Folders that Hydra will compose from under this command line, the one that wins first."""
    searched = [Path(text) for text in _searchpath(arguments)]
    own = [Path(text) for text in config_dirs(arguments)][-1:]  # of several Hydra takes the last
    return [conf_folder(), *own, *searched]


def choices(group: str, folders: Iterable[Path]) -> dict[str, Path]:
    """The files of a config group by name; where folders share a name, the file that Hydra takes."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((folder / group).glob("*.yaml")):
            found.setdefault(path.stem, path)
    return found


def file_of(group: str, name: str, folders: Iterable[Path]) -> Path | None:
    """The file that Hydra takes, that of the first folder; None where none has one.

    Raises ValueError where a later folder has another file of that name, which would not be read, without a word.
    """
    found = [path for folder in folders if (path := folder / group / f"{name}.yaml").is_file()]
    for other in found[1:]:
        if other.read_bytes() != found[0].read_bytes():
            raise ValueError(
                f"{group}={name} would read {found[0]}, which comes first, and not {other}: give your file another name"
            )
    return found[0] if found else None


def config_dirs(arguments: Sequence[str]) -> Iterator[str]:
    """Values of --config-dir, in both spellings of argparse."""
    for place, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in CONFIG_DIR_FLAGS and (equals or place + 1 < len(arguments)):
            yield value if equals else arguments[place + 1]


def _searchpath(arguments: Sequence[str]) -> Iterator[str]:
    """Folders of a plain `hydra.searchpath=[file://a,b]`; packages are left to Hydra."""
    for argument in arguments:
        key, _, value = argument.lstrip("+").partition("=")
        if key == SEARCHPATH_KEY:
            items = [item.strip(" '\"") for item in value.strip("[]").split(",")]
            yield from (item.removeprefix("file://") for item in items if item and not item.startswith("pkg://"))
