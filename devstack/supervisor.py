"""Keeps the processes of one stack: records them, notices when one dies, stops them all in order."""

import asyncio
import fcntl
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TypeVar

from devstack import postgres
from devstack.errors import AlreadyRunningError, PartFailedError
from devstack.layout import ROOT, Layout
from devstack.parts import ChildPart, Part, PartSpec
from devstack.records import ProcessRecord, StackRecord, stop_all, stop_one

_WATCH_SECONDS = 0.2
_T = TypeVar("_T")
_Adopted = TypeVar("_Adopted", bound=Part)


class Supervisor:
    """Owns the processes of the stack on one data folder; there can be one at a time."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._parts: dict[str, Part] = {}
        self._record = StackRecord(ProcessRecord.of("supervisor", os.getpid(), grace_seconds=60.0))
        self._watchdog: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    def open(self) -> None:
        """Take the data folder and stop what a dead supervisor left on it. Raises AlreadyRunningError."""
        self._layout.make()
        lock = os.open(self._layout.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise AlreadyRunningError(f"a stack already runs on {self._layout.data}; `make down` stops it") from None
        self._lock = lock
        self._layout.set_logs_aside()
        stop_left_behind(self._layout)
        self._record.write(self._layout.processes)
        self._watchdog = subprocess.Popen(
            (sys.executable, "-m", "devstack.watchdog", str(self._layout.data), str(os.getpid())),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def spawn(self, spec: PartSpec) -> ChildPart:
        """Start a part and watch over it from now on."""
        return self.adopt(ChildPart(spec))

    def adopt(self, part: _Adopted) -> _Adopted:
        """Watch over a part that was started otherwise."""
        self._parts[part.record.name] = part
        self._write()
        return part

    def find(self, name: str) -> Part | None:
        """The part of that name while it is ours."""
        return self._parts.get(name)

    def pids(self) -> dict[str, int]:
        """The process id of every part."""
        return {name: part.record.pid for name, part in self._parts.items()}

    def release(self, name: str) -> Part:
        """Watch over it no longer: its end is wanted. Raises KeyError."""
        part = self._parts.pop(name)
        self._write()
        return part

    async def stop(self, name: str) -> None:
        """Stop one part, gently at first. Raises KeyError."""
        part = self._parts.pop(name)
        await asyncio.to_thread(stop_one, part.record)
        part.ended()
        self._write()

    def dead(self) -> PartFailedError | None:
        """The first part found to have ended although nobody asked it to."""
        for name, part in self._parts.items():
            if (end := part.ended()) is not None:
                return PartFailedError(name, end, part.log_tail())
        return None

    async def watch(self) -> PartFailedError:
        """Wait until a part dies."""
        while (failure := self.dead()) is None:  # noqa: ASYNC110 - a process's end is no event of this loop
            await asyncio.sleep(_WATCH_SECONDS)
        return failure

    async def close(self) -> None:
        """Stop every part, last started first, and give the data folder free."""
        if self._lock is None:
            return
        self._layout.stack.unlink(missing_ok=True)
        for name in reversed(tuple(self._parts)):
            await self.stop(name)
        self._layout.forget_processes()
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
            await asyncio.to_thread(self._watchdog.wait)
        os.close(self._lock)
        self._lock = None

    def _write(self) -> None:
        self._record = replace(self._record, processes=tuple(part.record for part in self._parts.values()))
        self._record.write(self._layout.processes)


def stop_left_behind(layout: Layout) -> list[str]:
    """Stop the processes of a stack whose supervisor has gone, and answer their names."""
    record = StackRecord.read(layout.processes)
    stopped = stop_all(record.processes) if record is not None else []
    if postgres.pid(layout.postgres) is not None:
        # Its supervisor died after starting it and before writing that down.
        postgres.stop(layout.postgres)
        stopped.append("postgres")
    layout.forget_processes()
    return stopped


def stop_stack(layout: Layout) -> list[str]:
    """Stop the stack on this data folder, its supervisor first if that one lives; answer what was stopped."""
    record = StackRecord.read(layout.processes)
    supervisor = [record.supervisor.name] if record is not None and stop_one(record.supervisor) else []
    return [*supervisor, *stop_left_behind(layout)]


@asynccontextmanager
async def cancelled_by(watch: Coroutine[object, object, PartFailedError]) -> AsyncIterator[None]:
    """Cancel the body when the watch comes to its end, that is when a part has died, and raise what it answers."""
    body = asyncio.current_task()
    watcher = asyncio.create_task(watch)
    watcher.add_done_callback(lambda done: None if done.cancelled() or body is None else body.cancel())
    try:
        yield
    except asyncio.CancelledError:
        if not watcher.done():
            raise
        if body is not None:
            body.uncancel()
    finally:
        dead = watcher.done()
        watcher.cancel()
    if dead:
        raise watcher.result() from None


async def to_the_end(work: Awaitable[_T]) -> _T:
    """Finish the work also when we are cancelled meanwhile, however often; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:  # noqa: BLE001
            break
    if cancelled:
        with suppress(Exception):
            task.result()
        raise asyncio.CancelledError
    return task.result()
