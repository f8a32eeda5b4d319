"""Requests of ours and objects of PayPal's that several tests start from."""

from typing import Any

from domain.money import Money
from gateways.contract import AuthorizePayment, CapturePayment, CreatePayment, RefundPayment, VoidPayment
from tests.gateways.scripted import ScriptedServer, answer

ACCESS_TOKEN = "A21AA_TheTokenThatMustNotShow"
TOKEN = answer(200, {"access_token": ACCESS_TOKEN, "token_type": "Bearer", "expires_in": 32400})
ORDER_ID = "5O190127TN364715T"
TEN = Money(1000, "USD")
CREATE = CreatePayment("chk_1:create:1", "chk_1", "order-1", TEN, hold=False)
AUTHORIZE = AuthorizePayment("chk_1:authorize:1", ORDER_ID, TEN)
CAPTURE = CapturePayment("chk_1:capture:1", ORDER_ID, TEN)
VOID = VoidPayment("chk_1:void:1", ORDER_ID)
REFUND = RefundPayment("chk_1:refund:1", ORDER_ID, TEN)
API = "https://api-m.sandbox.paypal.com"
PAGE = f"https://www.sandbox.paypal.com/checkoutnow?token={ORDER_ID}"

Json = dict[str, Any]


def money(value: str = "10.00", currency: str = "USD") -> Json:
    """An amount of PayPal's."""
    return {"currency_code": currency, "value": value}


def link(rel: str, href: str) -> Json:
    """One link."""
    return {"rel": rel, "href": href, "method": "GET"}


SELF = link("self", f"{API}/v2/checkout/orders/{ORDER_ID}")
APPROVE = link("approve", PAGE)


def capture(status: str = "COMPLETED", **changes: Any) -> Json:
    """A capture of the whole."""
    return {"id": "3C679366HH908993F", "status": status, "amount": money(), "custom_id": "chk_1"} | changes


def authorization(status: str = "CREATED", **changes: Any) -> Json:
    """A hold of the whole."""
    held = {"id": "0VF52814937998046", "status": status, "amount": money(), "custom_id": "chk_1"}
    return held | {"expiration_time": "2026-12-21T12:00:00Z"} | changes


def refund(status: str = "COMPLETED", **changes: Any) -> Json:
    """A refund of the whole that we asked for."""
    given = {"id": "1JU08902781691411", "status": status, "amount": money(), "custom_id": "chk_1.refund.1"}
    return given | changes


def order(status: str = "CREATED", payments: Json | None = None, **changes: Any) -> Json:
    """An order over ten dollars, with what was done with it."""
    unit: Json = {
        "reference_id": "chk_1",
        "custom_id": "chk_1",
        "amount": money(),
        "payee": {"merchant_id": "7KNGBPH2U58GQ"},
    }
    if payments is not None:
        unit["payments"] = payments
    links = [SELF, APPROVE] if status in ("CREATED", "PAYER_ACTION_REQUIRED") else [SELF]
    return {"id": ORDER_ID, "intent": "CAPTURE", "status": status, "purchase_units": [unit], "links": links} | changes


CREATED = order()
APPROVED = order("APPROVED", payer={"payer_id": "QYR5Z8XDVJNXQ"})
HELD = order("COMPLETED", {"authorizations": [authorization()]}, intent="AUTHORIZE")
RELEASED = order("COMPLETED", {"authorizations": [authorization("VOIDED")]}, intent="AUTHORIZE")
CAPTURED = order("COMPLETED", {"captures": [capture()]})
PENDING = order("COMPLETED", {"captures": [capture("PENDING", status_details={"reason": "ECHECK"})]})
REFUNDED = order("COMPLETED", {"captures": [capture("REFUNDED")], "refunds": [refund()]})


def refused(status: int, issue: str | None = None, *links: Json, **words: Any) -> bytes:
    """PayPal's error, with at most one issue."""
    body: Json = {
        "name": _NAMES.get(status, "ERROR"),
        "message": "No.",
        "debug_id": "b1d1f06c7246c",
        "links": list(links),
    }
    if issue is not None:
        body["details"] = [{"issue": issue, "description": "Not possible."}]
    return answer(status, body | words, {"Paypal-Debug-Id": "b1d1f06c7246c"})


def done(stated: dict[str, Any]) -> bytes:
    """A success."""
    return answer(201, stated)


def seen(stated: dict[str, Any]) -> bytes:
    """The order as it is read."""
    return answer(200, stated)


def asked(scripted: ScriptedServer) -> list[str]:
    """Method and path of each request."""
    return [" ".join(request.split(" ")[:2]) for request in scripted.requests]


_NAMES = {
    400: "INVALID_REQUEST",
    401: "AUTHENTICATION_FAILURE",
    403: "NOT_AUTHORIZED",
    404: "RESOURCE_NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    422: "UNPROCESSABLE_ENTITY",
    429: "RATE_LIMIT_REACHED",
    500: "INTERNAL_SERVER_ERROR",
    503: "SERVICE_UNAVAILABLE",
}
