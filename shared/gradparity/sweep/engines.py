"""Train chunks in this process, or on Dask workers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import InputError
from ..processes import ONE_THREAD
from .members import Job, Member, train_chunk
from .plan import Chunk

Engine = Callable[[Mapping[Chunk, Job]], Iterator[tuple[Chunk, list[Member]]]]
"""A function that trains chunks, and yields each as soon as it is done, in any order."""

LOCAL = "local"
_WORKERS = 2
_RETRIES = 3
_PATIENCE = "10s"


def in_this_process(jobs: Mapping[Chunk, Job]) -> Iterator[tuple[Chunk, list[Member]]]:
    """Train one chunk after the other."""
    for chunk, job in jobs.items():
        yield chunk, train_chunk(job)


def on_dask(address: str) -> Engine:
    """Return an engine for the workers of the Dask scheduler at `address`; "local" starts two workers on this machine.

    If a worker dies, its chunk is trained on another one.

    Raises:
        InputError: Dask is not installed; or, when the engine is used, it finds no scheduler.
    """
    try:
        import distributed
    except ImportError:
        raise InputError(
            "Dask is not installed: pip install 'gradparity[cluster]', or leave out --dask"
        ) from None

    def engine(jobs: Mapping[Chunk, Job]) -> Iterator[tuple[Chunk, list[Member]]]:
        if not jobs:
            return
        if address != LOCAL:
            yield from _submit(distributed, address, jobs)
            return
        with distributed.LocalCluster(
            n_workers=_WORKERS,
            threads_per_worker=1,
            env=dict(ONE_THREAD),
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster:
            yield from _submit(distributed, cluster, jobs)

    return engine


def _submit(
    distributed: Any, cluster: Any, jobs: Mapping[Chunk, Job]
) -> Iterator[tuple[Chunk, list[Member]]]:
    try:
        client = distributed.Client(cluster, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise InputError(f"no Dask scheduler at '{cluster}': {error}") from None
    with client:
        chunks = {
            client.submit(train_chunk, job, pure=False, retries=_RETRIES): chunk
            for chunk, job in jobs.items()
        }
        try:
            for future, members in distributed.as_completed(list(chunks), with_results=True):
                yield chunks.pop(future), members
        except distributed.KilledWorker as error:
            raise InputError(f"every worker that trained this chunk died: {error}") from None
