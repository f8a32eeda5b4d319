"""Which path is which operation, and who carries it out."""

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.adyen import defence, links, modifications
from sandbox.adyen.call import Call
from sandbox.adyen.gateway import AdyenGateway
from sandbox.routing import RouteTable
from sandbox.store import Json

Handler = Callable[[AdyenGateway, Call], Json]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: where it is, who carries it out, and what it answers when all goes well."""

    operation: str
    method: str
    path: tuple[str, ...]
    handler: Handler
    status: int = 200

    @property
    def creates(self) -> bool:
        """Whether it is a POST: those name the merchant account, and an idempotency key guards them."""
        return self.method == "POST"


_ROUTES = (
    Route("adyen.payment_links.create", "POST", ("paymentLinks",), links.create, 201),
    Route("adyen.payment_links.get", "GET", ("paymentLinks", "*"), links.retrieve),
    Route("adyen.payment_links.update", "PATCH", ("paymentLinks", "*"), links.update),
    Route("adyen.payments.capture", "POST", ("payments", "*", "captures"), modifications.capture, 201),
    Route("adyen.payments.cancel", "POST", ("payments", "*", "cancels"), modifications.cancel, 201),
    Route("adyen.payments.refund", "POST", ("payments", "*", "refunds"), modifications.refund, 201),
    Route("adyen.payments.reversal", "POST", ("payments", "*", "reversals"), modifications.reverse, 201),
)
_DISPUTE_ROUTES = (
    Route("adyen.disputes.accept", "POST", ("acceptDispute",), defence.accept),
    Route("adyen.disputes.reasons", "POST", ("retrieveApplicableDefenseReasons",), defence.reasons),
    Route("adyen.disputes.supply", "POST", ("supplyDefenseDocument",), defence.supply),
    Route("adyen.disputes.defend", "POST", ("defendDispute",), defence.defend),
)
TABLE = RouteTable(_ROUTES)
DISPUTE_TABLE = RouteTable(_DISPUTE_ROUTES)
OPERATIONS = frozenset(route.operation for route in (*_ROUTES, *_DISPUTE_ROUTES))
