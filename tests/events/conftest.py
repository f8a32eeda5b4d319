"""The brokers that the tests share, each started when the first test asks for it."""

import secrets
from collections.abc import Callable, Iterator

import pytest

from tests.events.servers import SPECS, Server

Serve = Callable[[str], Server]


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Gives the shared server of a scheme, which nobody may kill."""
    running: dict[str, Server] = {}

    def of(scheme: str) -> Server:
        if scheme not in running:
            server = Server(scheme, tmp_path_factory.mktemp(scheme))
            try:
                server.start()
            except BaseException:
                # One that is not installed is skipped by every test; one that broke leaves nothing behind.
                server.kill()
                raise
            running[scheme] = server
        return running[scheme]

    yield of
    for server in running.values():
        server.kill()


@pytest.fixture(params=list(SPECS))
def server(request: pytest.FixtureRequest, serve: Serve) -> Server:
    """Each broker in turn."""
    return serve(request.param)


@pytest.fixture
def nats_url(serve: Serve) -> str:
    """The shared NATS server."""
    return serve("nats").url


@pytest.fixture
def prefix() -> str:
    """What keeps this test's messages apart from all others."""
    return f"t{secrets.token_hex(6)}"
