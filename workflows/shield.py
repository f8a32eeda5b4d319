"""Finishing what must not be interrupted."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from temporalio import workflow

T = TypeVar("T")


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Finish `work` however many cancels arrive meanwhile, and answer or raise what it did.

    A single asyncio.shield survives one cancel: the next one would leave the work running with nobody waiting for it
    and the workflow would close over it. So the shield is raised again until the work is done.
    """
    task = asyncio.create_task(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            workflow.logger.warning("a cancel was requested; first the money is put right")
        except Exception:  # noqa: BLE001 - the task's own failure, raised again below
            break
    return task.result()
