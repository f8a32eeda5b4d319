"""The payment_intents calls."""

from sandbox.store import Filter, Json
from sandbox.stripe import params as p
from sandbox.stripe import payments, shapes
from sandbox.stripe.call import Call
from sandbox.stripe.currencies import check_charge, check_currency, check_step
from sandbox.stripe.errors import StripeError, card_declined, invalid, refused, unexpected_state
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.lists import LIST_CHECKS, listed

_CREATE = {
    "amount": p.amount,
    "automatic_payment_methods": p.mapping,
    "capture_method": p.one_of("automatic", "automatic_async", "manual"),
    "confirm": p.boolean,
    "confirmation_method": p.one_of("automatic", "manual"),
    "currency": p.text,
    "description": p.text,
    "error_on_requires_action": p.boolean,
    "expand": p.words,
    "metadata": p.metadata,
    "payment_method": p.text,
    "payment_method_options": p.mapping,
    "payment_method_types": p.words,
    "receipt_email": p.text,
    "return_url": p.text,
    "statement_descriptor": p.text,
    "statement_descriptor_suffix": p.text,
    "transfer_group": p.text,
}
_CONFIRM = {
    "client_secret": p.text,
    "error_on_requires_action": p.boolean,
    "expand": p.words,
    "payment_method": p.text,
    "receipt_email": p.text,
    "return_url": p.text,
    "use_stripe_sdk": p.boolean,
}
_CAPTURE = {"amount_to_capture": p.integer, "expand": p.words, "final_capture": p.boolean}
_MOST_CAPTURES = 50
_CANCEL = {
    "cancellation_reason": p.one_of("abandoned", "duplicate", "fraudulent", "requested_by_customer"),
    "expand": p.words,
}
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_CANCELABLE = ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action")


def create(gateway: Gateway, call: Call) -> Json:
    """Open a payment, and confirm it at once where asked."""
    params = p.check(call.params, _CREATE, required=("amount", "currency"))
    params["currency"] = check_currency(params["currency"])
    check_charge(params["amount"], params["currency"])
    confirm = params.get("confirm", False)
    if params.get("return_url") and not confirm:
        message = "The parameter `return_url` can only be sent together with `confirm`."
        raise invalid(message, "return_url")
    automatic = _automatic_methods(params)
    if "payment_method_options" in params:
        params["payment_method_options"] = _options(params["payment_method_options"])
    intent = shapes.payment_intent({**params, "automatic_payment_methods": automatic}, gateway.clock.stamp())
    method = None
    if "payment_method" in params:
        method, body = payments.method_of(gateway, params["payment_method"])
        intent.update(status="requires_confirmation", payment_method=body["id"])
    elif confirm:
        raise refused("You cannot confirm this PaymentIntent because it's missing a payment method.", "payment_method")
    gateway.save(intent)
    gateway.store.index_metadata(intent["id"], intent["metadata"])
    gateway.emit("payment_intent.created", intent, call.origin)
    if confirm and method is not None:
        payments.attempt(gateway, intent, method, body, params.get("return_url"), call.origin)
        _refuse_if_declined(intent)
    return intent


def _automatic_methods(params: Json) -> Json | None:
    found = params.get("automatic_payment_methods")
    if found is None:
        return None if "payment_method_types" in params else {"allow_redirects": "always", "enabled": True}
    checks = {"enabled": p.boolean, "allow_redirects": p.one_of("always", "never")}
    automatic = p.check(found, checks, required=("enabled",))
    if automatic["enabled"] and "payment_method_types" in params:
        raise invalid("You may only specify one of: automatic_payment_methods, payment_method_types.")
    return {"allow_redirects": "always", **automatic}


def _options(given: Json) -> Json:
    checks = {"request_multicapture": p.one_of("if_available", "never")}
    options = p.check(given, {"card": p.mapping})
    return {name: p.check(option, checks) for name, option in options.items()}


