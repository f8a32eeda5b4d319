"""How a payment's money moves: attempts, authentication, authorization, capture, release."""

from sandbox.ids import random_text
from sandbox.store import Json
from sandbox.stripe import chargebacks, shapes
from sandbox.stripe.cards import METHODS, UNAUTHENTICATED, Decline, TestMethod
from sandbox.stripe.errors import missing
from sandbox.stripe.gateway import BY_ITSELF, Gateway, Origin

LAPSE, SETTLE_PAYMENT = "lapse_hold", "settle_payment"
_HOLD_SECONDS = 7 * 86_400
_BANK_SECONDS = 600


def method_of(gateway: Gateway, method_id: str) -> tuple[TestMethod, Json]:
    """The test method behind an id: a name of Stripe's list makes a fresh payment method, a stored id is reused."""
    method = METHODS.get(method_id)
    if method is not None:
        body = shapes.payment_method(method, gateway.clock.stamp())
        gateway.store.put("payment_method", body, payment=None, created=gateway.clock.now(), label=method_id)
        return method, body
    row = gateway.store.row(method_id)
    if row is None or row["kind"] != "payment_method":
        raise missing("PaymentMethod", method_id, "payment_method", status=400)
    body = gateway.find("payment_method", method_id)
    return METHODS[row["label"]], body


def attempt(
    gateway: Gateway, intent: Json, method: TestMethod, body: Json, return_url: str | None, origin: Origin
) -> None:
    """Try to pay with a method: it asks for authentication, goes through, stays processing, or is declined."""
    intent["payment_method"] = body["id"]
    intent["last_payment_error"] = None
    intent["next_action"] = None
    if method.authentication:
        intent["status"] = "requires_action"
        redirect = {"url": f"{origin.base_url}/3ds/{intent['id']}_{random_text(16)}", "return_url": return_url}
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": redirect}
        gateway.save(intent)
        gateway.emit("payment_intent.requires_action", intent, origin)
    elif method.bank:
        _process(gateway, intent, method, origin)
    elif method.decline is not None:
        _charge_failed(gateway, intent, method, method.decline, origin)
    else:
        _go_through(gateway, intent, method, origin)


def authenticated(gateway: Gateway, intent: Json, origin: Origin) -> None:
    """The customer passed 3D Secure."""
    method, _ = method_of(gateway, intent["payment_method"])
    intent["next_action"] = None
    _go_through(gateway, intent, method, origin)


def not_authenticated(gateway: Gateway, intent: Json, origin: Origin) -> None:
    """The customer failed 3D Secure: no charge was tried, so there is none."""
    _, body = method_of(gateway, intent["payment_method"])
    _fail(gateway, intent, UNAUTHENTICATED, None, body, origin)


def _go_through(gateway: Gateway, intent: Json, method: TestMethod, origin: Origin) -> None:
    charge = shapes.charge(intent, method, intent["payment_method"], gateway.clock.stamp())
    charge.update(paid=True, status="succeeded")
    intent["latest_charge"] = charge["id"]
    if intent["capture_method"] == "manual":
        _authorize(gateway, intent, charge, origin)
    else:
        _take(gateway, intent, charge, method, origin)


def _authorize(gateway: Gateway, intent: Json, charge: Json, origin: Origin) -> None:
    lapses_at = gateway.clock.now() + _HOLD_SECONDS
    charge["payment_method_details"]["card"]["capture_before"] = int(lapses_at)
    intent.update(status="requires_capture", amount_capturable=intent["amount"])
    gateway.book("authorization", intent, charge["id"], intent["amount"], origin)
    gateway.save(charge)
    gateway.save(intent)
    gateway.store.schedule(intent["id"], LAPSE, lapses_at)
    gateway.emit("charge.succeeded", charge, origin)
    gateway.emit("payment_intent.amount_capturable_updated", intent, origin)


def _take(gateway: Gateway, intent: Json, charge: Json, method: TestMethod, origin: Origin) -> None:
    """The whole amount is charged and captured in one step."""
    charge.update(paid=True, status="succeeded", captured=True, amount_captured=intent["amount"])
    intent.update(status="succeeded", amount_received=intent["amount"], processing=None)
    gateway.book("charge", intent, charge["id"], intent["amount"], origin)
    gateway.save(charge)
    gateway.save(intent)
    gateway.emit("charge.succeeded", charge, origin)
    gateway.emit("payment_intent.succeeded", intent, origin)
    _be_disputed(gateway, intent, charge, method)


def _process(gateway: Gateway, intent: Json, method: TestMethod, origin: Origin) -> None:
    charge = shapes.charge(intent, method, intent["payment_method"], gateway.clock.stamp())
    intent.update(status="processing", latest_charge=charge["id"])
    gateway.save(charge)
    gateway.save(intent)
    gateway.store.schedule(intent["id"], SETTLE_PAYMENT, gateway.clock.now() + _BANK_SECONDS)
    gateway.emit("charge.pending", charge, origin)
    gateway.emit("payment_intent.processing", intent, origin)


def settle(gateway: Gateway, intent: Json, origin: Origin) -> None:
    """A bank debit comes through, or comes back."""
    method, body = method_of(gateway, intent["payment_method"])
    charge = gateway.find("charge", intent["latest_charge"])
    if method.decline is None:
        _take(gateway, intent, charge, method, origin)
        return
    _mark_failed(gateway, charge, method.decline, origin)
    _fail(gateway, intent, method.decline, charge["id"], body, origin)


