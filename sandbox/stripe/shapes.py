"""Stripe's objects as JSON, with every field the API version in use sends."""

from sandbox.ids import new_id, random_text
from sandbox.store import Json
from sandbox.stripe.cards import Decline, TestMethod

API_VERSION = "2026-10-28.endive"

_NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_CARD_CHECKS = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
_UNAVAILABLE = {"status": "unavailable"}
# Fields a new object carries without a value; some of them stay null, because this Stripe lacks the feature.
_NULL_INTENT_FIELDS = (
    "application application_fee_amount canceled_at cancellation_reason customer customer_account "
    "excluded_payment_method_types last_payment_error latest_charge next_action on_behalf_of payment_method "
    "payment_method_configuration_details processing review setup_future_usage shipping source transfer_data"
)
_NULL_CHARGE_FIELDS = (
    "application application_fee application_fee_amount balance_transaction customer failure_balance_transaction "
    "failure_code failure_message on_behalf_of receipt_number receipt_url review shipping source source_transfer "
    "transfer_data"
)
_NULL_IN_INTENT = tuple(_NULL_INTENT_FIELDS.split())
_NULL_IN_CHARGE = tuple(_NULL_CHARGE_FIELDS.split())


def _billing() -> Json:
    return {"address": dict(_NO_ADDRESS), "email": None, "name": None, "phone": None, "tax_id": None}


def payment_intent(params: Json, created: int) -> Json:
    """A new PaymentIntent from the parameters of its create call."""
    intent_id = new_id("pi")
    automatic = params.get("automatic_payment_methods")
    return {
        "id": intent_id,
        "object": "payment_intent",
        **dict.fromkeys(_NULL_IN_INTENT),
        "amount": params["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": automatic,
        "capture_method": params.get("capture_method", "automatic_async"),
        "client_secret": f"{intent_id}_secret_{random_text(25)}",
        "confirmation_method": params.get("confirmation_method", "automatic"),
        "created": created,
        "currency": params["currency"],
        "description": params.get("description"),
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": params.get("metadata", {}),
        "payment_method_options": params.get("payment_method_options", {}),
        "payment_method_types": params.get("payment_method_types", ["card"]),
        "receipt_email": params.get("receipt_email"),
        "statement_descriptor": params.get("statement_descriptor"),
        "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_group": params.get("transfer_group"),
    }


def payment_method(method: TestMethod, created: int) -> Json:
    """The payment method one attempt uses; Stripe, too, makes a fresh one of each test method."""
    kind = "us_bank_account" if method.bank else "card"
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": _billing(),
        kind: _bank(method) if method.bank else _card(method),
        "created": created,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }


def _bank(method: TestMethod) -> Json:
    return {"account_type": "checking", "bank_name": "TEST BANK", "last4": method.last4, "routing_number": "110000000"}


def _card(method: TestMethod) -> Json:
    return {
        "brand": method.brand,
        "checks": dict(_CARD_CHECKS),
        "country": "US",
        "display_brand": method.brand,
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": f"sandbox{method.last4}",
        "funding": "credit",
        "generated_from": None,
        "last4": method.last4,
        "networks": {"available": [method.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def charge(intent: Json, method: TestMethod, method_id: str | None, created: int) -> Json:
    """One attempt to take an intent's money; the caller says how it went."""
    charge_id = new_id("ch")
    return {
        "id": charge_id,
        "object": "charge",
        **dict.fromkeys(_NULL_IN_CHARGE),
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "billing_details": _billing(),
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": created,
        "currency": intent["currency"],
        "description": intent["description"],
        "disputed": False,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": outcome(None),
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method_id,
        "payment_method_details": _details(intent, method, created),
        "receipt_email": intent["receipt_email"],
        "refunded": False,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_group": intent["transfer_group"],
    }


def outcome(decline: Decline | None) -> Json:
    """What the network and the risk check said of an attempt."""
    if decline is None:
        return {
            "advice_code": None,
            "network_advice_code": None,
            "network_decline_code": None,
            "network_status": "approved_by_network",
            "reason": None,
            "seller_message": "Payment complete.",
            "type": "authorized",
        }
    return {
        "advice_code": decline.advice_code,
        "network_advice_code": None,
        "network_decline_code": decline.network_decline_code,
        "network_status": "declined_by_network",
        "reason": decline.decline_code or decline.code,
        "seller_message": decline.message,
        "type": "issuer_declined",
    }


def _details(intent: Json, method: TestMethod, created: int) -> Json:
    if method.bank:
        return {"us_bank_account": _bank(method), "type": "us_bank_account"}
    card = {
        "amount_authorized": intent["amount"],
        "authorization_code": f"{created % 1_000_000:06d}",
        "brand": method.brand,
        "checks": dict(_CARD_CHECKS),
        "country": "US",
        "exp_month": 12,
        "exp_year": 2034,
        "extended_authorization": {"status": "disabled"},
        "fingerprint": f"sandbox{method.last4}",
        "funding": "credit",
        "incremental_authorization": dict(_UNAVAILABLE),
        "installments": None,
        "last4": method.last4,
        "mandate": None,
        "multicapture": _multicapture(intent, method),
        "network": method.brand,
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }
    return {"card": card, "type": "card"}


def _multicapture(intent: Json, method: TestMethod) -> Json:
    asked = intent["payment_method_options"].get("card", {}).get("request_multicapture") == "if_available"
    held = intent["capture_method"] == "manual"
    return {"status": "available" if asked and held and method.multicapture else "unavailable"}


def refund(charge_object: Json, amount: int, params: Json, created: int) -> Json:
    """A refund of one charge; the caller says how it went."""
    kind = charge_object["payment_method_details"]["type"]
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge_object["id"],
        "created": created,
        "currency": charge_object["currency"],
        "customer": None,
        "customer_account": None,
        "destination_details": {kind: {"type": "refund"} if kind == "card" else {}, "type": kind},
        "metadata": params.get("metadata", {}),
        "payment_intent": charge_object["payment_intent"],
        "payment_method": charge_object["payment_method"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending",
        "transfer_reversal": None,
    }


def event(kind: str, data: Json, created: int, request: Json, pending_webhooks: int) -> Json:
    """The envelope that tells of one change."""
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": data,
        "livemode": False,
        "pending_webhooks": pending_webhooks,
        "request": request,
        "type": kind,
    }


def webhook_endpoint(params: Json, created: int, endpoint_id: str | None = None) -> Json:
    """An address that wants to hear of events."""
    return {
        "id": endpoint_id or new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": created,
        "description": params.get("description"),
        "enabled_events": params["enabled_events"],
        "livemode": False,
        "metadata": params.get("metadata", {}),
        "status": "enabled",
        "url": params["url"],
    }
