"""The sampler that a process keeps open: shards and evaluations of one model open (and convert) it once.

    held = HeldSampler()                    # one to a process that runs stages; it closes with its owner
    with held.of("ctranslate2", folder, dtype="float32", device="cpu", runtime=runtime) as sampler:
        sampler.sample(...)
    held.close()                            # before other work needs the memory, and at the end

At most one is open: asking for another model closes it first, and an error inside the block closes it too. What a sampler
returns does not depend on what it returned before (`rft.core.sampling.base`), so keeping it open changes no sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rft.config import RuntimeConfig
from rft.core.accumulation import OutOfMemoryError, is_out_of_memory
from rft.core.sampling.base import Sampler
from rft.core.sampling.engines import Place, open_sampler


class HeldSampler:
    """At most one open sampler."""

    def __init__(self) -> None:
        self._key: tuple[str, Path, Place] | None = None
        self._sampler: Sampler | None = None

    @contextmanager
    def of(
        self, engine: str, model_folder: Path, *, dtype: str, device: str, runtime: RuntimeConfig
    ) -> Iterator[Sampler]:
        """The open sampler of exactly these settings, or a new one in its place. The folder's content must not change."""
        key = (engine, model_folder, Place.of(runtime, device=device, dtype=dtype))
        if key != self._key or self._sampler is None:
            self.close()
            self._sampler = open_sampler(*key)
            self._key = key
        try:
            yield self._sampler
        except BaseException as error:  # out of memory, interrupted: nothing may stay behind
            self.close()
            if isinstance(error, Exception) and is_out_of_memory(error):
                raise OutOfMemoryError(
                    f"memory does not hold what {engine} samples at once: lower runtime.sample_batch (it is "
                    f"{runtime.sample_batch}) or sampling.draws_per_shard, run fewer workers at once, or take a larger device"
                ) from error
            raise

    def close(self) -> None:
        """Close the open sampler, if any."""
        sampler, self._sampler, self._key = self._sampler, None, None
        if sampler is not None:
            sampler.close()
