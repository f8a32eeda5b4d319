"""Objects as Adyen writes them, and as they are kept here."""

from datetime import UTC, datetime

from sandbox.adyen.cards import CARDS
from sandbox.adyen.errors import new_reference
from sandbox.ids import random_text
from sandbox.store import Json

_HEXADECIMAL = "0123456789ABCDEF"
# What the sandbox keeps with a link but Adyen does not answer.
_INTERNAL = ("payment", "challenge")
_ACCOUNT_FIELDS = ("merchantAccount", "merchantAccountCode")
_OTHER_ACCOUNT = "SomebodyElseECOM"


def stamp(at: float) -> str:
    """A moment as Adyen answers it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def payment_link(fields: Json, expires_at: float, base_url: str) -> Json:
    """A link that can be paid; `fields` are those of the request."""
    link_id = f"PL{random_text(16, _HEXADECIMAL)}"
    return {
        "payment": None,
        "challenge": None,
        "reusable": False,
        **fields,
        "expiresAt": stamp(expires_at),
        "id": link_id,
        "status": "active",
        "url": f"{base_url}/adyen/pay/{link_id}",
    }


def answered(link: Json) -> Json:
    """A link without what only the sandbox needs to know."""
    return {name: value for name, value in link.items() if name not in _INTERNAL}


def payment(link: Json, card_name: str) -> Json:
    """An attempt to pay a link, with what has become of its money so far, in minor units.

    `capturing` and `refunding` are accepted but not told yet; they cannot be asked for a second time. `unclaimed` is
    what a capture has let go of the hold, `charged_back` what banks have taken back.
    """
    return {
        "id": new_reference(),
        "link": link["id"],
        "reference": link["reference"],
        "merchantAccount": link["merchantAccount"],
        "currency": link["amount"]["currency"],
        "card": card_name,
        "state": "authorised",
        "authorised": link["amount"]["value"],
        "captured": 0,
        "capturing": 0,
        "unclaimed": 0,
        "refunded": 0,
        "refunding": 0,
        "charged_back": 0,
    }


def modification(found: Json, kind: str, value: int, reference: str | None, key: str | None) -> Json:
    """A capture, cancel, refund or reversal of a payment. Without a reference of its own it has the payment's."""
    return {
        "id": new_reference(),
        "link": found["link"],
        "payment": found["id"],
        "kind": kind,
        "amount": value,
        "reference": found["reference"] if reference is None else reference,
        "state": "received",
        "key": key,
    }


def lying(found: Json, kind: str) -> Json:
    """An answer or a notification item that states another amount or account; one that states none is left as it is."""
    if kind == "other_account":
        return {**found, **{name: _OTHER_ACCOUNT for name in _ACCOUNT_FIELDS if name in found}}
    amount = found.get("amount")
    if amount is None:
        return found
    if kind == "amount_off_by_one":
        amount = {**amount, "value": amount["value"] + 1}
    elif kind == "other_currency":
        amount = {**amount, "currency": "EUR" if amount["currency"] != "EUR" else "USD"}
    return {**found, "amount": amount}


def about_payment(found: Json, value: int) -> Json:
    """The fields of a notification item about a payment itself."""
    return {
        "amount": {"currency": found["currency"], "value": value},
        "merchantAccountCode": found["merchantAccount"],
        "merchantReference": found["reference"],
        "paymentMethod": CARDS[found["card"]].brand,
        "pspReference": found["id"],
    }


def about_modification(found: Json, value: int, psp_reference: str, reference: str) -> Json:
    """The fields of a notification item about something done to a payment."""
    own = {"merchantReference": reference, "originalReference": found["id"], "pspReference": psp_reference}
    return {**about_payment(found, value), **own}


def card_data(found: Json, link: Json) -> Json:
    """What an authorisation tells besides: the link, the means of payment, the shop's own metadata."""
    card = CARDS[found["card"]]
    data = {"cardSummary": card.last4, "expiryDate": card.expiry, "paymentLinkId": link["id"]}
    return {**data, **{f"metadata.{name}": value for name, value in link.get("metadata", {}).items()}}
