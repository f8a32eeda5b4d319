"""What the gateways have each in a way of their own, as data: what customers pay with, and what calls are called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from devstack.demo.people import Json


class Means(StrEnum):
    """What a customer pays with, by what comes of it."""

    GOOD = "good means"
    REFUSED = "means that are refused"
    NO_FUNDS = "means without funds"
    BANK_ASKS = "a card whose bank asks"
    SLOW = "means that take their time"
    SLOW_REFUND = "means whose refunds take their time"
    FAILING_REFUND = "means whose refunds come back later"


class Call(StrEnum):
    """A call of ours at a gateway that the demo lets go wrong."""

    CREATE = "create"
    HOLD = "hold"
    """Where the customer's approval is no hold yet: our call that makes it one."""
    TAKE = "take"
    """Where the customer's approval is no payment yet: our call that makes it one."""
    CAPTURE = "capture"
    REFUND = "refund"


@dataclass(frozen=True)
class Manners:
    """One gateway's page, means and calls.

    `field`: what its page calls the means. `payment_id` reads the gateway's id of the payment from the customer's next
    step. `calls`: the sandbox's names of our calls. `order_known`: whether a call that opens a payment names our order,
    so that a fault can be for that order alone. `holds_always`: also what is to be taken at once is held first.
    `closes`: a payment that was given up can no longer be paid. `truth_by_webhook`: no look-up tells of the money, so
    that a webhook that does not come is waited for.
    """

    field: str
    payment_id: Callable[[Json], str]
    means: Mapping[Means, str]
    calls: Mapping[Call, str]
    order_known: bool = True
    holds_always: bool = False
    closes: bool = True
    truth_by_webhook: bool = False


def _in_the_secret(action: Json) -> str:
    return str(action["client_secret"]).partition("_secret_")[0]


def _in_the_address(action: Json) -> str:
    return urlsplit(str(action["url"])).path.rpartition("/")[2]


MANNERS: Mapping[str, Manners] = {
    "stripe": Manners(
        field="payment_method",
        payment_id=_in_the_secret,
        means={
            Means.GOOD: "pm_card_visa",
            Means.REFUSED: "pm_card_chargeDeclined",
            Means.NO_FUNDS: "pm_card_chargeDeclinedInsufficientFunds",
            Means.BANK_ASKS: "pm_card_threeDSecure2Required",
            Means.SLOW_REFUND: "pm_card_pendingRefund",
            Means.FAILING_REFUND: "pm_card_refundFail",
        },
        calls={
            Call.CREATE: "payment_intents.create",
            Call.CAPTURE: "payment_intents.capture",
            Call.REFUND: "refunds.create",
        },
    ),
    "paypal": Manners(
        field="funding",
        payment_id=_in_the_address,
        means={
            Means.GOOD: "good",
            Means.REFUSED: "declined",
            Means.NO_FUNDS: "declined",
            Means.SLOW: "capture_pending",
            Means.SLOW_REFUND: "refund_pending",
            Means.FAILING_REFUND: "refund_fails",
        },
        calls={
            Call.CREATE: "paypal.orders.create",
            Call.HOLD: "paypal.orders.authorize",
            Call.TAKE: "paypal.orders.capture",
            Call.CAPTURE: "paypal.authorizations.capture",
            Call.REFUND: "paypal.captures.refund",
        },
        order_known=False,
        closes=False,
    ),
    "adyen": Manners(
        field="card",
        payment_id=_in_the_address,
        means={
            Means.GOOD: "good",
            Means.REFUSED: "declined_soft",
            Means.NO_FUNDS: "declined_soft",
            Means.BANK_ASKS: "challenged",
            Means.SLOW: "capture_slow",
            Means.SLOW_REFUND: "refund_pending",
            Means.FAILING_REFUND: "refund_fails",
        },
        calls={
            Call.CREATE: "adyen.payment_links.create",
            Call.CAPTURE: "adyen.payments.capture",
            Call.REFUND: "adyen.payments.refund",
        },
        holds_always=True,
        truth_by_webhook=True,
    ),
}
