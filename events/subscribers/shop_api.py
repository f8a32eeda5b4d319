"""Our own API as subscribers call it: what an answer means for the event that they work on."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from config.settings import ShopApiSettings
from domain.states import CheckoutState
from events.subscribers.contract import PoisonError, TryLaterError

# The API itself answers within 25 seconds whatever is down behind it, see `WORK_SECONDS` there.
_TIMEOUTS = httpx.Timeout(30, connect=5)
# No key, or one that lacks a scope, is a person's to mend; the rest passes by itself.
_LATER = frozenset({401, 403, 408, 425, 429})
_LATER_CODES = frozenset({"idempotency_key_in_use"})
_CONFLICT = "state_conflict"
_Shape = TypeVar("_Shape", bound=BaseModel)


class StateConflictError(Exception):
    """Where the checkout stands, this cannot be said of it."""

    def __init__(self, state: CheckoutState) -> None:
        super().__init__(state)
        self.state = state


@dataclass(frozen=True)
class ShopCheckout:
    """A checkout as the API shows it, as far as subscribers look. `asked`: the shop's word is waited for."""

    id: str
    order_id: str
    state: CheckoutState
    asked: bool
    metadata: dict[str, str]


class _Confirmation(BaseModel):
    within_seconds: int


class _Checkout(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    order_id: str
    state: CheckoutState
    confirmation: _Confirmation | None
    metadata: dict[str, str] | None


class _Customer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    email: str | None


class _Problem(BaseModel):
    model_config = ConfigDict(extra="ignore")

    code: str
    state: CheckoutState | None = None


class ShopApi:
    """Every method raises TryLaterError while the API is out of reach, and PoisonError for what it will never do."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def checkout(self, checkout_id: str) -> ShopCheckout:
        """Where the checkout stands. Needs the scope `read`."""
        seen = _read(_Checkout, await self._send("GET", _path(checkout_id)))
        return ShopCheckout(seen.id, seen.order_id, seen.state, seen.confirmation is not None, seen.metadata or {})

    async def email(self, checkout_id: str) -> str | None:
        """The customer's address, None where the shop gave none. Needs the scope `customers`."""
        return _read(_Customer, await self._send("GET", _path(checkout_id, "customer"))).email

    async def confirm(self, checkout_id: str, key: str) -> None:
        """Keep the order: done, or taken on for good. Needs the scope `write`. Raises StateConflictError."""
        await self._send("POST", _path(checkout_id, "confirm"), key, {})

    async def reject(self, checkout_id: str, reason: str, key: str) -> None:
        """Give the order up: done, or taken on for good. Needs the scope `write`. Raises StateConflictError."""
        await self._send("POST", _path(checkout_id, "reject"), key, {"reason": reason})

    async def _send(
        self, method: str, path: str, key: str | None = None, body: dict[str, Any] | None = None
    ) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        try:
            answer = await self._client.request(method, path, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TryLaterError(f"the API cannot be reached: {type(error).__name__}") from error
        if not answer.is_success:
            raise _failure(answer)
        return answer


@asynccontextmanager
async def connected(settings: ShopApiSettings) -> AsyncIterator[ShopApi]:
    """The API at its address, with connections that are kept."""
    headers = {"Authorization": f"Bearer {settings.paysaga_api_key.get_secret_value()}"}
    # Whatever proxies the environment names are for elsewhere, and would see the key.
    async with httpx.AsyncClient(
        base_url=settings.paysaga_api_url, headers=headers, timeout=_TIMEOUTS, trust_env=False
    ) as client:
        yield ShopApi(client)


def _failure(answer: httpx.Response) -> Exception:
    """A refusal is final only where the API itself says it: anything in between may answer with any status."""
    status = answer.status_code
    try:
        problem = _Problem.model_validate_json(answer.content)
    except ValidationError:
        return TryLaterError(f"something that is not the API answered {status}")
    if status in _LATER or status >= 500 or problem.code in _LATER_CODES:
        return TryLaterError(f"the API answered {status} {problem.code}")
    if problem.code == _CONFLICT and problem.state is not None:
        return StateConflictError(problem.state)
    return PoisonError(f"the API answered {status} {problem.code}")


def _read(shape: type[_Shape], answer: httpx.Response) -> _Shape:
    try:
        return shape.model_validate_json(answer.content)
    except ValidationError:
        raise TryLaterError("the API's answer has another shape; are both of one version?") from None


def _path(checkout_id: str, *more: str) -> str:
    """An id from an event is somebody else's text: it must not lead to another address."""
    return "/".join(("/v1/checkouts", quote(checkout_id, safe=""), *more))