def _refuse_if_declined(intent: Json) -> None:
    if intent["last_payment_error"] is not None:
        raise card_declined(intent)


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read a payment."""
    p.check(call.params, {"expand": p.words, "client_secret": p.text})
    intent = gateway.find("payment_intent", call.ids[0], "intent")
    _check_secret(intent, call)
    return intent


def _check_secret(intent: Json, call: Call) -> None:
    """A publishable key, which every browser has, needs the payment's own secret as well."""
    given = call.params.get("client_secret")
    if (call.publishable or given is not None) and given != intent["client_secret"]:
        message = "The client_secret provided does not match the client_secret associated with this PaymentIntent."
        raise StripeError(
            400,
            {"message": message, "type": "invalid_request_error", "code": "payment_intent_invalid_parameter",
             "param": "client_secret"},
            kept=True,
        )  # fmt: skip


def confirm(gateway: Gateway, call: Call) -> Json:
    """Try to pay, with the method given or the one already there."""
    params = p.check(call.params, _CONFIRM)
    intent = gateway.find("payment_intent", call.ids[0], "intent")
    _check_secret(intent, call)
    if intent["status"] not in _CONFIRMABLE:
        raise unexpected_state(intent, "confirmed", _CONFIRMABLE)
    method_id = params.get("payment_method") or intent["payment_method"]
    if method_id is None:
        message = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise unexpected_with(message, intent)
    method, body = payments.method_of(gateway, method_id)
    if "receipt_email" in params:
        intent["receipt_email"] = params["receipt_email"]
    payments.attempt(gateway, intent, method, body, params.get("return_url"), call.origin)
    _refuse_if_declined(intent)
    return intent


def unexpected_with(message: str, intent: Json) -> StripeError:
    """A state error in other words, carrying the intent."""
    error = unexpected_state(intent, "confirmed", _CONFIRMABLE)
    error.error["message"] = message
    return error


def capture(gateway: Gateway, call: Call) -> Json:
    """Take an authorized payment, in whole or in part; one capture that is not the final one keeps the rest held."""
    params = p.check(call.params, _CAPTURE)
    intent = gateway.find("payment_intent", call.ids[0], "intent")
    if intent["status"] != "requires_capture":
        raise unexpected_state(intent, "captured", ("requires_capture",))
    final: bool = params.get("final_capture", True)
    capturable: int = intent["amount_capturable"]
    amount = int(params.get("amount_to_capture", capturable))
    if amount > capturable:
        message = (
            f"The amount to capture ({amount}) exceeds the capturable amount ({capturable}) of this PaymentIntent."
        )
        raise refused(message, "amount_to_capture", "amount_too_large")
    # Nothing can be captured only to release what earlier captures left of the hold.
    if amount < (0 if final and intent["amount_received"] else 1):
        raise invalid("Invalid positive integer", "amount_to_capture", "parameter_invalid_integer")
    check_step(amount, intent["currency"], "amount_to_capture")
    if not final:
        _check_multicapture(gateway, intent)
    payments.capture(gateway, intent, amount, call.origin, final=final)
    return intent


def _check_multicapture(gateway: Gateway, intent: Json) -> None:
    charge = gateway.find("charge", intent["latest_charge"])
    if not payments.has_multicapture(charge):
        raise refused("Multicapture is not available for this PaymentIntent.", "final_capture")
    rows = gateway.books.rows(gateway.name, intent["id"])
    if sum(row["operation"] == "capture" for row in rows) >= _MOST_CAPTURES - 1:
        raise refused(f"A PaymentIntent can be captured {_MOST_CAPTURES} times at most.", "final_capture")


def cancel(gateway: Gateway, call: Call) -> Json:
    """End a payment that has not been taken."""
    params = p.check(call.params, _CANCEL)
    intent = gateway.find("payment_intent", call.ids[0], "intent")
    if intent["status"] not in _CANCELABLE or intent["amount_received"]:
        raise unexpected_state(intent, "canceled", _CANCELABLE)
    payments.cancel(gateway, intent, params.get("cancellation_reason"), call.origin)
    return intent


def list_all(gateway: Gateway, call: Call) -> Json:
    """Payments, newest first."""
    params = p.check(call.params, LIST_CHECKS)
    return listed(gateway, Filter("payment_intent"), params, "/v1/payment_intents")
