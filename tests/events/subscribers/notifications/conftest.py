"""A mail server for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.mailbox import Mailbox, listening
from tests.events.subscribers.postbox import Postbox


@pytest.fixture
async def postbox(tmp_path: Path) -> AsyncIterator[Postbox]:
    """A server that takes everything until it is told otherwise."""
    async with listening(Mailbox(tmp_path / "mails"), 0) as port:
        yield Postbox(port, tmp_path / "mails")
