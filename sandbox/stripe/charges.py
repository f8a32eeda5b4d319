"""The charges, payment_methods and balance calls."""

from sandbox.stripe import params as p
from sandbox.stripe.call import Call
from sandbox.stripe.gateway import NAME, Gateway
from sandbox.stripe.lists import LIST_CHECKS, listed
from sandbox.stripe.shapes import Json
from sandbox.stripe.store import Filter

_LIST = {**LIST_CHECKS, "payment_intent": p.text}


def retrieve(gateway: Gateway, call: Call) -> Json:
    """Read a charge."""
    p.check(call.params, {"expand": p.words})
    return gateway.find("charge", call.ids[0])


def list_all(gateway: Gateway, call: Call) -> Json:
    """Charges, newest first, failed attempts included."""
    params = p.check(call.params, _LIST)
    return listed(gateway, Filter("charge", payment=params.get("payment_intent")), params, "/v1/charges")


def retrieve_method(gateway: Gateway, call: Call) -> Json:
    """Read a payment method that an attempt used."""
    p.check(call.params, {"expand": p.words})
    return gateway.find("payment_method", call.ids[0])


def balance(gateway: Gateway, call: Call) -> Json:
    """What the merchant holds, as the books have it; nothing is ever paid out here."""
    p.check(call.params, {"expand": p.words})
    held = gateway.books.balances(NAME) or {"usd": 0}
    return {
        "object": "balance",
        "available": [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in held.items()
        ],
        "connect_reserved": [{"amount": 0, "currency": currency} for currency in held],
        "livemode": False,
        "pending": [{"amount": 0, "currency": currency, "source_types": {"card": 0}} for currency in held],
    }
