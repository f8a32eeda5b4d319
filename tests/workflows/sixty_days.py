"""Sixty days in which many checkouts live side by side: one shop, one clock, one calendar that all wait on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlalchemy import text
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment

import worker
from api.__main__ import Server, server_config
from api.app import ApiSettings, create_app, production
from api.sagas import Sagas
from api.wiring import accounts_of
from devstack.longclock import LongClock
from devstack.ports import any_free
from domain.checkout import Checkout
from domain.saga import SagaPolicy
from ledger.books import Books
from ledger.disputes import Disputes
from ledger.refunds import Refunds
from tests.workflows.sandboxes import sandbox_builders, sandbox_process
from tests.workflows.support import PATIENCE, Shop, api_settings, eventually, parts_of

T = TypeVar("T")
DAY = timedelta(days=1)
LAST_DAY = 60
_AT_ONCE = 6
_PATIENCE = 20.0
_TRIES = 4


@dataclass
class HardOfHearing:
    """In front of the API: answers 503 to each webhook which names one of these ids."""

    app: ASGIApp
    deaf_to: set[str]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith("/webhooks/") or not self.deaf_to:
            await self.app(scope, receive, send)
            return
        body = await _body(receive)
        if any(name.encode() in body for name in self.deaf_to):
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
        await self.app(scope, lambda: _next(unread, receive), send)


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _next(unread: list[Message], receive: Receive) -> Message:
    return unread.pop() if unread else await receive()


class Calendar:
    """Lets time pass when every story waits for a later day, so that none is late for what another does."""

    def __init__(self, clock: LongClock, settle: Callable[[], Awaitable[None]]) -> None:
        self.begun = clock.now()
        self._clock, self._settle = clock, settle
        self._waiting: list[tuple[datetime, asyncio.Future[None]]] = []
        self._busy = 0
        self._resting = asyncio.Event()
        # What happens on the same day happens at once only so far as this machine can bear it.
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def now(self) -> datetime:
        """The time by which all live."""
        return self._clock.now()

    async def until(self, day: float) -> None:
        """Until so many days have passed since the beginning."""
        woken = asyncio.get_running_loop().create_future()
        self._waiting.append((self.begun + day * DAY, woken))
        self._turns.release()
        self._end_turn()
        await woken
        await self._turns.acquire()

    async def later(self, span: timedelta) -> None:
        """Until so much time has passed."""
        await self.until((self.now() + span - self.begun) / DAY)

    async def tell(self, stories: Mapping[str, Coroutine[Any, Any, T]]) -> dict[str, asyncio.Task[T]]:
        """Live through all stories, to the last day; one that breaks off does so for itself."""
        told = {name: asyncio.create_task(self._turn(story), name=name) for name, story in stories.items()}
        self._busy = len(told)
        while True:
            await self._resting.wait()
            if not self._waiting:
                break
            await self._pass_until(min(at for at, _ in self._waiting))
        await self._pass_until(self.begun + LAST_DAY * DAY)
        await asyncio.wait(told.values())
        return told

    async def _turn(self, story: Coroutine[Any, Any, T]) -> T:
        async with self._turns:
            try:
                return await story
            finally:
                self._end_turn()

    def _end_turn(self) -> None:
        self._busy -= 1
        if not self._busy:
            self._resting.set()

    async def _pass_until(self, at: datetime) -> None:
        await self._clock.pass_time(at - self.now(), self._settle)
        due = [future for when, future in self._waiting if when <= at]
        self._waiting = [(when, future) for when, future in self._waiting if when > at]
        if due:
            self._busy += len(due)
            self._resting.clear()
        for future in due:
            future.set_result(None)


class PersistentSagas(Sagas):
    """The server that skips time fails now and then when a workflow is started together with an update."""

    async def open(self, checkout: Checkout, patience: float = PATIENCE, legs: Sequence[Checkout] = ()) -> bool:
        """Open it; the same call again finds what the one before has started."""
        for _ in range(_TRIES):
            try:
                return await super().open(checkout, patience, legs)
            except RPCError as error:
                if error.status is not RPCStatusCode.UNKNOWN:
                    raise
        return await super().open(checkout, patience, legs)


@dataclass
class LongShop(Shop):
    """A shop whose every part lives by one clock, which only its calendar moves on."""

    days: Calendar = field(init=False)
    unheard: set[str] = field(default_factory=set)

    def sagas(self, policy: SagaPolicy | None = None) -> Sagas:
        """The client side of the sagas."""
        accounts = accounts_of(self.parts.gateways)
        return PersistentSagas(self.parts.client, self.parts.task_queue, policy or self.policy, accounts)

    async def record(self, **changes: Any) -> Checkout:
        """Record a checkout of this day."""
        now = self.days.now()
        return await super().record(**({"created_at": now, "expires_at": now + timedelta(minutes=30)} | changes))

    async def told(self) -> None:
        """What the gateways have to tell by now has reached the workflows; refused deliveries come again by
        themselves.
        """
        with suppress(AssertionError):
            await eventually(self._under_way, lambda count: not count, _PATIENCE)

    async def _under_way(self) -> int:
        query = text("SELECT count(*) FROM webhook_inbox WHERE processed_at IS NULL AND attempts < 3")
        async with self.parts.engine.connect() as connection:
            undispatched = int((await connection.execute(query)).scalar_one())
        now = self.days.now().timestamp()
        rows = (await self.sandbox.get("/sandbox/deliveries")).json()["data"]
        fresh = [row for row in rows if row["state"] == "pending" and not row["attempts"] and row["due"] <= now]
        return undispatched + len(fresh)


@asynccontextmanager
async def long_shop(folder: Path, database_url: str, skipping: WorkflowEnvironment) -> AsyncIterator[LongShop]:
    """Everything that the stories need, on this server that skips time."""
    port = any_free()
    async with sandbox_process(folder, f"http://127.0.0.1:{port}/webhooks") as announced:
        address = skipping.client.service_client.config.target_host
        settings = api_settings(database_url, address, sandbox_builders(announced))
        # This server cuts off who pings it on a quiet connection.
        settings = replace(settings, temporal=settings.temporal.model_copy(update={"temporal_ping_seconds": 0}))
        async with (
            httpx.AsyncClient(base_url=announced.url, timeout=60) as sandbox,
            _hearing(settings, port) as unheard,
            parts_of(settings) as plain,
        ):
            clock = LongClock(skipping, sandbox)
            # No time is skipped between the tries of one bout, so that these are short here.
            policy = SagaPolicy(stuck_after_seconds=4)
            parts = replace(plain, policy=policy, clock=clock.now, interceptors=[clock.interceptor()])
            shop = LongShop(parts, Books(parts.engine), sandbox, announced, policy, unheard=unheard)
            shop.days = Calendar(clock, shop.told)
            async with worker.running(parts):
                yield shop


@asynccontextmanager
async def _hearing(settings: ApiSettings, port: int) -> AsyncIterator[set[str]]:
    app, unheard = create_app(lambda: production(settings)), set[str]()
    app.add_middleware(HardOfHearing, deaf_to=unheard)
    server = Server(server_config(app, "127.0.0.1", port, log_config=None))
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not task.done(), "the API did not start"
            await asyncio.sleep(0.01)
        yield unheard
    finally:
        server.should_exit = True
        await task


async def workflows_of(shop: LongShop) -> list[str]:
    """All that have run for a checkout, or may have."""
    found = []
    for id_ in shop.checkouts:
        refunds = await Refunds(shop.parts.engine).of_checkout(id_)
        disputes = await Disputes(shop.parts.engine).of_checkout(id_)
        found += [f"checkout/{id_}", f"late/{id_}"]
        found += [record.refund.workflow_id for record in refunds] + [record.workflow_id for record in disputes]
    return found


async def history_length(shop: LongShop, workflow_id: str) -> int:
    """How many events its last run has; none where it never ran."""
    try:
        return len((await shop.parts.client.get_workflow_handle(workflow_id).fetch_history()).events)
    except RPCError:
        return 0


async def looks_of(shop: LongShop, workflow_id: str) -> list[datetime]:
    """The moments for which the workflow's last run has set its timers, in order."""
    events = (await shop.parts.client.get_workflow_handle(workflow_id).fetch_history()).events
    return [
        event.event_time.ToDatetime(UTC) + event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
        for event in events
        if event.HasField("timer_started_event_attributes")
    ]
