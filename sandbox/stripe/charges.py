"""The charges and payment_methods calls."""

from sandbox.store import Filter, Json
from sandbox.stripe import params as p
from sandbox.stripe.call import Call
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.lists import LIST_CHECKS, listed

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