def _charge_failed(gateway: Gateway, intent: Json, method: TestMethod, decline: Decline, origin: Origin) -> None:
    _, body = method_of(gateway, intent["payment_method"])
    charge = shapes.charge(intent, method, intent["payment_method"], gateway.clock.stamp())
    intent["latest_charge"] = charge["id"]
    _mark_failed(gateway, charge, decline, origin)
    _fail(gateway, intent, decline, charge["id"], body, origin)


def _mark_failed(gateway: Gateway, charge: Json, decline: Decline, origin: Origin) -> None:
    charge.update(
        status="failed",
        failure_code=decline.code,
        failure_message=decline.message,
        outcome=shapes.outcome(decline),
    )
    gateway.save(charge)
    gateway.emit("charge.failed", charge, origin)


def _fail(
    gateway: Gateway, intent: Json, decline: Decline, charge_id: str | None, method_body: Json, origin: Origin
) -> None:
    kind = "card_error" if decline is not UNAUTHENTICATED else "invalid_request_error"
    error: Json = {"code": decline.code, "message": decline.message, "payment_method": method_body, "type": kind}
    optional = {
        "charge": charge_id,
        "decline_code": decline.decline_code,
        "advice_code": decline.advice_code,
        "network_decline_code": decline.network_decline_code,
    }
    error.update({name: value for name, value in optional.items() if value is not None})
    error["doc_url"] = f"https://stripe.com/docs/error-codes/{decline.code.replace('_', '-')}"
    intent.update(
        status="requires_payment_method",
        last_payment_error=error,
        next_action=None,
        payment_method=None,
        processing=None,
    )
    gateway.save(intent)
    gateway.emit("payment_intent.payment_failed", intent, origin)


def has_multicapture(charge: Json) -> bool:
    """Whether a charge can be captured several times."""
    card: Json = charge["payment_method_details"].get("card", {})
    return bool(card.get("multicapture", {}).get("status") == "available")


def capture(gateway: Gateway, intent: Json, amount: int, origin: Origin, *, final: bool = True) -> None:
    """Take an authorized amount; with the final capture, what is left of the hold is released."""
    charge = gateway.find("charge", intent["latest_charge"])
    before = {"amount_capturable": intent["amount_capturable"]}
    charge["amount_captured"] += amount
    intent["amount_received"] += amount
    intent["amount_capturable"] -= amount
    if amount:
        gateway.book("capture", intent, charge["id"], amount, origin)
    if final:
        _end_hold(gateway, intent, charge, origin)
    gateway.save(charge)
    gateway.save(intent)
    if has_multicapture(charge):
        gateway.emit("charge.updated", charge, origin)
        gateway.emit("payment_intent.amount_capturable_updated", intent, origin, before)
    if final:
        gateway.emit("charge.captured", charge, origin)
        gateway.emit("payment_intent.succeeded", intent, origin)
    _be_disputed(gateway, intent, charge, method_of(gateway, charge["payment_method"])[0])


def _end_hold(gateway: Gateway, intent: Json, charge: Json, origin: Origin) -> None:
    """What was captured is all there will be."""
    if intent["amount_capturable"]:
        gateway.book("release", intent, charge["id"], intent["amount_capturable"], origin)
    charge.update(captured=True, refunded=charge["amount_refunded"] == charge["amount_captured"])
    intent.update(status="succeeded", amount_capturable=0)


def lapse(gateway: Gateway, intent: Json, origin: Origin) -> None:
    """A hold runs out: what was captured of it stays, without any the payment ends canceled."""
    if not intent["amount_received"]:
        cancel(gateway, intent, "expired", origin)
        return
    charge = gateway.find("charge", intent["latest_charge"])
    _end_hold(gateway, intent, charge, origin)
    gateway.save(charge)
    gateway.save(intent)
    gateway.emit("charge.captured", charge, origin)
    gateway.emit("payment_intent.succeeded", intent, origin)


def cancel(gateway: Gateway, intent: Json, reason: str | None, origin: Origin) -> None:
    """End a payment; a hold is released, which makes no refund."""
    if intent["status"] == "requires_capture":
        charge = gateway.find("charge", intent["latest_charge"])
        gateway.book("release", intent, charge["id"], intent["amount_capturable"], origin)
        if reason == "expired":
            gateway.emit("charge.expired", charge, origin)
    intent.update(
        status="canceled",
        canceled_at=gateway.clock.stamp(),
        cancellation_reason=reason,
        amount_capturable=0,
        next_action=None,
    )
    gateway.save(intent)
    gateway.emit("payment_intent.canceled", intent, origin)


def _be_disputed(gateway: Gateway, intent: Json, charge: Json, method: TestMethod) -> None:
    """Some test cards dispute what was taken, once, as soon as it was taken."""
    if method.dispute is None or charge["disputed"]:
        return
    inquiry = method.dispute == "inquiry"
    opening = chargebacks.Opening(charge["amount_captured"], "general" if inquiry else method.dispute, inquiry)
    chargebacks.open_on(gateway, intent, charge, opening, BY_ITSELF)


def pay_late(gateway: Gateway, intent: Json, method_id: str, origin: Origin) -> None:
    """Money arrives for a payment that was canceled, as some gateways let happen."""
    method, body = method_of(gateway, method_id)
    intent.update(payment_method=body["id"], canceled_at=None, cancellation_reason=None, last_payment_error=None)
    charge = shapes.charge(intent, method, body["id"], gateway.clock.stamp())
    intent["latest_charge"] = charge["id"]
    _take(gateway, intent, charge, method, origin)
