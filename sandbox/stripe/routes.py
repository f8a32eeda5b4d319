"""Which call is which operation."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.routing import RouteTable
from sandbox.store import Json
from sandbox.stripe import balance, charges, disputes, events, hooks, intents, refunds, search
from sandbox.stripe.call import Call
from sandbox.stripe.gateway import Gateway

Handler = Callable[[Gateway, Call], Json]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: where it is, what runs, what kind of object it answers, and whether a browser may call it."""

    method: str
    path: tuple[str, ...]
    operation: str
    handler: Handler
    kind: str
    in_list: bool = False
    publishable: bool = False


def _route(
    line: str, operation: str, handler: Handler, kind: str, *, in_list: bool = False, publishable: bool = False
) -> Route:
    method, path = line.split(" ")
    return Route(method, tuple(path.split("/")), operation, handler, kind, in_list, publishable)


_PI, _CH, _RE, _DU = "payment_intent", "charge", "refund", "dispute"
_WE, _BT = "webhook_endpoint", "balance_transaction"

# The order matters: `search` must be tried before an id.
ROUTES = (
    _route("POST payment_intents", "payment_intents.create", intents.create, _PI),
    _route("GET payment_intents", "payment_intents.list", intents.list_all, _PI, in_list=True),
    _route("GET payment_intents/search", "payment_intents.search", search.intents, _PI, in_list=True),
    _route("GET payment_intents/*", "payment_intents.retrieve", intents.retrieve, _PI, publishable=True),
    _route("POST payment_intents/*/confirm", "payment_intents.confirm", intents.confirm, _PI, publishable=True),
    _route("POST payment_intents/*/capture", "payment_intents.capture", intents.capture, _PI),
    _route("POST payment_intents/*/cancel", "payment_intents.cancel", intents.cancel, _PI),
    _route("GET charges", "charges.list", charges.list_all, _CH, in_list=True),
    _route("GET charges/*", "charges.retrieve", charges.retrieve, _CH),
    _route("GET payment_methods/*", "payment_methods.retrieve", charges.retrieve_method, "payment_method"),
    _route("POST refunds", "refunds.create", refunds.create, _RE),
    _route("GET refunds", "refunds.list", refunds.list_all, _RE, in_list=True),
    _route("GET refunds/*", "refunds.retrieve", refunds.retrieve, _RE),
    _route("POST refunds/*/cancel", "refunds.cancel", refunds.cancel, _RE),
    _route("GET disputes", "disputes.list", disputes.list_all, _DU, in_list=True),
    _route("GET disputes/*", "disputes.retrieve", disputes.retrieve, _DU),
    _route("POST disputes/*", "disputes.update", disputes.update, _DU),
    _route("POST disputes/*/close", "disputes.close", disputes.close, _DU),
    _route("GET events", "events.list", events.list_all, "event", in_list=True),
    _route("GET events/*", "events.retrieve", events.retrieve, "event"),
    _route("POST webhook_endpoints", "webhook_endpoints.create", hooks.create, _WE),
    _route("GET webhook_endpoints", "webhook_endpoints.list", hooks.list_all, _WE, in_list=True),
    _route("GET webhook_endpoints/*", "webhook_endpoints.retrieve", hooks.retrieve, _WE),
    _route("POST webhook_endpoints/*", "webhook_endpoints.update", hooks.update, _WE),
    _route("DELETE webhook_endpoints/*", "webhook_endpoints.delete", hooks.delete, _WE),
    _route("GET balance", "balance.retrieve", balance.balance, "balance"),
    _route("GET balance_transactions", "balance_transactions.list", balance.transactions, _BT, in_list=True),
    _route("GET balance_transactions/*", "balance_transactions.retrieve", balance.transaction, _BT),
)
OPERATIONS = frozenset(route.operation for route in ROUTES)
find = RouteTable(ROUTES).find
