"""Calls to one account's Checkout API: one attempt per call, a bounded time for it, and answers read strictly.

What cannot be read raises OutcomeUnknownError, never a guess.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import quote

from domain.errors import OutcomeUnknownError
from domain.money import Money
from gateways.adyen.currencies import stated_amount
from gateways.adyen.errors import read_error
from gateways.adyen.options import AdyenOptions
from gateways.http import HttpAnswer, HttpConnection

_Object = Mapping[str, Any]

# docs.adyen.com/development-resources/api-idempotency.
_LONGEST_KEY = 64
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Link:
    """A payment link as Adyen answers it."""

    link_id: str
    reference: str
    status: str
    amount: Money
    account: str
    url: str


class AdyenConnection:
    """The Checkout API of one account. Every call raises GatewayError, or RefusalError when Adyen refuses."""

    def __init__(self, options: AdyenOptions) -> None:
        self._account = options.merchant_account
        self._headers = {"X-API-Key": options.api_key, "Accept": "application/json"}
        self._http = HttpConnection("Adyen", options.api_base, options.timeout_seconds)

    async def open_link(self, request: _Object, key: str) -> Link:
        """Open a payment link."""
        body = {**request, "merchantAccount": self._account}
        return link_of(await self._call("POST", ("paymentLinks",), body, idempotent(key)))

    async def link(self, link_id: str) -> Link:
        """A payment link as it is now."""
        return link_of(await self._call("GET", ("paymentLinks", link_id)))

    async def expire_link(self, link_id: str) -> Link:
        """Make a link unpayable; Adyen takes no key for that, and it may be said twice."""
        return link_of(await self._call("PATCH", ("paymentLinks", link_id), {"status": "expired"}))

    async def modify(
        self,
        kind: Literal["captures", "cancels", "refunds"],
        psp_reference: str,
        key: str,
        amount: _Object | None = None,
    ) -> str:
        """Ask for a modification of a payment; the answer, its own pspReference, only says that Adyen received it."""
        body = {"merchantAccount": self._account, "reference": key}
        asked = body if amount is None else {**body, "amount": amount}
        said = await self._call("POST", ("payments", psp_reference, kind), asked, idempotent(key))
        expected = {**asked, "status": "received", "paymentPspReference": psp_reference}
        # Adyen need not repeat our reference.
        told = {"reference": key, **said}
        wrong = [name for name, value in expected.items() if told.get(name) != value]
        if wrong:
            # The end would be told of something else than what was asked for.
            raise OutcomeUnknownError(f"Adyen's answer differs from what was asked: {', '.join(wrong)}")
        return _text(said, "pspReference")

    async def close(self) -> None:
        """Close the connections of the running loop."""
        await self._http.close()

    async def _call(
        self, method: str, path: tuple[str, ...], body: _Object | None = None, more: Mapping[str, str] = _NO_HEADERS
    ) -> _Object:
        # Ids come from outside at times: none of them may lead to another address.
        address = "".join(f"/{quote(part, safe='')}" for part in path)
        return answered(await self._http.send(method, address, headers={**self._headers, **more}, json=body))


def idempotent(key: str) -> dict[str, str]:
    """The header that makes a repetition harmless. Adyen's keys have 64 characters at most, and ours may have more."""
    fits = len(key) <= _LONGEST_KEY
    return {"Idempotency-Key": key if fits else hashlib.sha256(key.encode()).hexdigest()}


def answered(answer: HttpAnswer) -> _Object:
    """The object in an answer of any of Adyen's APIs. Raises GatewayError or RefusalError when it is no success."""
    if not 200 <= answer.status < 300:
        raise read_error(answer)
    document = answer.document()
    if not document:
        raise OutcomeUnknownError(f"Adyen's answer (HTTP {answer.status}) is no object that can be read")
    return document


def link_of(stated: _Object) -> Link:
    """A payment link. Raises OutcomeUnknownError when it cannot be read."""
    amount, url = stated.get("amount"), _text(stated, "url")
    value = amount.get("value") if isinstance(amount, Mapping) else None
    if not isinstance(amount, Mapping) or type(value) is not int:
        raise _unreadable("amount")
    if not url.startswith(("https://", "http://")):
        raise _unreadable("url")
    return Link(
        link_id=_text(stated, "id"),
        reference=_text(stated, "reference"),
        status=_text(stated, "status"),
        amount=stated_amount(value, _text(amount, "currency")),
        account=_text(stated, "merchantAccount"),
        url=url,
    )


def _text(stated: _Object, name: str) -> str:
    value = stated.get(name)
    if not isinstance(value, str) or not value:
        raise _unreadable(name)
    return value


def _unreadable(name: str) -> OutcomeUnknownError:
    return OutcomeUnknownError(f"Adyen's answer cannot be read: {name} is missing or of a kind we do not know")
