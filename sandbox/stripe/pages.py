"""The pages a customer sees: the pay page, and the bank's 3D Secure page."""

from html import escape
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.ids import random_text
from sandbox.pages import BUTTONS, OUTCOMES, chooser, page, told, unknown
from sandbox.store import Filter, Json
from sandbox.stripe import payments
from sandbox.stripe.cards import METHODS
from sandbox.stripe.currencies import readable
from sandbox.stripe.gateway import Gateway, Origin

_PAYABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_SAID = {
    "succeeded": "The payment succeeded.",
    "requires_capture": "The payment is authorized; the shop takes the money later.",
    "processing": "The payment is being processed by the bank.",
    "requires_payment_method": "The payment was declined. Nothing was charged.",
    "requires_action": "The bank still asks for authentication. Nothing was charged.",
    "requires_confirmation": "Nothing was charged.",
    "canceled": "The payment was canceled by the shop. It can no longer be paid.",
}


class Pages:
    """The customer's side of this Stripe."""

    def __init__(self, gateway: Gateway, public_url: str | None) -> None:
        self._gateway = gateway
        self._public_url = public_url

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/pay/{secret}", self.show_pay, methods=["GET"]),
            Route("/pay/{secret}", self.pay, methods=["POST"]),
            Route("/3ds/{token}", self.show_authentication, methods=["GET"]),
            Route("/3ds/{token}", self.authenticate, methods=["POST"]),
        ]

    async def show_pay(self, request: Request) -> Response:
        """The amount, the cards, the buttons."""
        intent = self._by_secret(request.path_params["secret"])
        if intent is None:
            return unknown()
        if intent["status"] not in _PAYABLE:
            return _result(intent, _return_url(request), 410 if intent["status"] == "canceled" else 200)
        return page(f"Pay {readable(intent['amount'], intent['currency'])}", _pay_form(intent))

    async def pay(self, request: Request) -> Response:
        """What the customer chose."""
        intent = self._by_secret(request.path_params["secret"])
        if intent is None:
            return unknown()
        form = await request.form()
        outcome, method_id = form.get("outcome"), form.get("payment_method") or "pm_card_visa"
        if outcome not in OUTCOMES or not isinstance(method_id, str) or method_id not in METHODS:
            return page("That is not possible", "<p>Choose an outcome and one of the test cards.</p>", 400)
        if intent["status"] not in _PAYABLE:
            return _result(intent, _return_url(request), 409)
        if outcome == "cancel":
            return _walked_away(intent, _return_url(request))
        if outcome == "decline" and METHODS[method_id].decline is None:
            method_id = "pm_card_chargeDeclined"
        origin = self._origin(request)
        with self._gateway.transaction():
            method, body = payments.method_of(self._gateway, method_id)
            payments.attempt(self._gateway, intent, method, body, _return_url(request), origin)
        if intent["status"] == "requires_action":
            path = urlsplit(intent["next_action"]["redirect_to_url"]["url"]).path
            return RedirectResponse(path, status_code=303)
        return _result(intent, _return_url(request))

    async def show_authentication(self, request: Request) -> Response:
        """The bank asks the customer."""
        intent = self._by_token(request.path_params["token"])
        if intent is None:
            return unknown()
        if intent["status"] != "requires_action":
            return _result(intent, None, 410)
        amount = escape(readable(intent["amount"], intent["currency"]))
        return page(
            "Your bank asks: is this you?",
            f"<p>A payment of <b>{amount}</b> waits for you.</p><form method='post'>{BUTTONS}",
        )

    async def authenticate(self, request: Request) -> Response:
        """What the customer told the bank."""
        intent = self._by_token(request.path_params["token"])
        if intent is None:
            return unknown()
        outcome = (await request.form()).get("outcome")
        if outcome not in OUTCOMES:
            return page("That is not possible", "<p>Choose approve, decline or cancel.</p>", 400)
        if intent["status"] != "requires_action":
            return _result(intent, None, 409)
        return_url = intent["next_action"]["redirect_to_url"]["return_url"]
        if outcome == "cancel":
            return _walked_away(intent, return_url)
        finish = payments.authenticated if outcome == "approve" else payments.not_authenticated
        with self._gateway.transaction():
            finish(self._gateway, intent, self._origin(request))
        return _result(intent, return_url)

    def _origin(self, request: Request) -> Origin:
        return Origin(f"req_{random_text(14)}", None, self._public_url or str(request.base_url).rstrip("/"))

    def _by_secret(self, secret: str) -> Json | None:
        intent = self._gateway.store.get("payment_intent", secret.partition("_secret_")[0])
        return intent if intent is not None and intent["client_secret"] == secret else None

    def _by_token(self, token: str) -> Json | None:
        """The payment a 3D Secure page belongs to; an earlier attempt's page is not found while a newer one waits."""
        intent = self._gateway.store.get("payment_intent", token.rpartition("_")[0])
        if intent is None or intent["next_action"] is None:
            return intent
        return intent if intent["next_action"]["redirect_to_url"]["url"].endswith(f"/3ds/{token}") else None


def latest(gateway: Gateway) -> list[tuple[str, ...]]:
    """The newest payments, each with a link to its page."""
    return [
        (
            f'<a href="/pay/{escape(intent["client_secret"])}"><code>{escape(intent["id"])}</code></a>',
            escape(readable(intent["amount"], intent["currency"])),
            escape(intent["status"]),
            f"<code>{escape(intent['metadata'].get('checkout_id', ''))}</code>",
        )
        for row in gateway.store.newest(Filter("payment_intent"), 20)
        if (intent := gateway.find("payment_intent", row["id"]))
    ]


def _pay_form(intent: Json) -> str:
    cards = {name: f"{method.label} (•••• {method.last4})" for name, method in METHODS.items()}
    error = intent["last_payment_error"]
    said = f"<p>The last attempt failed: {escape(error['message'])}</p>" if error else ""
    description = f"<p>{escape(intent['description'])}</p>" if intent["description"] else ""
    form = chooser("Test card", "payment_method", cards)
    return f"{description}{said}{form}{BUTTONS}<p class='note'><code>{escape(intent['id'])}</code></p>"


def _result(intent: Json, return_url: str | None, status: int = 200) -> Response:
    error = intent["last_payment_error"]
    reason = f" {escape(error['message'])}" if error else ""
    return page(f"Payment {intent['status']}", _told(intent, f"{_SAID[intent['status']]}{reason}", return_url), status)


def _walked_away(intent: Json, return_url: str | None) -> Response:
    return page("You left without paying", _told(intent, "Nothing was charged; the payment is unchanged.", return_url))


def _told(intent: Json, message: str, return_url: str | None) -> str:
    return told(message, readable(intent["amount"], intent["currency"]), intent["status"], intent["id"], return_url)


def _return_url(request: Request) -> str | None:
    return request.query_params.get("return_url")
