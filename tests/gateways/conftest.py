"""The sandbox as a process of its own, and every gateway under the same conditions."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from gateways.contract import Gateway
from gateways.registry import REGISTRY
from tests.gateways.live import LiveOutside, chosen
from tests.gateways.outside import Outside, world_class

ROOT = Path(__file__).parents[2]


def pytest_configure(config: pytest.Config) -> None:
    """Name the marker of `make test-live`."""
    config.addinivalue_line(
        "markers", "live: needs no control over faults, time and books; runs at the real gateway too"
    )


@pytest.fixture(scope="session")
def sandbox_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a sandbox with fresh books."""
    folder = tmp_path_factory.mktemp("sandbox")
    announced = folder / "announced.json"
    command = [sys.executable, "-m", "sandbox", "--host", "127.0.0.1", "--port", "0"]
    command += ["--data", str(folder), "--announce", str(announced)]
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output) as process:
        deadline = time.monotonic() + 20
        while not announced.exists():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield json.loads(announced.read_text())["url"]
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session", params=[live] if (live := chosen()) else list(REGISTRY))
async def outside(request: pytest.FixtureRequest) -> AsyncIterator[Outside]:
    """The world around each gateway in turn: the sandbox's, or the real one that was chosen."""
    async with httpx.AsyncClient(timeout=30) as client:
        if chosen():
            async with LiveOutside(request.param, client) as real:
                yield real
        else:
            async with world_class(request.param)(request.getfixturevalue("sandbox_url"), client) as world:
                yield world


@pytest.fixture
async def adapter(outside: Outside) -> AsyncIterator[Gateway]:
    """The gateway's adapter, as patient as in production."""
    made = outside.gateway()
    yield made
    await made.close()


@pytest.fixture
async def hasty(outside: Outside) -> AsyncIterator[Gateway]:
    """The same gateway through an adapter that waits no longer than a busy machine needs for an answer."""
    made = outside.gateway(timeout_seconds=1.5)
    yield made
    await made.close()
