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
from tests.gateways.outside import Outside, StripeOutside

ROOT = Path(__file__).parents[2]


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


@pytest.fixture(params=["stripe"])
async def outside(request: pytest.FixtureRequest, sandbox_url: str) -> AsyncIterator[Outside]:
    """The world around each gateway in turn."""
    worlds = {"stripe": StripeOutside}
    async with httpx.AsyncClient() as client:
        yield worlds[request.param](sandbox_url, client)


@pytest.fixture
async def adapter(outside: Outside) -> AsyncIterator[Gateway]:
    """The gateway's adapter, as patient as in production."""
    made = outside.gateway()
    yield made
    await made.close()


@pytest.fixture
async def hasty(outside: Outside) -> AsyncIterator[Gateway]:
    """The same gateway through an adapter that waits only half a second."""
    made = outside.gateway(timeout_seconds=0.5)
    yield made
    await made.close()
