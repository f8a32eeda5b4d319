"""One supervisor a data folder: it notices deaths, stops in order, and leaves nothing behind however it goes."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import psutil
import pytest

from devstack.errors import AlreadyRunningError, PartFailedError
from devstack.layout import ROOT, Layout
from devstack.parts import PartSpec
from devstack.records import ProcessRecord, StackRecord
from devstack.supervisor import Supervisor, cancelled_by, stop_left_behind, stop_stack, to_the_end

MakeSpec = Callable[..., PartSpec]
SLEEP = "import time; time.sleep(60)"
SUPERVISE = """
import os, sys, time
from pathlib import Path
from devstack.layout import Layout
from devstack.parts import PartSpec
from devstack.supervisor import Supervisor
layout = Layout(Path(sys.argv[1]))
supervisor = Supervisor(layout)
supervisor.open()
part = PartSpec("api", (sys.executable, "-c", "import time; time.sleep(60)"), dict(os.environ), layout.log("api"))
print(supervisor.spawn(part).record.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
async def supervisor(layout: Layout) -> AsyncIterator[Supervisor]:
    """An open supervisor, closed afterwards."""
    supervisor = Supervisor(layout)
    supervisor.open()
    yield supervisor
    await supervisor.close()


def _until_gone(part: ProcessRecord) -> None:
    """Wait for the end of a process that is nobody's child here; init may take its time to reap it."""
    deadline = time.monotonic() + 10
    while part.process() is not None:
        assert time.monotonic() < deadline, "it still runs"
        time.sleep(0.02)


def _supervise(layout: Layout) -> tuple[subprocess.Popen[str], ProcessRecord]:
    """Another process that supervises one part; answers both."""
    command = (sys.executable, "-c", SUPERVISE, str(layout.data))
    other = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert other.stdout is not None
    return other, ProcessRecord.of("api", int(other.stdout.readline()))


async def test_death_is_noticed_and_named(supervisor: Supervisor, spec: MakeSpec) -> None:
    """A part that dies while the stack runs is named, with how it ended and the last it said."""
    supervisor.spawn(spec(SLEEP, name="sandbox"))
    supervisor.spawn(spec("print('out of memory'); import os; os.abort()", name="api"))
    failure = await asyncio.wait_for(supervisor.watch(), 10)
    assert failure.part == "api"
    assert "api was killed by SIGABRT" in str(failure)
    assert "out of memory" in str(failure)


async def test_death_cancels_the_work_on_the_stack(supervisor: Supervisor, spec: MakeSpec) -> None:
    """What runs on the stack is cancelled when a part dies, and learns which one and why."""
    supervisor.spawn(spec("import time; time.sleep(0.2); exit(4)", name="api"))
    with pytest.raises(PartFailedError, match="api ended with exit status 4"):
        async with cancelled_by(supervisor.watch()):
            await asyncio.sleep(30)


async def test_own_end_of_the_work_stays_its_own(supervisor: Supervisor, spec: MakeSpec) -> None:
    """Work that ends, fails or is cancelled while all parts live is none of the watch's business."""
    supervisor.spawn(spec(SLEEP))
    for error in (KeyError, asyncio.CancelledError):
        with pytest.raises(error):
            async with cancelled_by(supervisor.watch()):
                raise error
    async with cancelled_by(supervisor.watch()):
        pass


async def test_wanted_end_is_no_death(supervisor: Supervisor, spec: MakeSpec) -> None:
    """A part that was stopped on purpose is not reported."""
    supervisor.spawn(spec(SLEEP, name="worker-1"))
    await supervisor.stop("worker-1")
    assert supervisor.dead() is None
    assert supervisor.pids() == {}


async def test_close_stops_everything(layout: Layout, spec: MakeSpec) -> None:
    """After closing nothing runs, nothing is recorded, and stack.json is gone."""
    supervisor = Supervisor(layout)
    supervisor.open()
    parts = [supervisor.spawn(spec(SLEEP, name=name)) for name in ("temporal", "worker-1", "api")]
    layout.stack.write_text("{}")
    await supervisor.close()
    assert all(part.ended() == "was killed by SIGTERM" for part in parts)
    assert not layout.stack.exists()
    assert not layout.processes.exists()


async def test_only_one_at_a_time(supervisor: Supervisor, layout: Layout, spec: MakeSpec) -> None:
    """A second supervisor on the same folder is refused and harms nothing."""
    part = supervisor.spawn(spec(SLEEP))
    with pytest.raises(AlreadyRunningError, match="already runs"):
        Supervisor(layout).open()
    assert part.ended() is None
    assert StackRecord.read(layout.processes) is not None


async def test_folder_is_free_again(layout: Layout) -> None:
    """After closing, the next supervisor takes the folder."""
    for _ in range(2):
        supervisor = Supervisor(layout)
        supervisor.open()
        await supervisor.close()


def test_kill_9_of_the_supervisor(layout: Layout) -> None:
    """When the supervisor is killed and can do nothing any more, its parts end all the same."""
    other, part = _supervise(layout)
    other.kill()
    other.wait()
    _until_gone(part)
    deadline = time.monotonic() + 5
    while layout.processes.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_left_behind_with_its_watchdog_dead(layout: Layout) -> None:
    """When the watchdog was killed too, `down` stops what is left by what was written down."""
    other, part = _supervise(layout)
    for process in psutil.Process(other.pid).children():
        if process.pid != part.pid:
            process.kill()
    other.kill()
    other.wait()
    assert part.process() is not None
    assert stop_stack(layout) == ["api"]
    _until_gone(part)
    assert not layout.processes.exists()
    assert stop_left_behind(layout) == []


def test_down_stops_a_living_supervisor(layout: Layout) -> None:
    """`down` from another terminal ends the supervisor, and with it every part."""
    other, part = _supervise(layout)
    assert stop_stack(layout)[0] == "supervisor"
    assert other.wait(5) == -signal.SIGTERM
    _until_gone(part)


def test_next_start_clears_up(layout: Layout) -> None:
    """A new supervisor stops what a dead one has left before it starts anything."""
    other, part = _supervise(layout)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    supervisor = Supervisor(layout)
    supervisor.open()
    _until_gone(part)
    asyncio.run(supervisor.close())


async def test_logs_of_the_run_before_stay(layout: Layout, spec: MakeSpec) -> None:
    """The log of a crash is still there after the next start."""
    layout.log("api").write_text("why it crashed")
    supervisor = Supervisor(layout)
    supervisor.open()
    await supervisor.close()
    assert layout.log("api").with_suffix(".old").read_text() == "why it crashed"


async def test_stopping_cannot_be_cancelled() -> None:
    """Work that must come to its end does so under any number of cancellations, which are raised afterwards."""
    done = asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0.2)
        done.set()

    task = asyncio.create_task(to_the_end(work()))
    for _ in range(3):
        await asyncio.sleep(0.02)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.is_set()
