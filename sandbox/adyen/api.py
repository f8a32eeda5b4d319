"""Checkout v72: understand a request, and answer in Adyen's shapes."""

import json
from dataclasses import dataclass, replace
from typing import Any

from sandbox.adyen import errors, fields, routes
from sandbox.adyen.call import Call
from sandbox.adyen.gateway import AdyenGateway, Origin, labels
from sandbox.adyen.shapes import lying
from sandbox.answers import Answer, Headers, encode
from sandbox.calls import Api as AnyApi
from sandbox.calls import Message
from sandbox.keys import Stored, fingerprint

PREFIX = "/adyen/v72"
DISPUTES_PREFIX = "/adyen/ca/services/DisputeService/v30"
_KEY_LIFETIME = 7 * 86_400
_LONGEST_KEY = 64
_OUR_ACCOUNTS = "Paysaga"


@dataclass(frozen=True, slots=True)
class Request:
    """A call that was understood, with where it goes and what it is kept under."""

    route: routes.Route
    call: Call
    endpoint: str

    @property
    def operation(self) -> str:
        """The operation's name, as faults know it."""
        return self.route.operation

    @property
    def key(self) -> str | None:
        """What the answer is kept under."""
        return self.call.origin.key


class Api(AnyApi[Request, AdyenGateway]):
    """Adyen's Checkout API."""

    prefix = PREFIX
    table = routes.TABLE
    account_field = "merchantAccount"

    def new_request_id(self) -> str:
        """A reference for the request."""
        return errors.new_reference()

    def common_headers(self, message: Message) -> Headers:
        """The request's reference, and its idempotency key: Adyen echoes it where it took notice of it."""
        found = [(b"pspreference", message.request_id.encode())]
        if message.method == "POST" and "idempotency-key" in message.headers:
            found.append((b"idempotency-key", message.headers["idempotency-key"].encode("latin-1")))
        return tuple(found)

    def understand(self, message: Message) -> Request:
        """Check the API key, find the operation, read the body, check the merchant account."""
        _authenticate(message.headers.get("x-api-key"))
        found = self.table.find(message.method, message.path.removeprefix(self.prefix))
        if found is None:
            raise errors.unknown_url()
        route, ids = found
        if message.too_large:
            raise errors.unreadable("Unexpected input: the body is too large")
        body = {} if message.method == "GET" else fields.parse(message.body)
        key = message.headers.get("idempotency-key") if route.creates else None
        if key is not None and len(key) > _LONGEST_KEY:
            raise errors.unreadable(f"The idempotency key has more than {_LONGEST_KEY} characters")
        if route.creates:
            self._check_account(body.get(self.account_field))
        call = Call(self.about(ids, body), body, Origin(key, message.base_url))
        return Request(route, call, f"{message.method} {message.path}")

    def about(self, ids: tuple[str, ...], body: dict[str, Any]) -> str:
        """The id of what a call is about, empty where it opens something."""
        return ids[0] if ids else ""

    def _check_account(self, account: Any) -> None:
        known = isinstance(account, str) and (
            account == self.gateway.merchant_account or account.startswith(_OUR_ACCOUNTS)
        )
        if not known:
            raise errors.invalid_merchant_account()

    def metadata(self, request: Request) -> dict[str, str]:
        """What a call is about: the link's metadata and reference, or what the request brings itself."""
        about = request.call.about
        if not about:
            return labels(request.call.body)
        row = self.gateway.store.row(about)
        return {} if row is None else self.gateway.metadata_of(row["payment"])

    def recall(self, request: Request) -> Answer | None:
        """The first answer. Adyen does not say what another body under the same key gets; here it is refused."""
        key = request.key
        if key is None:
            return None
        if self.gateway.keys.in_use(key):
            raise errors.key_in_use()
        stored = self.gateway.keys.recall(key)
        if stored is None:
            return None
        if (stored.endpoint, stored.fingerprint) != (request.endpoint, fingerprint(request.call.body)):
            raise errors.key_reused()
        return Answer(stored.status, stored.body)

    def execute(self, request: Request) -> Answer:
        """Run the call's handler."""
        return Answer(request.route.status, encode(request.route.handler(self.gateway, request.call)))

    def keep(self, request: Request, answer: Answer) -> None:
        """Store status and body for seven days, the least that Adyen promises."""
        assert request.key is not None
        stored = Stored(request.endpoint, fingerprint(request.call.body), answer.status, answer.body, "")
        self.gateway.keys.keep(request.key, stored, _KEY_LIFETIME)

    def failure(self, status: int, *, stored: bool = False) -> Answer:
        """An internal error; `stored` makes no difference to how it looks."""
        return errors.failure(status)

    def tampered(self, answer: Answer, kind: str) -> Answer:
        """The same answer lying about its money. Adyen's answers do not say whether they are live."""
        if answer.status >= 300:
            return answer
        return replace(answer, body=encode(lying(json.loads(answer.body), kind)))


class DisputesApi(Api):
    """Adyen's Disputes API, which names the dispute in the body."""

    prefix = DISPUTES_PREFIX
    table = routes.DISPUTE_TABLE
    account_field = "merchantAccountCode"

    def about(self, ids: tuple[str, ...], body: dict[str, Any]) -> str:
        """The dispute's pspReference."""
        named = body.get("disputePspReference")
        return named if isinstance(named, str) else ""


def _authenticate(key: str | None) -> None:
    """Take any key that looks like one of Adyen's."""
    if key is None or not key.startswith("AQE") or len(key) == len("AQE"):
        raise errors.unauthorized()
