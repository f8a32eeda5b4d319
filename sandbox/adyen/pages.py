"""The pages a customer sees: the page of a payment link, and the bank's 3D Secure page."""

from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.adyen import payments
from sandbox.adyen.cards import CARDS, NOT_AUTHENTICATED, REFUSED
from sandbox.adyen.currencies import readable
from sandbox.adyen.gateway import LINK, AdyenGateway, Origin
from sandbox.ids import random_text
from sandbox.pages import BUTTONS, OUTCOMES, chooser, page, told, unknown
from sandbox.store import Filter, Json

_SAID = {
    "active": "Nothing was charged; the payment link can still be used.",
    "completed": "The payment was approved.",
    "expired": "This payment link has expired. It can no longer be used.",
}
_GONE, _CONFLICT = 410, 409


class Pages:
    """The customer's side of this Adyen."""

    def __init__(self, gateway: AdyenGateway) -> None:
        self._gateway = gateway

    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/adyen/pay/{link}", self.show_pay, methods=["GET"]),
            Route("/adyen/pay/{link}", self.pay, methods=["POST"]),
            Route("/adyen/3ds/{challenge}", self.show_authentication, methods=["GET"]),
            Route("/adyen/3ds/{challenge}", self.authenticate, methods=["POST"]),
        ]

    async def show_pay(self, request: Request) -> Response:
        """The amount, the cards, the buttons."""
        link = self._gateway.link(request.path_params["link"])
        if link is None:
            return unknown()
        if link["status"] != "active":
            return _result(link, _GONE if link["status"] == "expired" else 200)
        return page(f"Pay {_amount(link)}", _form(link))

    async def pay(self, request: Request) -> Response:
        """What the customer chose."""
        form = await request.form()
        # Looked up only now: of two buttons pressed at once, the second must see what the first has done.
        link = self._gateway.link(request.path_params["link"])
        if link is None:
            return unknown()
        card_name = form.get("card") or "good"
        if form.get("outcome") not in OUTCOMES or not isinstance(card_name, str) or card_name not in CARDS:
            return page("That is not possible", "<p>Choose an outcome and one of the test cards.</p>", 400)
        if link["status"] != "active":
            return _result(link, _CONFLICT)
        return self._attempt(link, card_name, form)

    def _attempt(self, link: Json, card_name: str, form: FormData) -> Response:
        if form["outcome"] == "cancel":
            return _result(link)
        card, declines = CARDS[card_name], form["outcome"] == "decline"
        if card.challenged and not declines:
            with self._gateway.transaction():
                link["challenge"] = {"token": f"{link['id']}_{random_text(16)}", "card": card_name}
                self._gateway.save_link(link)
            return RedirectResponse(f"/adyen/3ds/{link['challenge']['token']}", status_code=303)
        refused = REFUSED if declines and card.refused is None else card.refused
        with self._gateway.transaction():
            payments.pay(self._gateway, link, card_name, Origin(), refused=refused)
        return _done(link)

    async def show_authentication(self, request: Request) -> Response:
        """The bank asks the customer."""
        link = self._challenged(request)
        if link is None:
            return unknown()
        return page(
            "Your bank asks: is this you?",
            f"<p>A payment of <b>{escape(_amount(link))}</b> waits for you.</p><form method='post'>{BUTTONS}",
        )

    async def authenticate(self, request: Request) -> Response:
        """What the customer told the bank."""
        outcome = (await request.form()).get("outcome")
        link = self._challenged(request)
        if link is None:
            return unknown()
        if outcome not in OUTCOMES:
            return page("That is not possible", "<p>Choose approve, decline or cancel.</p>", 400)
        if outcome == "cancel":
            return _result(link)
        refused = NOT_AUTHENTICATED if outcome == "decline" else None
        with self._gateway.transaction():
            payments.pay(self._gateway, link, link["challenge"]["card"], Origin(), refused=refused)
        return _done(link)

    def _challenged(self, request: Request) -> Json | None:
        """The link a 3D Secure page belongs to, while that attempt still waits."""
        token = request.path_params["challenge"]
        link = self._gateway.link(token.partition("_")[0])
        waits = link is not None and link["challenge"] is not None and link["challenge"]["token"] == token
        return link if waits else None


def latest(gateway: AdyenGateway) -> list[tuple[str, ...]]:
    """The newest links, each with its page."""
    return [
        (
            f'<a href="/adyen/pay/{escape(link["id"])}"><code>{escape(link["id"])}</code></a>',
            escape(_amount(link)),
            escape(link["status"]),
            f"<code>{escape(link['reference'])}</code>",
        )
        for row in gateway.store.newest(Filter(LINK), 20)
        if (link := gateway.store.get(LINK, row["id"]))
    ]


def _amount(link: Json) -> str:
    return readable(link["amount"]["value"], link["amount"]["currency"])


def _form(link: Json) -> str:
    description = f"<p>{escape(link['description'])}</p>" if link.get("description") else ""
    cards = {name: f"{card.label} (•••• {card.last4})" for name, card in CARDS.items()}
    return (
        f"{description}{chooser('Test card', 'card', cards)}{BUTTONS}"
        f"<p class='note'><code>{escape(link['id'])}</code> · {escape(link['reference'])}</p>"
    )


def _done(link: Json) -> Response:
    """Back to the shop after an approval, where the link names one; otherwise the customer stays and may try again."""
    address = link.get("returnUrl", "")
    if link["status"] != "completed" or not address.startswith(("http://", "https://")):
        return _result(link)
    parts = urlsplit(address)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("redirectResult", random_text(32))])
    return RedirectResponse(urlunsplit(parts._replace(query=query)), status_code=303)


def _result(link: Json, status: int = 200) -> Response:
    content = told(_SAID[link["status"]], _amount(link), link["status"], link["id"], link.get("returnUrl"))
    return page(f"Payment link {link['status']}", content, status)
