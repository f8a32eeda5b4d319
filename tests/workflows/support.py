"""A stack for the sagas' tests: real Postgres and Temporal, the sandbox over HTTP, worker and API in this process."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
from sqlalchemy import text
from temporalio.client import WorkflowHandle, WorkflowUpdateRPCTimeoutOrCancelledError, WorkflowUpdateStage

import worker
from activities.guard import GatewayGuard
from api.app import ApiSettings, create_app, production
from api.sagas import Sagas
from api.wiring import accounts_of, connect_temporal
from config.routes import Routes
from config.settings import DatabaseSettings, PolicySettings, TemporalSettings, WebhookSettings
from devstack.inprocess import served
from devstack.ports import any_free
from domain.breaker import BreakerPolicy
from domain.checkout import CaptureMode, Checkout, CheckoutRecord, CheckoutStatus
from domain.money import Money
from domain.saga import SagaPolicy
from domain.states import CheckoutState
from domain.timeline import Entry, EventType, TimelineRow, terms_of
from gateways.registry import Builder, build_gateways, close_all
from ledger.books import Books
from ledger.breakers import Breakers
from ledger.engine import create_engine
from ledger.evidence import StoredEvidence
from tests.gateways.sandboxed import SandboxOutside
from tests.workflows.sandboxes import Announced, payment_of, sandbox_builders, sandbox_process, worlds
from workflows.runner import CHECKED

T = TypeVar("T")
PATIENCE = 60.0
_TRIES = 4
_MEANS_FIELD = {"stripe": "payment_method", "paypal": "funding", "adyen": "card"}
# The books are shared by all tests: one's broken gateway must not keep back another's calls.
NEVER_TRIPPED = BreakerPolicy(failures=1_000_000)
POLICY = SagaPolicy(poll_after_seconds=20, poll_at_most_seconds=60, stuck_after_seconds=60)


async def eventually(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool], patience: float = PATIENCE) -> T:
    """What `look` sees once it is as wanted; the last sight is in the error when that never happens."""
    end = asyncio.get_running_loop().time() + patience
    while not wanted(seen := await look()):
        assert asyncio.get_running_loop().time() < end, f"waited {patience} s, last seen: {seen}"
        await asyncio.sleep(0.05)
    return seen


async def for_each(kinds: Sequence[str], story: Callable[[str], Awaitable[None]]) -> None:
    """Live through the story for each kind of trouble, side by side; the error tells which of them went wrong."""
    ends = await asyncio.gather(*(story(kind) for kind in kinds), return_exceptions=True)
    wrong = []
    for kind, end in zip(kinds, ends, strict=True):
        if isinstance(end, BaseException):
            end.add_note(f"with {kind}")
            wrong.append(end)
    if wrong:
        raise BaseExceptionGroup("some kinds of trouble were not borne", wrong)


@dataclass
class Shop:
    """What a test does as a shop, a customer, a gateway and an operator."""

    parts: worker.Parts
    books: Books
    sandbox: httpx.AsyncClient
    announced: Announced
    policy: SagaPolicy = POLICY
    checkouts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._worlds = worlds(self.announced.url, self.sandbox)

    def world(self, gateway: str) -> SandboxOutside:
        """What can be done to one gateway from outside, in words that are the same for all."""
        return self._worlds[gateway]

    def sagas(self, policy: SagaPolicy | None = None) -> Sagas:
        """The client side of the sagas."""
        return Sagas(self.parts.client, self.parts.task_queue, policy or self.policy, accounts_of(self.parts.gateways))

    async def record(self, **changes: Any) -> Checkout:
        """Record a checkout over 42 dollars as the API does, with these fields changed; nothing is started."""
        now = datetime.now(UTC)
        checkout = Checkout(
            id=f"chk_{secrets.token_hex(12)}",
            order_id=f"order-{secrets.token_hex(8)}",
            amount=Money(4200, "USD"),
            gateway="stripe",
            capture=CaptureMode.AUTOMATIC,
            confirm_within_seconds=None,
            created_at=now,
            expires_at=now + timedelta(minutes=30),
        )
        checkout = replace(checkout, **changes)
        status = CheckoutStatus(CheckoutState.PROCESSING)
        await self.books.create_checkout(
            checkout,
            Entry(
                "created",
                status,
                "api",
                checkout.created_at,
                details=terms_of(checkout),
                event=EventType.CHECKOUT_CREATED,
            ),
        )
        self.checkouts.append(checkout.id)
        return checkout

    async def open(self, policy: SagaPolicy | None = None, **changes: Any) -> Checkout:
        """Record a checkout and open its saga; the customer has a next step."""
        checkout = await self.record(**changes)
        assert await self.sagas(policy).open(checkout, PATIENCE)
        return checkout

    async def status(self, checkout: Checkout) -> CheckoutStatus:
        """Where it stands on the books."""
        record = await self.books.get(checkout.id)
        assert record is not None
        return record.status

    async def until(self, checkout: Checkout, *states: str, patience: float = PATIENCE) -> CheckoutStatus:
        """The status once the checkout is in one of the states."""
        return await eventually(lambda: self.status(checkout), lambda s: s.state in states, patience)

    async def pay(self, checkout: Checkout, outcome: str = "approve", method: str | None = None) -> httpx.Response:
        """Do as a customer does at the gateway's page; `method` is one of the means that it offers there."""
        record = await self.record_of(checkout)
        action = record.status.next_action
        assert action is not None
        assert action.url is not None
        form = {"outcome": outcome} | ({_MEANS_FIELD[record.gateway]: method} if method else {})
        answer = await self.sandbox.post(action.url, data=form)
        assert answer.status_code in (200, 303), answer.text
        return answer

    async def pay_with(self, checkout: Checkout, means: str) -> None:
        """Pay with one of the neutral `MEANS`, whichever the gateway is."""
        record = await self.record_of(checkout)
        await self.world(record.gateway).pay(payment_of(checkout, record.status), means)

    async def fault(self, operation: str, kind: str, checkout: Checkout | None = None, **more: Any) -> str:
        """Make the sandbox misbehave, for this checkout only where one is given."""
        match = {"match": {"checkout_id": checkout.id}} if checkout else {}
        answer = await self.sandbox.post(
            "/sandbox/faults", json={"operation": operation, "kind": kind, "count": 1} | match | more
        )
        assert answer.is_success, answer.text
        return str(answer.json()["id"])

    async def strike(self, verb: str, kind: str, checkout: Checkout, **how: Any) -> None:
        """Let this checkout's next call of the verb (see `VERBS`) go wrong at its first gateway."""
        await self.world(checkout.gateway).fault(verb, kind, checkout.id, **how)

    async def gateway_rows(self, checkout: Checkout) -> list[dict[str, Any]]:
        """The gateway's own books of this checkout."""
        rows = (await self.sandbox.get("/sandbox/books", params={"checkout_id": checkout.id})).json()["data"]
        assert isinstance(rows, list)
        return rows

    async def moved(self, checkout: Checkout) -> dict[str, list[int]]:
        """The amounts on the gateway's own books by kind of movement."""
        result: dict[str, list[int]] = {}
        for row in await self.gateway_rows(checkout):
            result.setdefault(row["operation"], []).append(row["amount"])
        return result

    async def taken(self, checkout: Checkout) -> int:
        """How often the gateway's own books say that money was taken: at most once, whatever happens."""
        return sum(row["operation"] in ("charge", "capture") for row in await self.gateway_rows(checkout))

    async def timeline(self, checkout: Checkout) -> list[TimelineRow]:
        """The checkout's rows."""
        return list(await self.books.timeline(checkout.id))

    async def path(self, checkout: Checkout) -> list[str]:
        """The states the checkout went through, in order, each once in a row."""
        states = [str(row.state) for row in await self.timeline(checkout)]
        return [state for i, state in enumerate(states) if i == 0 or states[i - 1] != state]

    async def causes(self, checkout: Checkout) -> dict[str, str]:
        """For each row's key, what caused it."""
        return {row.key: row.cause for row in await self.timeline(checkout)}

    async def all_dispatched(self, payment_id: str | None) -> None:
        """Every event about this payment that is due has come and found its outcome; later ones get a moment."""
        query = text("SELECT count(*) FROM webhook_inbox WHERE payment_id = :id AND processed_at IS NULL")

        async def left() -> int:
            clock = (await self.sandbox.get("/sandbox/clock")).json()
            now = datetime.now(UTC).timestamp() + clock["offset_seconds"]
            rows = (await self.sandbox.get("/sandbox/deliveries", params={"payment": payment_id or ""})).json()["data"]
            untried = [row for row in rows if row["state"] == "pending" and not row["attempts"] and row["due"] <= now]
            async with self.parts.engine.connect() as connection:
                return len(untried) + int((await connection.execute(query, {"id": payment_id})).scalar_one())

        await asyncio.sleep(1)
        await eventually(left, lambda count: count == 0)

    def handle(self, checkout: Checkout) -> WorkflowHandle[Any, Any]:
        """The checkout's workflow."""
        return self.parts.client.get_workflow_handle(checkout.workflow_id)

    async def tell(self, checkout: Checkout, command: str, *words: str) -> None:
        """Give a command as a shop does, again while no worker has heard it; what comes of it is not waited for.

        A server that skips time sometimes loses a command; the same one twice is one.
        """
        accepted = WorkflowUpdateStage.ACCEPTED
        for _ in range(_TRIES):
            # The client makes an error of its own of a call that is cut off.
            with suppress(TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
                async with asyncio.timeout(PATIENCE / 2):
                    await self.handle(checkout).start_update(command, args=[*words], wait_for_stage=accepted)
                    return
        raise AssertionError(f"no worker has heard {command} of {checkout.id} in {_TRIES} tries")

    async def record_of(self, checkout: Checkout) -> CheckoutRecord:
        """Checkout and status."""
        record = await self.books.get(checkout.id)
        assert record is not None
        return record


@asynccontextmanager
async def running_api(settings: ApiSettings, port: int) -> AsyncIterator[str]:
    """The API in this process, for the webhooks."""
    async with served(create_app(lambda: production(settings)), port) as url:
        yield url


@asynccontextmanager
async def running_shop(
    folder: Path,
    database_url: str,
    temporal_address: str,
    further: Callable[[Announced], Mapping[str, Builder]] | None = None,
) -> AsyncIterator[Shop]:
    """Everything a saga needs, on a task queue of its own; `further` gateways are there besides the sandbox's."""
    port = any_free()
    async with sandbox_process(folder, f"http://127.0.0.1:{port}/webhooks") as announced:
        builders = sandbox_builders(announced) | dict(further(announced) if further else {})
        settings = api_settings(database_url, temporal_address, builders)
        async with (
            running_api(settings, port),
            parts_of(settings) as parts,
            worker.running(parts),
            httpx.AsyncClient(base_url=announced.url, timeout=60) as sandbox,
        ):
            yield Shop(parts, Books(parts.engine), sandbox, announced)


def api_settings(database_url: str, temporal_address: str, gateways: Mapping[str, Builder]) -> ApiSettings:
    """The settings of a process that works with these gateways."""
    return ApiSettings(
        database=DatabaseSettings(database_url=database_url),
        temporal=TemporalSettings(temporal_address=temporal_address, task_queue=f"tests-{secrets.token_hex(4)}"),
        policy=PolicySettings(),
        gateways=gateways,
        routes=Routes(None, [*gateways]),
        webhooks=WebhookSettings(webhooks_development=True, webhooks_timeout_seconds=1),
    )


@asynccontextmanager
async def parts_of(settings: ApiSettings) -> AsyncIterator[worker.Parts]:
    """A worker's parts for these settings."""
    engine = create_engine(settings.database.database_url)
    gateways = build_gateways(settings.gateways, StoredEvidence(engine))
    client = await connect_temporal(settings.temporal)
    try:
        guard = GatewayGuard(Breakers(engine), NEVER_TRIPPED)
        queue, webhooks = settings.temporal.task_queue, settings.webhooks
        yield worker.Parts(client, engine, gateways, queue, POLICY, guard, CHECKED, webhooks=webhooks)
    finally:
        await close_all(gateways)
        await engine.dispose()
