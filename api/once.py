"""Idempotency keys: the same request with the same key is done once and answered with the same bytes.

An answer is kept once the work has begun: every 2xx and every 4xx that the work itself came to. A request refused
before (no key, no scope, a body that does not fit) is kept nowhere, it did nothing. A 5xx is not kept either: the key
is released, and the client may try again. When this process dies in between, the key is free again after a minute; what
the work did by then is found again through the order's id, or through one made of the request, see `identity_of`.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from api.auth import known_caller
from api.problems import MEDIA_TYPE, Problem, invalid, unavailable
from api.services import services_of
from ledger.contract import KeyInUseError, KeyReusedError, StoredAnswer

Work = Callable[[], Awaitable[StoredAnswer]]

# Together with the time to keep or release the key this is less than the minute after which another request takes the
# key over: two that both think it theirs could keep one's answer for the other's request.
WORK_SECONDS = 25.0

_KEY = re.compile(r"[ -~]{1,255}")
_log = logging.getLogger(__name__)


async def once(request: Request, work: Work) -> Response:
    """Answer with what the work comes to, or with the stored answer of the same request."""
    key = _key_of(request)
    if key is None:
        return _response(await _settled(work))
    keys, caller = services_of(request).idempotency, known_caller(request)
    fingerprint = hashlib.sha256(
        b"\x00".join((request.method.encode(), request.scope["path"].encode(), await request.body()))
    ).hexdigest()
    try:
        stored = await keys.begin(caller.id, key, fingerprint)
    except KeyReusedError:
        raise invalid("Idempotency-Key", "was used with another request", "idempotency_key_reused") from None
    except KeyInUseError:
        detail = "The first request with this key is still being worked on; repeat this one in a moment."
        raise Problem(409, "idempotency_key_in_use", detail, headers={"Retry-After": "1"}) from None
    if stored is not None:
        return _response(stored, {"Idempotent-Replayed": "true"})
    try:
        answer = await _in_time(work)
    except Exception:
        await _release(request, caller.id, key)
        raise
    await keys.finish(caller.id, key, answer)
    return _response(answer)


def identity_of(request: Request, *said: object) -> str | None:
    """What a repeated request has in common with its first, for work that must be known again where the key is not.

    Made of caller, key and address, and of what is `said`: a key that comes back with another wish, where the first
    answer is not there to compare with, must not be taken for the first. Nobody can tell the key from it. None without
    a key: then no two requests are one.
    """
    key = _key_of(request)
    if key is None:
        return None
    parts = known_caller(request).id.encode(), key.encode(), request.scope["path"].encode()
    parts = (*parts, *(repr(word).encode() for word in said))
    return hashlib.sha256(b"\x00".join(parts)).hexdigest()


async def _settled(work: Work) -> StoredAnswer:
    try:
        return await work()
    except Problem as problem:
        if problem.status >= 500:
            raise
        return StoredAnswer(problem.status, problem.body(), MEDIA_TYPE)


async def _in_time(work: Work) -> StoredAnswer:
    try:
        async with asyncio.timeout(WORK_SECONDS):
            return await _settled(work)
    except TimeoutError:
        raise unavailable("too_slow", f"It was not done within {WORK_SECONDS:.0f} seconds; try again.") from None


async def _release(request: Request, caller_id: str, key: str) -> None:
    try:
        await services_of(request).idempotency.abandon(caller_id, key)
    except Exception as error:  # noqa: BLE001 - The failure that led here is the one to tell; the key frees itself.
        _log.warning("an idempotency key was not released: %s", type(error).__name__)


def _key_of(request: Request) -> str | None:
    values = request.headers.getlist("idempotency-key")
    if not values:
        return None
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        message = "must be sent once, 1 to 255 printable ASCII characters"
        raise invalid("Idempotency-Key", message, "idempotency_key_invalid")
    return values[0]


def _response(answer: StoredAnswer, headers: dict[str, str] | None = None) -> Response:
    return Response(answer.body, answer.status, headers, answer.content_type)
