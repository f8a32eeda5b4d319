"""Which processes belong to a stack, on disk, so that another process can stop what was left behind.

A process id alone says little: the number may long be another process's. A record therefore carries the start time, and
whoever does not match both is never touched.
"""

import contextlib
import json
import signal
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import psutil

from devstack.files import write_private

_SAME_START_SECONDS = 1.0
_KILL_SECONDS = 5.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class ProcessRecord:
    """One process of the stack and how it wants to be stopped."""

    name: str
    pid: int
    started_at: float
    stop_signal: int = signal.SIGTERM
    grace_seconds: float = 10.0

    @classmethod
    def of(cls, name: str, pid: int, stop_signal: int = signal.SIGTERM, grace_seconds: float = 10.0) -> Self:
        """The record of a process that runs now; of one that has ended already, a record that matches nothing."""
        try:
            started_at = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            started_at = 0.0
        return cls(name, pid, started_at, stop_signal, grace_seconds)

    def process(self) -> psutil.Process | None:
        """The process itself while it runs, None once its number is free or another's."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) < _SAME_START_SECONDS
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


@dataclass(frozen=True)
class StackRecord:
    """The processes of one stack, in the order in which they were started, and the one that supervises them."""

    supervisor: ProcessRecord
    processes: tuple[ProcessRecord, ...] = ()

    def write(self, path: Path) -> None:
        """Keep it in the file."""
        write_private(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What the file holds, None when there is none or it cannot be understood."""
        try:
            stored = json.loads(path.read_text())
            processes = tuple(ProcessRecord(**process) for process in stored["processes"])
            return cls(ProcessRecord(**stored["supervisor"]), processes)
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None


def stop_all(processes: Iterable[ProcessRecord]) -> list[str]:
    """Stop the processes one after the other, last started first, and answer the names of those that still ran."""
    return [record.name for record in reversed(tuple(processes)) if stop_one(record)]


def stop_one(record: ProcessRecord) -> bool:
    """Ask the process to end, and end it with all its children when it does not. False when it had ended before."""
    process = record.process()
    if process is None:
        return False
    family = _children(process)
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(record.stop_signal)
    if not _gone(record, record.grace_seconds):
        kill(process, family)
        _gone(record, _KILL_SECONDS)
    return True


def _gone(record: ProcessRecord, seconds: float) -> bool:
    """Whether it has ended within that time."""
    deadline = time.monotonic() + seconds
    while record.process() is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True


def kill(process: psutil.Process, family: Iterable[psutil.Process] = ()) -> None:
    """End a process and its children at once."""
    for member in (process, *family, *_children(process)):
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
