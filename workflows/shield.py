"""Finishing what must not be interrupted."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio import workflow

T = TypeVar("T")


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` however many cancels arrive meanwhile, and answer or raise what it did."""
    task, cancels = await _finished(work)
    if cancels:
        workflow.logger.warning("a cancel was requested; first the money was put right")
    return task.result()


async def uncut(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work`, which is short; a cancel that arrives meanwhile takes effect after it."""
    task, cancels = await _finished(work)
    if cancels:
        task.exception()  # else asyncio reports it as never retrieved
        raise cancels[0]
    return task.result()


async def _finished(work: Coroutine[Any, Any, T]) -> tuple["asyncio.Task[T]", list[asyncio.CancelledError]]:
    """The ended task, and the cancels that were kept from it.

    A single asyncio.shield survives one cancel: the next one would leave the work running with nobody waiting for it
    and the workflow would close over it. So the shield is raised again until the work is done.
    """
    task = asyncio.create_task(work)
    cancels: list[asyncio.CancelledError] = []
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as cancel:
            if task.cancelled():
                raise
            cancels.append(cancel)
        except Exception:  # noqa: BLE001 - the task's own failure, told by its result
            break
    return task, cancels
