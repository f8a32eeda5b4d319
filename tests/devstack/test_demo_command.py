"""`python -m devstack.demo` beside the other commands."""

import fcntl
import sys
from collections.abc import Callable

import pytest

from devstack.__main__ import main as devstack
from devstack.demo.__main__ import main as demo
from devstack.layout import Layout
from devstack.parts import ChildPart
from devstack.records import ProcessRecord, StackRecord

GONE = ProcessRecord("supervisor", 1, 0.0)


def test_a_second_demo_is_refused(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two demos cannot share a data folder: the second says so, and what to do, and fails."""
    monkeypatch.setattr(sys, "argv", ["demo", "--data", str(layout.data)])
    with layout.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert demo() == 1
    assert "A demo runs already" in capsys.readouterr().out


def test_reset_removes_the_demo_too(
    layout: Layout, child: Callable[..., ChildPart], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a demo has left behind is stopped before its data go."""
    layout.demo.make()
    part = child("import time; time.sleep(60)", name="worker-1")
    StackRecord(GONE, (part.record,)).write(layout.demo.processes)
    monkeypatch.setattr(sys, "argv", ["devstack", "reset", "--data", str(layout.data)])
    assert devstack() == 0
    assert part.ended() == "was killed by SIGTERM"
    assert not layout.data.exists()
