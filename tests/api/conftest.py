"""The API on loopback, on a real Postgres; the sagas are a stand-in that writes the books as the workflow would."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from api.__main__ import Server, server_config
from api.app import create_app
from api.auth import Authenticator
from api.following import Following
from api.meter import Meter
from api.services import Services
from api.shop_webhooks import ShopWebhooks
from config.routes import Routes
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions
from ledger.analytics import Analytics
from ledger.books import Books
from ledger.breakers import Breakers
from ledger.cases import CaseBook
from ledger.disputes import Disputes
from ledger.endpoints import Endpoints
from ledger.engine import create_engine
from ledger.figures import read_figures
from ledger.idempotency import IdempotencyKeys
from ledger.inbox import Inbox
from ledger.keys import ApiKeys
from ledger.refunds import Refunds
from ledger.webhook_deliveries import WebhookDeliveries

from .resending import StandInRuns
from .stand_in import StandInSagas

WEBHOOK_SECRET = "whsec_test_current"
OLD_WEBHOOK_SECRET = "whsec_test_previous"


@dataclass
class Api:
    """The running API: its address, its stores, and clients; `stranger` has no API key."""

    url: str
    services: Services
    sagas: StandInSagas
    keys: ApiKeys
    secret: str
    client: httpx.AsyncClient
    stranger: httpx.AsyncClient

    async def key(self, *scopes: str) -> str:
        """The secret of a new key with these scopes."""
        return (await self.keys.create("test", scopes))[1]

    async def create(self, **changes: object) -> httpx.Response:
        """POST a checkout that fits, with these members changed; its order is a new one unless given."""
        headers = changes.pop("headers", {})
        return await self.client.post("/v1/checkouts", json=order(**changes), headers=headers)


def order(**changes: object) -> dict[str, object]:
    """A request that fits."""
    return {"order_id": f"order-{secrets.token_hex(6)}x", "amount": 4200, "currency": "USD"} | changes


def bearer(secret: str) -> dict[str, str]:
    """The header that carries the key."""
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture(scope="session")
async def running(database_url: str) -> AsyncIterator[Api]:
    """One API for the whole folder."""
    async with serving(database_url) as api:
        yield api


@pytest.fixture
async def api(running: Api) -> Api:
    """The API with sagas that answer."""
    running.sagas.reset()
    return running


@asynccontextmanager
async def serving(database_url: str, keys_url: str | None = None, **changed: object) -> AsyncIterator[Api]:
    """An API on a free port, on this database; its API keys may be in another."""
    engine, keys_engine = create_engine(database_url), create_engine(keys_url or database_url)
    books, inbox, keys = Books(engine), Inbox(engine), ApiKeys(keys_engine)
    sagas = StandInSagas(books)
    parts: dict[str, Any] = {
        "books": books,
        "refunds": Refunds(engine),
        "disputes": Disputes(engine),
        "cases": CaseBook(engine),
        "meter": Meter(lambda: read_figures(engine), inbox),
        "idempotency": IdempotencyKeys(engine),
        "inbox": inbox,
        "authenticator": Authenticator(keys),
        "gateways": {"stripe": StripeGateway(_stripe())},
        "sagas": sagas,
        "breakers": Breakers(engine),
        "analytics": Analytics(engine),
        "following": Following(engine),
        "shop_webhooks": ShopWebhooks(Endpoints(engine), WebhookDeliveries(engine), StandInRuns()),
        "probes": {},
    }
    parts |= changed
    services = Services(**({"routes": Routes(None, [*parts["gateways"]])} | parts))

    @asynccontextmanager
    async def opened() -> AsyncIterator[Services]:
        await inbox.start()
        yield services
        await services.following.close()
        await inbox.close()

    server = Server(server_config(create_app(opened), "127.0.0.1", 0, log_config=None))
    serving_task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not serving_task.done(), "the API did not start"
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        secret = (await keys.create("tests", ["read", "write", "refund"]))[1]
        url = f"http://127.0.0.1:{port}"
        async with (
            httpx.AsyncClient(base_url=url, headers=bearer(secret), timeout=30) as client,
            httpx.AsyncClient(base_url=url, timeout=30) as stranger,
        ):
            yield Api(url, services, sagas, keys, secret, client, stranger)
    finally:
        server.should_exit = True
        await serving_task
        await engine.dispose()
        await keys_engine.dispose()


def _stripe() -> StripeOptions:
    return StripeOptions(
        api_key="sk_test_" + "x" * 24,
        webhook_secrets=(WEBHOOK_SECRET, OLD_WEBHOOK_SECRET),
        api_base="http://127.0.0.1:9",
        live=False,
    )
