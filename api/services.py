"""What the routes work with, handed in by the application's start."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request

from api.auth import Authenticator
from api.following import Following
from api.meter import Meter
from api.sagas import Sagas
from api.shop_webhooks import ShopWebhooks
from config.routes import Routes
from gateways.contract import Gateway
from ledger.analytics import Analytics
from ledger.books import Books
from ledger.breakers import Breakers
from ledger.cases import CaseBook
from ledger.disputes import Disputes
from ledger.idempotency import IdempotencyKeys
from ledger.inbox import Inbox
from ledger.refunds import Refunds

Probe = Callable[[], Awaitable[None]]
"""Answers when the part is up, raises when it is not."""


@dataclass(frozen=True)
class Services:
    """Everything behind the API. `probes` are what `/readyz` asks, by the name it tells.

    `broker` is the scheme of the broker that other services hear events from.
    """

    books: Books
    refunds: Refunds
    disputes: Disputes
    cases: CaseBook
    idempotency: IdempotencyKeys
    inbox: Inbox
    authenticator: Authenticator
    gateways: Mapping[str, Gateway]
    sagas: Sagas
    routes: Routes
    breakers: Breakers
    analytics: Analytics
    meter: Meter
    following: Following
    shop_webhooks: ShopWebhooks
    probes: Mapping[str, Probe]
    broker: str = "nats"


def services_of(request: Request) -> Services:
    """The services of the application that got this request."""
    services = request.app.state.services
    assert isinstance(services, Services)
    return services
