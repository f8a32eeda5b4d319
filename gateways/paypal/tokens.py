"""The access token that all calls share: asked for once, renewed before it lapses, and once after a 401."""

from base64 import b64encode
from dataclasses import dataclass, field
from time import monotonic

from domain.errors import (
    GatewayBusyError,
    GatewayError,
    GatewayMisconfiguredError,
    GatewayUnreachableError,
    OutcomeUnknownError,
)
from gateways.http import HttpAnswer, HttpConnection
from gateways.paypal.flights import SharedFlights
from gateways.paypal.options import PayPalOptions
from gateways.paypal.scrub import Scrubber

_PATH = "/v1/oauth2/token"
# Long enough for a call that starts with the old token to end before PayPal forgets it.
_MARGIN_SECONDS = 60.0
# PayPal always says how long a token lives (nine hours); one of unknown life is not trusted for long.
_UNKNOWN_LIFE_SECONDS = 300.0
_WRONG_CREDENTIALS = frozenset({"invalid_client", "unauthorized_client", "invalid_scope", "unsupported_grant_type"})


@dataclass(frozen=True)
class _Token:
    value: str = field(repr=False)
    good_until: float


class Tokens:
    """Gives the account's token. Whatever keeps one from being had, no payment was asked for anything.

    Raises GatewayMisconfiguredError for credentials that PayPal refuses, GatewayBusyError when PayPal answers but gives
    none, and GatewayUnreachableError when there is no answer.
    """

    def __init__(self, options: PayPalOptions, http: HttpConnection, scrub: Scrubber) -> None:
        pair = f"{options.client_id}:{options.client_secret}"
        self._basic = f"Basic {b64encode(pair.encode()).decode()}"
        self._http = http
        self._scrub = scrub
        self._token: _Token | None = None
        self._flights: SharedFlights[_Token] = SharedFlights()

    async def current(self) -> str:
        """A token that is good for now; whoever comes while it is being renewed waits for the same one."""
        token = self._token
        if token is None or monotonic() >= token.good_until:
            token = await self._flights.join("token", self._ask)
        return token.value

    async def instead_of(self, refused: str) -> str:
        """A token newer than one that PayPal refused; when another call has renewed it already, that one."""
        if self._token is not None and self._token.value == refused:
            self._token = None
        return await self.current()

    async def close(self) -> None:
        """End a renewal that is under way in the running loop."""
        await self._flights.close()

    async def _ask(self) -> _Token:
        asked_at = monotonic()
        try:
            answer = await self._http.send(
                "POST",
                _PATH,
                headers={"Authorization": self._basic, "Accept": "application/json"},
                data={"grant_type": "client_credentials"},
            )
        except OutcomeUnknownError as error:
            raise GatewayUnreachableError(f"PayPal gave no token: {self._scrub(str(error))}") from None
        document = answer.document()
        value, life = document.get("access_token"), document.get("expires_in")
        if answer.status != 200 or not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise self._failure(answer, str(document.get("error")))
        self._scrub.learn(value)
        seconds = float(life) if isinstance(life, int | float) and not isinstance(life, bool) else _UNKNOWN_LIFE_SECONDS
        margin = min(_MARGIN_SECONDS, seconds / 10)
        self._token = _Token(value, asked_at + seconds - margin)
        return self._token

    def _failure(self, answer: HttpAnswer, word: str) -> GatewayError:
        said = self._scrub(f"PayPal gave no token (HTTP {answer.status}): {word}")
        if answer.status == 401 or (answer.status in (400, 403) and word in _WRONG_CREDENTIALS):
            return GatewayMisconfiguredError(said)
        return GatewayBusyError(said, answer.retry_after())
