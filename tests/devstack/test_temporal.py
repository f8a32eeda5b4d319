"""The Temporal server as devstack starts it."""

from itertools import pairwise
from pathlib import Path

from temporalio.client import Client

from devstack import temporal
from devstack.temporal import temporal_server
from workflows.search_attributes import ensure_search_attributes


async def test_server_knows_our_search_attributes(tmp_path: Path) -> None:
    """A server is ready to use: every search attribute is registered from the start."""
    async with temporal_server(tmp_path) as address:
        client = await Client.connect(address)
        assert await ensure_search_attributes(client) == []
        address_of_none = temporal.here(1)
    assert await temporal.connect(address_of_none) is None


def test_tuned_and_on_loopback(tmp_path: Path) -> None:
    """The command line has the tuned values, a file for the data and the loopback address."""
    command = temporal.spec(tmp_path, 7233, tmp_path / "log", 8233).command
    following = dict(pairwise(command))
    assert following["--ip"] == "127.0.0.1"
    assert following["--db-filename"] == str(tmp_path / "temporal.db")
    for name in ("transfer", "timer"):
        assert f"history.{name}ProcessorMaxPollRPS=2000" in command
