"""How the demo follows one checkout by its stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from devstack.demo.following import Follower, events_of
from devstack.demo.people import GatewaySide, Shop
from devstack.demo.stage import Stage
from devstack.inprocess import served
from devstack.ports import any_free

ROWS = [{"sequence": number, "state": state, "cause": "api"} for number, state in ((1, "processing"), (2, "paid"))]


async def _lines(*lines: str) -> AsyncIterator[str]:
    for line in lines:
        yield line


async def test_events_are_read_from_lines() -> None:
    """Comments and names are passed over, data of several lines are one, and an event ends with an empty line."""
    lines = (
        ": ping",
        "",
        "event: timeline",
        "id: 3",
        'data: {"a":',
        "data: 1}",
        "",
        "id: 4",
        "data: {}",
        "",
        "data: 5",
    )
    assert [each async for each in events_of(_lines(*lines))] == [("3", {"a": 1}), ("4", {})]


@pytest.fixture
async def asked() -> list[str | None]:
    """The last event that each request for the stream has seen."""
    return []


@pytest.fixture
async def shop(asked: list[str | None]) -> AsyncIterator[Shop]:
    """A shop at an API whose stream breaks off after every row."""
    app = FastAPI()

    @app.get("/v1/checkouts/{checkout_id}/stream")
    async def stream(request: Request) -> Response:
        asked.append(request.headers.get("last-event-id"))
        if len(asked) == 1:
            return Response(status_code=503)
        row = ROWS[0 if asked[-1] is None else 1]
        told = f"id: {row['sequence']}\nevent: timeline\ndata: {json.dumps(row)}\n\n"
        return StreamingResponse(iter((told,)), media_type="text/event-stream")

    @app.get("/v1/checkouts/{checkout_id}")
    async def checkout() -> dict[str, Any]:
        return {"state": "paid" if asked[-1:] == ["1"] else "processing"}

    async with served(app, any_free()) as url:
        shop = Shop(url, "psk_none")
        yield shop
        await shop.close()


async def test_a_stream_that_breaks_goes_on_where_it_was(shop: Shop, asked: list[str | None]) -> None:
    """Refused at first, then broken off: every row is told once, in order."""
    rows: list[dict[str, Any]] = []
    follower = Follower(shop.streams, "chk_1", rows.append)
    try:
        async with asyncio.timeout(10):
            while len(rows) < len(ROWS):
                await follower.news(1)
    finally:
        await follower.close()
    assert rows == ROWS
    assert asked[:3] == [None, None, "1"]


async def test_a_stage_looks_when_it_is_told(shop: Shop) -> None:
    """It says what the stream tells, and sees the state that it waits for without asking again and again."""
    said: list[str] = []
    side = GatewaySide("http://127.0.0.1:1")
    stage = Stage(shop, side, "stripe", "demo-1", 4200, "USD", said.append, follows=True)
    action = {"client_secret": "pi_1_secret_x", "url": "http://127.0.0.1:1/pay/pi_1"}
    await stage.opened({"id": "chk_1", "state": "awaiting_payment", "next_action": action, "gateway": "stripe"})
    try:
        assert (await stage.until("paid", seconds=10))["state"] == "paid"
    finally:
        await stage.leave()
        await side.close()
    assert "processing (api)" in said


async def test_nothing_is_told_after_the_end(shop: Shop, asked: list[str | None]) -> None:
    """Who has left asks for the stream no more."""
    follower = Follower(shop.streams, "chk_1", lambda _: None)
    await follower.news(5)
    await follower.close()
    before = len(asked)
    await asyncio.sleep(1.2)
    assert len(asked) == before


async def test_a_server_that_is_gone_is_asked_again() -> None:
    """A connection that cannot be had ends nothing."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{any_free()}", trust_env=False) as client:
        follower = Follower(client, "chk_1", lambda _: None)
        await follower.news(0.7)
        await follower.close()
