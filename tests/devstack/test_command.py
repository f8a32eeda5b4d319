"""`python -m devstack …` as a person types it."""

import sys
from collections.abc import Callable

import pytest

from devstack.__main__ import main
from devstack.layout import Layout
from devstack.parts import ChildPart
from devstack.records import ProcessRecord, StackRecord

Devstack = Callable[..., int]
GONE = ProcessRecord("supervisor", 1, 0.0)


@pytest.fixture
def devstack(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Devstack:
    """Runs a command on the data folder of this test and answers its exit status."""

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["devstack", *arguments, "--data", str(layout.data)])
        return main()

    return run


def test_nothing_runs(devstack: Devstack, capsys: pytest.CaptureFixture[str]) -> None:
    """`status` is a failure and `down` a success when nothing runs, and both say so."""
    assert devstack("status") == 1
    assert devstack("down") == 0
    assert capsys.readouterr().out == "  nothing is running\n  nothing was running\n"


def test_left_behind(
    devstack: Devstack, layout: Layout, child: Callable[..., ChildPart], capsys: pytest.CaptureFixture[str]
) -> None:
    """`status` tells which part of a broken stack still runs, `down` stops it by what was written down."""
    part = child("import time; time.sleep(60)", name="worker-1")
    StackRecord(GONE, (part.record,)).write(layout.processes)
    assert devstack("status") == 1
    shown = capsys.readouterr().out
    assert "supervisor    ended" in shown
    assert "worker-1      running" in shown
    assert devstack("down") == 0
    assert part.ended() == "was killed by SIGTERM"
    assert "stopped worker-1" in capsys.readouterr().out


def test_reset_removes_the_data(devstack: Devstack, layout: Layout) -> None:
    """After `reset` the next start begins with nothing."""
    layout.secrets.write_text("{}")
    assert devstack("reset") == 0
    assert not layout.data.exists()
    assert devstack("reset") == 0


@pytest.mark.parametrize("workers", ["0", "-1", "two"])
def test_number_of_workers(devstack: Devstack, workers: str) -> None:
    """A stack has at least one worker."""
    with pytest.raises(SystemExit) as refusal:
        devstack("up", f"--workers={workers}")
    assert refusal.value.code == 2
