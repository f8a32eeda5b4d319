"""`GET /v1/checkouts/{id}/stream`: a checkout's timeline as server-sent events, first what was, then what comes."""

import asyncio
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from heapq import merge
from time import monotonic
from typing import Annotated, Any, Literal

import anyio
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Message, Receive, Scope, Send

from api.auth import caller_of
from api.finding import find_checkout
from api.guard import GuardedRoute
from api.problems import Problem, invalid
from api.responses import problems
from api.services import Services, services_of
from api.views import TimelineView
from domain.checkout import CheckoutRecord
from domain.states import ENDED, CheckoutState
from domain.timeline import TimelineRow
from ledger.contract import StoreUnavailableError

# What a slow reader keeps in memory, besides the sockets' own buffers.
_AT_ONCE = 100
# Within the server's own limit for ending what is under way.
_GOODBYE_SECONDS = 5.0
_EVENT_ID = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})*", re.ASCII)
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
        "description": "Events named `timeline`, each a StreamedRow in JSON; comments in between keep it alive",
    },
    204: {"description": "With `until=final`: the checkout has ended, and everything was seen"},
}

router = APIRouter(prefix="/v1/checkouts", route_class=GuardedRoute, tags=["checkouts"])


class StreamedRow(TimelineView):
    """A row of the timeline, and whose it is: a split checkout's stream tells of its tenders too."""

    checkout_id: str


class StreamQuery(BaseModel):
    """How long to follow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    until: Literal["final"] | None = Field(
        None, description="`final`: the stream ends with a row that ends the checkout."
    )


@dataclass
class _Reading:
    """How far a stream has come: the last row of the checkout and of each of its tenders, and where that leads."""

    seen: dict[str, int]
    state: CheckoutState | None
    until_final: bool

    @property
    def event_id(self) -> str:
        """Where to go on: one number a checkout, so that no order among them has to be the same the next time."""
        return ".".join(str(sequence) for sequence in self.seen.values())

    @property
    def is_over(self) -> bool:
        """Whether nothing is left that the reader asked for."""
        return self.until_final and self.state in ENDED

    def take(self, row: TimelineRow) -> ServerSentEvent:
        """The row as it is sent."""
        self.seen[row.checkout_id] = row.sequence
        if row.checkout_id == next(iter(self.seen)):
            self.state = row.state
        shown = StreamedRow(checkout_id=row.checkout_id, **TimelineView.of(row).model_dump())
        return ServerSentEvent(shown.model_dump_json(), event="timeline", id=self.event_id)


@router.get("/{checkout_id}/stream", response_class=Response, responses=_ANSWERS | problems(401, 403, 404, 422, 503))
async def stream_checkout(
    request: Request,
    checkout_id: str,
    query: Annotated[StreamQuery, Query()],
    last_event_id: Annotated[str | None, Header(description="The last event that was seen.")] = None,
) -> Response:
    """Follow one checkout, from its first row or after the last one seen, until the reader leaves."""
    services = services_of(request)
    record = await find_checkout(services, checkout_id)
    legs = await services.books.legs(checkout_id) if record.checkout.is_split else ()
    reading = _reading([record, *legs], last_event_id, until_final=query.until == "final")
    if reading.is_over:
        # Browsers come back after the end of a stream unless they are told so.
        return Response(status_code=204)
    services.following.enter()
    return _Stream(services, request, reading)


def _reading(records: Sequence[CheckoutRecord], last_event_id: str | None, *, until_final: bool) -> _Reading:
    sequences = [0] * len(records)
    if last_event_id:
        given = last_event_id.split(".") if _EVENT_ID.fullmatch(last_event_id) else []
        if len(given) != len(records):
            raise invalid("Last-Event-ID", "is no id that a stream of this checkout gave")
        sequences = [int(each) for each in given]
    # Ended only where nothing is left to be sent, of any of them.
    all_seen = all(seen >= record.sequence for seen, record in zip(sequences, records, strict=True))
    seen = dict(zip((record.checkout.id for record in records), sequences, strict=True))
    return _Reading(seen, records[0].status.state if all_seen else None, until_final)


class _Stream(EventSourceResponse):
    """One reader's stream. It ends with the server, and with a reader that does not read."""

    def __init__(self, services: Services, request: Request, reading: _Reading) -> None:
        self._following, stopping = services.following, anyio.Event()
        super().__init__(
            _rows(services, request, reading, stopping),
            ping=self._following.pace.ping,
            ping_message_factory=lambda: ServerSentEvent(comment="ping"),
            shutdown_event=stopping,
            shutdown_grace_period=_GOODBYE_SECONDS,
        )
        # Every answer is given this one anyway.
        del self.headers["cache-control"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, each message within a bounded time."""

        async def sending(message: Message) -> None:
            async with asyncio.timeout(self._following.pace.patience):
                await send(message)

        try:
            await super().__call__(scope, receive, sending)
        except TimeoutError:
            # The server closes what is not complete.
            return
        finally:
            self._following.leave()


async def _rows(
    services: Services, request: Request, reading: _Reading, stopping: anyio.Event
) -> AsyncIterator[ServerSentEvent]:
    pace, checked = services.following.pace, monotonic()
    with services.following.follow([*reading.seen]) as news:
        while not stopping.is_set():
            news.clear()
            rows = await _unseen(services, reading)
            for row in rows:
                yield reading.take(row)
            if len(rows) == _AT_ONCE:
                continue
            if reading.is_over:
                return
            await _woken(news, stopping, pace.look)
            if monotonic() - checked >= pace.check:
                if not await _may_still_read(services, request):
                    return
                checked = monotonic()


async def _unseen(services: Services, reading: _Reading) -> list[TimelineRow]:
    """The next rows, as they happened: a checkout's own stay in their order, those of several are told by the clock."""
    try:
        rows = await services.books.rows_after(reading.seen, _AT_ONCE)
    except StoreUnavailableError:
        # It will be back; the next look or the listener's new connection finds what was missed.
        return []
    by_checkout: defaultdict[str, list[TimelineRow]] = defaultdict(list)
    for row in rows:
        by_checkout[row.checkout_id].append(row)
    return [*merge(*by_checkout.values(), key=lambda row: row.at)]


async def _woken(news: asyncio.Event, stopping: anyio.Event, seconds: float) -> None:
    """Wait for news or for the end, at most so long."""
    waits = [asyncio.create_task(news.wait()), asyncio.create_task(stopping.wait())]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _may_still_read(services: Services, request: Request) -> bool:
    try:
        await caller_of(request, services.authenticator, "read")
    except Problem:
        return False
    except StoreUnavailableError:
        # Nobody knows; nothing is read from the books either until it is back.
        return True
    return True
