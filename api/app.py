"""The application: builds the adapters at its start, hands them to the routes, gives them back at its end."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.routing import Route
from temporalio.client import Client

from api import (
    analytics,
    asyncapi,
    cases,
    customers,
    disputes,
    failures,
    gateways,
    inbox,
    metrics,
    refunds,
    routes,
    rules,
    stream,
    webhook_deliveries,
    webhook_endpoints,
)
from api.auth import Authenticator
from api.following import Following
from api.health import answer_health, answer_readiness
from api.meter import Meter
from api.openapi import describe
from api.sagas import Sagas
from api.services import Probe, Services
from api.shop_webhooks import ShopWebhooks
from api.webhooks import receive_webhook
from api.wiring import accounts_of, connect_temporal, saga_policy
from config.routes import Routes
from config.settings import (
    BrokerSettings,
    DatabaseSettings,
    PolicySettings,
    RoutingSettings,
    TemporalSettings,
    WebhookSettings,
)
from domain.errors import BooksError
from gateways.registry import Builder, build_gateways, close_all, configured_gateways
from ledger.analytics import Analytics
from ledger.books import Books
from ledger.breakers import Breakers
from ledger.cases import CaseBook
from ledger.disputes import Disputes
from ledger.engine import create_engine
from ledger.evidence import StoredEvidence
from ledger.failures import translated
from ledger.figures import read_figures
from ledger.idempotency import IdempotencyKeys
from ledger.inbox import Inbox
from ledger.keys import ApiKeys
from ledger.refunds import Refunds
from ledger.tables import metadata

_ROUTERS = (
    routes.router,
    customers.router,
    stream.router,
    refunds.router,
    refunds.refunding,
    disputes.router,
    disputes.conceding,
    cases.router,
    cases.operating,
    inbox.router,
    rules.router,
    gateways.router,
    gateways.operating,
    webhook_endpoints.router,
    webhook_deliveries.router,
    analytics.router,
    metrics.router,
)

Open = Callable[[], AbstractAsyncContextManager[Services]]


@dataclass(frozen=True)
class ApiSettings:
    """Everything this process reads from its environment."""

    database: DatabaseSettings
    temporal: TemporalSettings
    policy: PolicySettings
    gateways: Mapping[str, Builder]
    routes: Routes
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    webhooks: WebhookSettings = field(default_factory=WebhookSettings)

    @classmethod
    def read(cls) -> Self:
        """The settings of this process. Raises SettingsError, also for rules that cannot be kept."""
        database, temporal, policy = DatabaseSettings.read(), TemporalSettings.read(), PolicySettings.read()
        gateways = configured_gateways()
        routes = Routes(RoutingSettings.read().routes_file, [*gateways])
        return cls(database, temporal, policy, gateways, routes, BrokerSettings.read(), WebhookSettings.read())


def create_app(opened: Open) -> FastAPI:
    """The application on the services that `opened` gives, for as long as it runs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with opened() as services:
            app.state.services = services
            yield

    # The page at /docs loads its scripts from here: a payment service runs no code of somebody else's server.
    app = FastAPIOffline(title="Paysaga", version="1", lifespan=lifespan, redoc_url=None, redirect_slashes=False)
    # The webhook route is matched first: it is by far the busiest.
    app.router.routes.insert(0, Route("/webhooks/{gateway}", receive_webhook, methods=["POST"]))
    app.router.routes.append(Route("/healthz", answer_health, methods=["GET"]))
    app.router.routes.append(Route("/readyz", answer_readiness, methods=["GET"]))
    app.router.routes.extend(asyncapi.ROUTES)
    for router in _ROUTERS:
        app.include_router(router)
    failures.install(app)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign] # FastAPI documents this as the way to extend it.
    return app


@asynccontextmanager
async def production(settings: ApiSettings) -> AsyncIterator[Services]:
    """The services on the real parts. Neither Postgres nor Temporal has to be up yet."""
    async with AsyncExitStack() as stack:
        engine = create_engine(settings.database.database_url)
        stack.push_async_callback(engine.dispose)
        adapters = build_gateways(settings.gateways, StoredEvidence(engine))
        stack.push_async_callback(close_all, adapters)
        events = Inbox(engine)
        await events.start()
        stack.push_async_callback(events.close)
        following = Following(engine)
        stack.push_async_callback(following.close)
        client = await connect_temporal(settings.temporal, lazy=True)
        yield Services(
            books=Books(engine),
            refunds=Refunds(engine),
            disputes=Disputes(engine),
            cases=CaseBook(engine),
            idempotency=IdempotencyKeys(engine),
            inbox=events,
            authenticator=Authenticator(ApiKeys(engine)),
            gateways=adapters,
            sagas=Sagas(client, settings.temporal.task_queue, saga_policy(settings.policy), accounts_of(adapters)),
            routes=settings.routes,
            breakers=Breakers(engine),
            meter=Meter(lambda: read_figures(engine), events),
            analytics=Analytics(engine),
            following=following,
            shop_webhooks=ShopWebhooks.on(
                engine, client, settings.temporal.task_queue, settings.webhooks.webhooks_development
            ),
            probes=probes(engine, client),
            broker=settings.broker.scheme,
        )


def probes(engine: AsyncEngine, client: Client) -> dict[str, Probe]:
    """What `/readyz` asks."""

    async def database() -> None:
        # Without the migrations Postgres refuses our role, which proves that it is up; the next probe tells of that.
        with suppress(BooksError), translated():
            async with engine.connect():
                pass

    async def migrations() -> None:
        names = sorted(metadata.tables)
        with translated():
            async with engine.connect() as connection:
                found = (await connection.execute(select(*(func.to_regclass(name) for name in names)))).one()
        if None in found:
            raise BooksError("tables are missing: run python -m ledger.migrate")

    async def temporal() -> None:
        if not await client.service_client.check_health(timeout=timedelta(seconds=2)):
            raise ConnectionError("Temporal says it is not serving")

    return {"database": database, "migrations": migrations, "temporal": temporal}
