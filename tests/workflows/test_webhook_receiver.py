"""The receiver of docs/webhooks.md takes what is really sent, and the page says what is true."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest

from devstack.inprocess import served
from devstack.layout import ROOT
from devstack.ports import any_free
from domain.webhook import MOST_ENDPOINTS, RETRY_PAUSES, DeliveryState
from domain.webhook import DeliveryState as D
from ledger.webhook_contract import Endpoint
from tests.workflows.receiving import Sending, sending
from workflows.webhook_delivery import WebhookDeliveryWorkflow

TEXT = (ROOT / "docs/webhooks.md").read_text()
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours"}


@asynccontextmanager
async def example(
    sender: Sending, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[str, Endpoint, dict[str, Any]]]:
    """The page's own receiver, running: its address, its endpoint, and what it keeps."""
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    port = any_free()
    url = f"http://127.0.0.1:{port}/paysaga"
    endpoint = await sender.endpoints.create(url, ["*"], "key_x")
    monkeypatch.setenv("PAYSAGA_WEBHOOK_SECRET", endpoint.secrets[0].secret)
    there: dict[str, Any] = {"__name__": "example"}
    exec(code, there)  # noqa: S102 (it is the page that is tested)
    async with served(there["app"], port):
        yield url, endpoint, there["newest"]


async def test_the_receiver_of_the_page_takes_what_is_sent(
    fresh_database_url: str, temporal_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It verifies, keeps the newest event of each subject in whatever order they come, and refuses all else."""
    async with (
        sending(fresh_database_url, temporal_address) as sender,
        example(sender, monkeypatch) as (url, endpoint, newest),
    ):
        subject = "chk_aaaaaaaaaaaaaaaaaaaaaaaa"
        for sequence in (2, 11, 3):
            event = await sender.tell(sequence=sequence, subject=subject)
            await sender.until(endpoint, event, D.DELIVERED)
        assert newest[subject]["sequence"] == "0000000011"
        await refuses(url)
        assert list(newest) == [subject]


async def refuses(url: str) -> None:
    """What nobody signed, or signed badly, is answered 400."""
    async with httpx.AsyncClient() as stranger:
        for headers in (
            {},
            {"webhook-id": "chk_x:1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"},
            {"webhook-id": "chk_x:1", "webhook-timestamp": "x", "webhook-signature": "nonsense"},
            {"webhook-id": "chk_x:1", "webhook-timestamp": "99999999999999", "webhook-signature": "v1,===,"},
        ):
            answer = await stranger.post(url, content=b'{"subject": "chk_x"}', headers=headers)
            assert answer.status_code == 400


def test_the_page_has_the_schedule() -> None:
    """The pauses are those of the code."""
    (line,) = re.findall(r"^\d+ s, .*$", TEXT, re.MULTILINE)
    parts = (part.split() for part in line.split(", "))
    assert tuple(timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts) == RETRY_PAUSES
    assert f", {MOST_ENDPOINTS} at most" in TEXT


def test_the_page_has_every_state() -> None:
    """Of a delivery; and the name of the workflow's file is right."""
    assert all(f"| `{state}` |" in TEXT for state in DeliveryState)
    assert WebhookDeliveryWorkflow.__module__.replace(".", "/") + ".py" in TEXT
