"""The background sender of webhooks: real HTTP, signed as Stripe signs, a bounded number at a time."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import secrets
import time

from sandbox.post import Poster, PostError
from sandbox.stripe.deliveries import Delivery
from sandbox.stripe.gateway import Gateway
from sandbox.stripe.ids import new_id

_logger = logging.getLogger(__name__)
_AT_ONCE = 16
_PATIENCE = 10.0
_HEADERS = {
    "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    "Content-Type": "application/json; charset=utf-8",
    "Accept": "*/*; q=0.5, application/xml",
    "Cache-Control": "no-cache",
}


def signature(body: bytes, keys: list[str], at: int) -> str:
    """The Stripe-Signature header: one `v1` per secret that is active."""
    signed = f"{at}.".encode() + body
    parts = [f"v1={hmac.new(key.encode(), signed, hashlib.sha256).hexdigest()}" for key in keys]
    return ",".join([f"t={at}", *parts])


class Sender:
    """Takes deliveries as they come due and carries them out."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._queue = gateway.deliveries
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()
        self._poster = Poster(_PATIENCE)

    async def run(self) -> None:
        """Send until cancelled; what is under way then is tried again at the next start."""
        try:
            while True:
                await self._wait()
                while (delivery := self._queue.pop()) is not None:
                    await self._slots.acquire()
                    task = asyncio.create_task(self._deliver(delivery))
                    self._sending.add(task)
                    task.add_done_callback(self._sent)
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            self._poster.close()

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._slots.release()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.wake.wait(), self._queue.next_due())
        self._queue.wake.clear()

    async def _deliver(self, delivery: Delivery) -> None:
        url = self._gateway.endpoints.address(delivery.endpoint)
        row = self._gateway.store.row(delivery.event)
        if url is None or row is None:
            self._queue.give_up(delivery, "the endpoint is gone" if url is None else "the event is no longer kept")
            return
        try:
            body, signed = self._signed(delivery, row["body"].encode())
            status = await self._poster.post(url, {**_HEADERS, "Stripe-Signature": signed}, body)
        except PostError as error:
            self._queue.record(delivery, None, str(error))
        except Exception as error:
            # A delivery that is dropped here would come back only at the next start.
            _logger.exception("delivery %s failed", delivery.id)
            self._queue.record(delivery, None, repr(error))
        else:
            self._queue.record(delivery, status, None)

    def _signed(self, delivery: Delivery, body: bytes) -> tuple[bytes, str]:
        # The machine's time signs, not the virtual one: receivers compare it with their own clock.
        at = int(time.time())
        if delivery.variant == "forged":
            forged = {**json.loads(body), "id": new_id("evt")}
            body = json.dumps(forged).encode()
            return body, signature(body, [f"whsec_{secrets.token_hex(16)}"], at)
        return body, signature(body, self._gateway.endpoints.secrets(delivery.endpoint), at)
