"""One running part of the stack: its process, its log, and how to tell that it is ready."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devstack.errors import PartFailedError
from devstack.files import tail
from devstack.layout import ROOT
from devstack.records import ProcessRecord

Say = Callable[[str], None]
"""Tells the person who waits, one line at a time."""
_PROBE_SECONDS = 0.05
NAME_WIDTH = 13
"""Of the longest name of a part."""


@dataclass(frozen=True)
class PartSpec:
    """How one part is started. `grace_seconds` is what it may take to end when asked to."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    grace_seconds: float = 10.0


class Part(Protocol):
    """Something that runs and must go on running."""

    @property
    def record(self) -> ProcessRecord:
        """What another process needs to stop it."""

    def ended(self) -> str | None:
        """How it ended, as words that follow its name; None while it runs."""

    def log_tail(self) -> str:
        """The end of what it said."""


class ChildPart:
    """A part that is our own child, in a session of its own: Ctrl-C in the terminal reaches the supervisor alone."""

    def __init__(self, spec: PartSpec) -> None:
        self.spec = spec
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        with spec.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                spec.command,
                cwd=ROOT,
                env=dict(spec.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._record = ProcessRecord.of(spec.name, self._process.pid, grace_seconds=spec.grace_seconds)

    @property
    def record(self) -> ProcessRecord:
        """What another process needs to stop it."""
        return self._record

    def ended(self) -> str | None:
        """How it ended, as words that follow its name; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"

    def log_tail(self) -> str:
        """The end of what it said since it was started."""
        return tail(self.spec.log, since=self._log_start)

    def said(self, line: str) -> bool:
        """Whether it has written this line since it was started."""
        with self.spec.log.open("rb") as log:
            log.seek(self._log_start)
            return line.encode() in (written.strip() for written in log)

    def kill(self) -> None:
        """End it at once, as a crash or the kernel would."""
        self._process.kill()
        self._process.wait()


class DetachedPart:
    """A part that is nobody's child, as Postgres, which detaches itself."""

    def __init__(self, record: ProcessRecord, log_tail: Callable[[], str]) -> None:
        self._record = record
        self._log_tail = log_tail

    @property
    def record(self) -> ProcessRecord:
        """What another process needs to stop it."""
        return self._record

    def ended(self) -> str | None:
        """How it ended, as words that follow its name; None while it runs."""
        return None if self._record.process() else "ended"

    def log_tail(self) -> str:
        """The end of what it said."""
        return self._log_tail()


async def until_ready(part: Part, ready: Callable[[], Awaitable[bool]], seconds: float, say: Say) -> None:
    """Wait for `ready`, telling now and then that we do. Raises PartFailedError on a death or after `seconds`."""
    name, start, told = part.record.name, time.monotonic(), 0
    while not await ready():
        waited = time.monotonic() - start
        if (end := part.ended()) is not None:
            raise PartFailedError(name, f"{end} before it was ready", part.log_tail())
        if waited > seconds:
            raise PartFailedError(name, f"was not ready within {seconds:.0f} s", part.log_tail())
        if waited // 5 > told:
            told = int(waited // 5)
            say(f"{name:<{NAME_WIDTH}} not ready after {waited:.0f} s, waiting up to {seconds:.0f} s")
        await asyncio.sleep(_PROBE_SECONDS)
    say(f"{name:<{NAME_WIDTH}} ready after {time.monotonic() - start:.1f} s")


async def run_to_end(spec: PartSpec, seconds: float) -> None:
    """Run a command to its end; it never stays behind. Raises PartFailedError on failure or after `seconds`."""
    part = ChildPart(spec)
    deadline = time.monotonic() + seconds
    try:
        while (end := part.ended()) is None:
            if time.monotonic() > deadline:
                raise PartFailedError(spec.name, f"was not done within {seconds:.0f} s", part.log_tail())
            await asyncio.sleep(_PROBE_SECONDS)
    finally:
        if part.ended() is None:
            part.kill()
    if end != "ended with exit status 0":
        raise PartFailedError(spec.name, end, part.log_tail())
