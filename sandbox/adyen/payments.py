"""Attempts to pay a link: approved, authenticated, or refused."""

from sandbox.adyen import outcomes, shapes
from sandbox.adyen.cards import CARDS, Refused
from sandbox.adyen.gateway import AdyenGateway, Origin
from sandbox.adyen.holds import HOLD_SECONDS, LAPSE, capturable
from sandbox.ids import random_text
from sandbox.store import Json

CAPTURE_BY_ITSELF = "capture_by_itself"
_DIGITS = "0123456789"


def pay(gateway: AdyenGateway, link: Json, card_name: str, origin: Origin, *, refused: Refused | None = None) -> Json:
    """Try to pay a link: the issuer approves, or says no and the link stays open for another try."""
    payment = shapes.payment(link, card_name)
    refused = refused or CARDS[card_name].refused
    if refused is None:
        _authorise(gateway, link, payment, origin)
    else:
        _refuse(gateway, link, payment, refused)
    return payment


def _authorise(gateway: AdyenGateway, link: Json, payment: Json, origin: Origin) -> None:
    gateway.change_link(link, "completed", payment["id"])
    at_once, value, now = _capture_delay(link) == 0, payment["authorised"], gateway.clock.now()
    if at_once and CARDS[payment["card"]].capture == "succeeds":
        payment["captured"] = value
        gateway.book("charge", payment, payment["id"], value, origin.key)
    else:
        gateway.book("authorization", payment, payment["id"], value, origin.key)
        gateway.store.schedule(payment["id"], LAPSE, now + HOLD_SECONDS)
    gateway.save_payment(payment)
    _tell_approval(gateway, link, payment)
    if payment["captured"] == 0 and at_once:
        capture_by_itself(gateway, payment)
    elif delay := _capture_delay(link):
        gateway.store.schedule(payment["id"], CAPTURE_BY_ITSELF, now + delay)


def _capture_delay(link: Json) -> float | None:
    """Seconds until a payment is captured by itself; None where the shop captures."""
    return None if link.get("manualCapture") else float(link.get("captureDelayHours", 0) * 3600)


def _tell_approval(gateway: AdyenGateway, link: Json, payment: Json) -> None:
    card, code = CARDS[payment["card"]], random_text(6, _DIGITS)
    data = {"authCode": code, "refusalReasonRaw": "AUTHORISED", **shapes.card_data(payment, link)}
    if card.challenged:
        data["threeDAuthenticated"] = "true"
    fields = shapes.about_payment(payment, payment["authorised"])
    fields.update(operations=["CANCEL", "CAPTURE", "REFUND"], additionalData=data)
    gateway.notify("AUTHORISATION", payment, fields, reason=f"{code}:{card.last4}:{card.expiry}")


def _refuse(gateway: AdyenGateway, link: Json, payment: Json, refused: Refused) -> None:
    payment.update(state="refused", authorised=0)
    link["challenge"] = None
    gateway.save_link(link)
    gateway.save_payment(payment)
    fields = shapes.about_payment(payment, link["amount"]["value"])
    fields["additionalData"] = {"refusalReasonRaw": refused.raw, **shapes.card_data(payment, link)}
    gateway.notify("AUTHORISATION", payment, fields, reason=refused.reason, success=False)


def capture_by_itself(gateway: AdyenGateway, payment: Json) -> bool:
    """Take what is left of the hold, because the shop has left that to Adyen."""
    rest = capturable(payment)
    if rest == 0:
        return False
    outcomes.capture(gateway, payment, shapes.modification(payment, "capture", rest, None, None))
    return True
