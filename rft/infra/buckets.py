"""Object storage through fsspec: small objects written whole, large files moved in parts, and creation that one process wins.

    bucket = Bucket("s3://lab/rft")                     # any URL that fsspec opens; s3:// needs the extra `s3`
    bucket.create(".claims/x/1.json", b"{}")             # True once, False ever after, whoever asks
    bucket.upload(Path("model.safetensors"), "finetune/files/5f0c/9e10/model.safetensors")

S3 refuses a second creation itself (a conditional write, If-None-Match: AWS since August 2024, moto); whether another back
end does is tried when a sweep begins. Credentials, endpoint and region are those of the adapter: for s3fs AWS_ACCESS_KEY_ID,
AWS_ENDPOINT_URL and the rest of botocore's environment and files. Listings are never cached: other processes change them.
"""

from __future__ import annotations

import importlib
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from rft.infra.disk import StoreError

PART_BYTES = 16 << 20  # moved at once by each of PARTS_AT_ONCE: what a transfer takes of memory is their product
PARTS_AT_ONCE = 4
_MOST_PARTS = 9_000  # S3 allows 10,000 a file
_URL = re.compile(r"[a-z][a-z0-9+.-]*://")
_EXTRAS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "az": "adlfs"}

T = TypeVar("T")


def is_url(root: str) -> bool:
    """Whether a store's root names a bucket and not a folder."""
    return _URL.match(root) is not None


class Bucket:
    """Objects below one URL, as rft.infra.objects.Objects and more. Every refusal is a StoreError that names the URL."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            core: Any = importlib.import_module("fsspec.core")
            self._fs, base = core.url_to_fs(
                self.url, use_listings_cache=False, skip_instance_cache=True, **_timeouts(self.url)
            )
        except ImportError as error:
            protocol = self.url.partition(":")[0]
            package = _EXTRAS.get(protocol, "fsspec")
            raise ValueError(
                f"store.root={url} needs {package}: pip install "
                + ("'rft-scaling[s3]'" if package == "s3fs" else package)
            ) from error
        except ValueError as error:
            raise ValueError(f"store.root={url}: {error}; give a folder or a URL that fsspec opens") from error
        self._base = base.rstrip("/")
        self._is_s3 = "s3" in _protocols(self._fs)
        self._is_local = "file" in _protocols(self._fs)

    def create(self, name: str, content: bytes) -> bool:
        """Write an object that is not there; False where it is."""
        path = self._path(name)

        def write() -> bool:
            self._make_parent(path)
            try:
                if self._is_local:
                    with self._fs.open(path, "xb") as file:
                        file.write(content)
                else:
                    self._fs.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
            return True

        return self._asked("write", write)

    def put(self, name: str, content: bytes) -> None:
        """See Objects."""
        path = self._path(name)

        def write() -> None:
            self._make_parent(path)
            self._fs.pipe_file(path, content)

        self._asked("write", write)

    def read(self, name: str) -> bytes | None:
        """See Objects."""
        return self._asked("read", lambda: bytes(self._fs.cat_file(self._path(name))), missing=None)

    def read_all(self, names: Iterable[str]) -> dict[str, bytes]:
        """Many at once; without those that are not there."""
        paths = {self._path(name): name for name in names}
        if not paths:
            return {}
        found: Mapping[str, bytes] = self._asked("read", lambda: self._fs.cat(list(paths), on_error="omit"), missing={})
        return {paths[path]: bytes(content) for path, content in found.items()}

    def names(self, folder: str) -> list[str]:
        """See Objects."""
        found: list[str] = self._asked(
            "list", lambda: self._fs.ls(self._path(folder), detail=False, refresh=True), missing=[]
        )
        own = self._path(folder)
        return sorted({path.rstrip("/").rpartition("/")[2] for path in found if path.rstrip("/") != own} - {""})

    def below(self, folder: str) -> list[str]:
        """Names of all objects below a folder."""
        found: list[str] = self._asked("list", lambda: self._fs.find(self._path(folder), refresh=True), missing=[])
        return [path.removeprefix(f"{self._base}/") for path in found]

    def modified(self, name: str) -> float | None:
        """See Objects."""
        path = self._path(name)
        return self._asked("look up", lambda: float(self._fs.modified(path).timestamp()), missing=None)

    def remove(self, name: str) -> None:
        """See Objects."""
        self.remove_all([name])

    def remove_all(self, names: Iterable[str]) -> None:
        """Take objects away, those that are there."""
        for name in names:
            with suppress(FileNotFoundError):
                self._asked("remove", lambda name=name: self._fs.rm_file(self._path(name)))  # type: ignore[misc]

    def _make_parent(self, path: str) -> None:
        """A folder's URL needs the folder; a bucket has none."""
        if self._is_local:
            self._fs.makedirs(path.rpartition("/")[0], exist_ok=True)

    def upload(self, source: Path, name: str) -> None:
        """A file in parts, so that no more than PARTS_AT_ONCE of them are in memory."""
        size = source.stat().st_size
        parts = max(PART_BYTES, math.ceil(size / _MOST_PARTS))
        path = self._path(name)
        with _refusals(self.url, f"upload {source.name} to", passes=()):
            self._make_parent(path)
            try:
                self._fs.put_file(str(source), path, **self._in_parts(parts))
            except Exception:
                # A last request that came through, but whose answer came too late, is refused when it is sent again. Whether
                # all is there is seen by its size, whether it is right by whoever brings it.
                if not self._fs.exists(path) or self._fs.info(path)["size"] != size:
                    raise

    def download(self, name: str, target: Path) -> None:
        """A file in parts."""
        path = self._path(name)
        self._asked(f"download {name} from", lambda: self._fs.get_file(path, str(target), **self._in_parts(PART_BYTES)))

    def _in_parts(self, part_bytes: int) -> dict[str, int]:
        return {"chunksize": part_bytes, "max_concurrency": PARTS_AT_ONCE} if self._is_s3 else {}

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}" if name else self._base

    def _asked(self, doing: str, ask: Callable[[], T], **missing: T) -> T:
        """What the bucket answers; `missing` where the object is not there, if that is given."""
        with _refusals(self.url, doing):
            try:
                return ask()
            except FileNotFoundError:
                if "missing" in missing:
                    return missing["missing"]
                raise


@contextmanager
def _refusals(url: str, doing: str, *, passes: tuple[type[Exception], ...] = (FileNotFoundError,)) -> Iterator[None]:
    """Adapters raise what their libraries raise, of no common class."""
    try:
        yield
    except passes:
        raise
    except Exception as error:
        raise StoreError(
            f"cannot {doing} {url} ({type(error).__name__}: {error}): check that the bucket is there, its endpoint and your "
            "credentials; finished stages are kept, so run the same command again"
        ) from error


def _timeouts(url: str) -> dict[str, Any]:
    """s3fs gives up on an answer after 15 s, which joining the parts of a large file can take."""
    return {"config_kwargs": {"connect_timeout": 20, "read_timeout": 120}} if url.startswith(("s3:", "s3a:")) else {}


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
