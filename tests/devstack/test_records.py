"""Stopping processes by what was written down about them."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace

import psutil

from devstack.layout import Layout
from devstack.parts import ChildPart
from devstack.records import ProcessRecord, StackRecord, stop_all, stop_one

Start = Callable[..., ChildPart]
SLEEP = "import time; time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf'); time.sleep(60)"


def _until_said(part: ChildPart, line: str) -> None:
    deadline = time.monotonic() + 10
    while not part.said(line):
        assert time.monotonic() < deadline, part.log_tail()
        time.sleep(0.02)


def test_stops_what_it_recorded(child: Start) -> None:
    """A recorded process is asked to end, and ends."""
    part = child(SLEEP)
    assert stop_one(part.record)
    assert part.ended() == "was killed by SIGTERM"


def test_leaves_a_stranger_alone(child: Start) -> None:
    """A process that has the recorded number and another start time is somebody else's: it is not touched."""
    part = child(SLEEP)
    assert not stop_one(replace(part.record, started_at=part.record.started_at - 3600))
    assert part.ended() is None


def test_kills_who_does_not_listen(child: Start) -> None:
    """A process that ignores the request is killed when its grace is over."""
    part = child(STUBBORN, grace_seconds=0.3)
    _until_said(part, "deaf")
    assert stop_one(part.record)
    assert part.ended() == "was killed by SIGKILL"


def test_kills_the_children_too(child: Start) -> None:
    """A part that must be killed does not leave children behind."""
    code = f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]); print(p.pid); p.wait()"
    part = child(f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {code}", grace_seconds=0.3)
    _until_said(part, "deaf")
    grandchild = psutil.Process(part.record.pid).children()[0]
    stop_one(part.record)
    deadline = time.monotonic() + 5
    while grandchild.is_running() and grandchild.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_signal_of_its_own(child: Start) -> None:
    """A part is stopped by the signal it wants: Postgres shuts down fast on SIGINT and waits for clients on SIGTERM."""
    part = child("import signal, time; signal.signal(signal.SIGINT, lambda *_: exit(7)); print('up'); time.sleep(60)")
    _until_said(part, "up")
    stop_one(replace(part.record, stop_signal=signal.SIGINT))
    assert part.ended() == "ended with exit status 7"


def test_last_started_first(child: Start) -> None:
    """A worker is stopped before the server it works for."""
    parts = [child(SLEEP, name=name) for name in ("temporal", "worker")]
    assert stop_all(part.record for part in parts) == ["worker", "temporal"]
    assert all(part.ended() for part in parts)


def test_file_is_private_and_complete(layout: Layout) -> None:
    """What is written down can be read again, by its owner alone."""
    me = ProcessRecord.of("supervisor", os.getpid())
    record = StackRecord(me, (ProcessRecord("postgres", 5, 1.5, signal.SIGINT, 30.0),))
    record.write(layout.processes)
    assert StackRecord.read(layout.processes) == record
    assert layout.processes.stat().st_mode & 0o777 == 0o600


def test_damaged_file_is_none(layout: Layout) -> None:
    """A file that cannot be understood stops nobody."""
    layout.processes.write_text('{"supervisor": {}}')
    assert StackRecord.read(layout.processes) is None
