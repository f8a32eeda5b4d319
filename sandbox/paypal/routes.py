"""Which call is which operation."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.paypal import dispute_calls, events, hooks, orders, payments, reporting
from sandbox.paypal.call import Call
from sandbox.paypal.gateway import Gateway
from sandbox.routing import RouteTable
from sandbox.store import Json

Handler = Callable[[Gateway, Call], Json | None]
Again = Callable[[Gateway, Call, str], Json | None]

_ORDERS_KEEP, _PAYMENTS_KEEP = 6 * 3600, 45 * 86_400


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: where it is, what runs, and the status of its answer.

    `again` answers a repeated PayPal-Request-Id with the object as it is by then, `keeps` says for how many seconds.
    `takes_body` says whether a POST must declare JSON, `takes_form` that it must be a multipart form instead.
    """

    method: str
    path: tuple[str, ...]
    operation: str
    handler: Handler
    status: int = 200
    again: Again | None = None
    keeps: int = 0
    takes_body: bool = True
    takes_form: bool = False


def _route(
    line: str,
    operation: str,
    handler: Handler,
    status: int = 200,
    again: Again | None = None,
    keeps: int = 0,
    *,
    takes_body: bool = True,
    takes_form: bool = False,
) -> Route:
    method, path = line.split(" ")
    steps = tuple(path.split("/"))
    return Route(method, steps, f"paypal.{operation}", handler, status, again, keeps, takes_body, takes_form)


def _token(gateway: Gateway, call: Call) -> Json:
    return gateway.tokens.grant(call.authorization)


TOKEN = _route("POST v1/oauth2/token", "oauth.token", _token)
_ORDERS, _HOLDS = "v2/checkout/orders", "v2/payments/authorizations"
_CAPTURES, _HOOKS = "v2/payments/captures", "v1/notifications/webhooks"
_DISPUTES, _EVENTS = "v1/customer/disputes", "v1/notifications/webhooks-events"
ROUTES = (
    TOKEN,
    _route(f"POST {_ORDERS}", "orders.create", orders.create, 201, orders.again, _ORDERS_KEEP),
    _route(f"GET {_ORDERS}/*", "orders.get", orders.retrieve),
    _route(f"POST {_ORDERS}/*/authorize", "orders.authorize", orders.authorize, 201, orders.again, _ORDERS_KEEP),
    _route(f"POST {_ORDERS}/*/capture", "orders.capture", orders.capture, 201, orders.again, _ORDERS_KEEP),
    _route(f"GET {_HOLDS}/*", "authorizations.get", payments.authorization),
    _route(
        f"POST {_HOLDS}/*/capture",
        "authorizations.capture",
        payments.capture,
        201,
        payments.capture_again,
        _PAYMENTS_KEEP,
    ),
    _route(
        f"POST {_HOLDS}/*/void",
        "authorizations.void",
        payments.void,
        200,
        payments.void_again,
        _PAYMENTS_KEEP,
        takes_body=False,
    ),
    _route(
        f"POST {_HOLDS}/*/reauthorize",
        "authorizations.reauthorize",
        payments.reauthorize,
        201,
        payments.reauthorize_again,
        _PAYMENTS_KEEP,
    ),
    _route(f"GET {_CAPTURES}/*", "captures.get", payments.captured),
    _route(
        f"POST {_CAPTURES}/*/refund", "captures.refund", payments.refund, 201, payments.refund_again, _PAYMENTS_KEEP
    ),
    _route("GET v2/payments/refunds/*", "refunds.get", payments.refunded),
    _route(f"GET {_DISPUTES}/*", "disputes.get", dispute_calls.retrieve),
    _route(
        f"POST {_DISPUTES}/*/provide-evidence",
        "disputes.provide_evidence",
        dispute_calls.provide_evidence,
        takes_form=True,
    ),
    _route(f"POST {_DISPUTES}/*/accept-claim", "disputes.accept_claim", dispute_calls.accept_claim),
    _route("GET v1/reporting/transactions", "transactions.list", reporting.transactions),
    _route(f"POST {_HOOKS}", "webhooks.create", hooks.create, 201),
    _route(f"GET {_HOOKS}", "webhooks.list", hooks.list_all),
    _route(f"GET {_HOOKS}/*", "webhooks.get", hooks.retrieve),
    _route(f"DELETE {_HOOKS}/*", "webhooks.delete", hooks.delete),
    _route(f"GET {_EVENTS}", "webhooks_events.list", events.list_all),
    _route(f"GET {_EVENTS}/*", "webhooks_events.get", events.retrieve),
)
OPERATIONS = frozenset(route.operation for route in ROUTES)

find = RouteTable(ROUTES).find
