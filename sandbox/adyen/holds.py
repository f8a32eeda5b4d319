"""What is left of a payment's money: of the hold, and of what was captured."""

from sandbox.adyen import shapes
from sandbox.adyen.errors import new_reference
from sandbox.adyen.gateway import AdyenGateway
from sandbox.store import Json

LAPSE = "lapse_hold"
HOLD_SECONDS = 28 * 86_400


def capturable(payment: Json) -> int:
    """What is left of the hold."""
    if payment["state"] != "authorised":
        return 0
    return int(payment["authorised"] - payment["captured"] - payment["capturing"] - payment.get("unclaimed", 0))


def refundable(payment: Json) -> int:
    """What was captured and has gone back neither by a refund nor by a chargeback."""
    return int(payment["captured"] - payment["refunded"] - payment["refunding"] - payment.get("charged_back", 0))


def release(gateway: AdyenGateway, payment: Json, state: str, key: str | None) -> None:
    """The hold ends, and what was not captured of it is the customer's again."""
    rest = capturable(payment)
    payment["state"] = state
    if rest:
        gateway.book("release", payment, payment["id"], rest, key)
    gateway.save_payment(payment)


def let_go(gateway: AdyenGateway, payment: Json, key: str | None) -> None:
    """What a capture has left of the hold is the customer's again; the payment stays as it is."""
    rest = capturable(payment)
    if rest:
        payment["unclaimed"] = payment.get("unclaimed", 0) + rest
        gateway.book("release", payment, payment["id"], rest, key)


def lapse(gateway: AdyenGateway, payment: Json) -> bool:
    """The hold is too old: what was not captured of it expires."""
    if capturable(payment) == 0:
        return False
    release(gateway, payment, "expired", None)
    fields = shapes.about_modification(payment, payment["authorised"], new_reference(), payment["reference"])
    gateway.notify("EXPIRE", payment, fields)
    return True
