"""The page where a payer approves an order."""

from html import escape
from urllib.parse import urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.pages import BUTTONS, OUTCOMES, chooser, page, told, unknown
from sandbox.paypal import orders, shapes
from sandbox.paypal.funding import FUNDINGS, GOOD
from sandbox.paypal.gateway import GONE, ORDER, Gateway
from sandbox.paypal.money import readable
from sandbox.store import Filter, Json

_SAID = {
    "APPROVED": "You approved the payment. The shop takes the money.",
    "COMPLETED": "The shop has taken or reserved the money.",
    "CREATED": "Nothing was paid.",
    "PAYER_ACTION_REQUIRED": "Nothing was paid.",
    GONE: "This payment waited too long. It can no longer be approved.",
}


class Pages:
    """The payer's side of this PayPal."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/paypal/approve/{order}", self.show, methods=["GET"]),
            Route("/paypal/approve/{order}", self.decide, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The amount, the means, the buttons."""
        order = self._gateway.store.get(ORDER, request.path_params["order"])
        if order is None:
            return unknown()
        if not orders.payable(order):
            return _result(order, 410 if order["status"] == GONE else 200)
        means = {name: funding.label for name, funding in FUNDINGS.items()}
        described = escape(order["unit"].get("description", ""))
        form = f"{chooser('Pay with', 'funding', means)}{BUTTONS}"
        note = f"<p>{described}</p>{form}<p class='note'><code>{escape(order['id'])}</code></p>"
        return page(f"Pay {readable(order['amount'], order['currency'])} with PayPal", note)

    async def decide(self, request: Request) -> Response:
        """What the payer chose; declining and walking away leave the order as it is."""
        order = self._gateway.store.get(ORDER, request.path_params["order"])
        if order is None:
            return unknown()
        form = await request.form()
        outcome, funding = form.get("outcome"), form.get("funding") or GOOD
        if outcome not in OUTCOMES or not isinstance(funding, str) or funding not in FUNDINGS:
            return page("That is not possible", "<p>Choose an outcome and one of the means of payment.</p>", 400)
        if not orders.payable(order):
            return _result(order, 409)
        if outcome == "decline":
            return _result(order)
        if outcome == "cancel":
            return _back(order["cancel_url"], token=order["id"]) or _result(order)
        with self._gateway.transaction():
            orders.approve(self._gateway, order, funding)
        return _back(order["return_url"], token=order["id"], PayerID=shapes.PAYER_ID) or _result(order)


def latest(gateway: Gateway) -> list[tuple[str, ...]]:
    """The newest orders, each with a link to its page."""
    return [
        (
            f'<a href="/paypal/approve/{escape(row["id"])}"><code>{escape(row["id"])}</code></a>',
            escape(readable(order["amount"], order["currency"])),
            escape(order["status"]),
            f"<code>{escape(order['unit'].get('custom_id', ''))}</code>",
        )
        for row in gateway.store.newest(Filter(ORDER), 20)
        if (order := gateway.store.get(ORDER, row["id"])) is not None
    ]


def _result(order: Json, status: int = 200) -> Response:
    amount = readable(order["amount"], order["currency"])
    shown = told(_SAID[order["status"]], amount, order["status"], order["id"], order["return_url"])
    return page(f"Payment {order['status'].lower()}", shown, status)


def _back(url: str | None, **names: str) -> Response | None:
    """The way back to the shop, with what PayPal adds to its address."""
    if url is None or urlsplit(url).scheme not in ("http", "https"):
        return None
    joint = "&" if urlsplit(url).query else "?"
    return RedirectResponse(f"{url}{joint}{urlencode(names)}", status_code=303)
