"""The SDK's client: one attempt per call, a bounded time for it, and our errors instead of the SDK's."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

import stripe

from domain.errors import KeySpentError, OutcomeUnknownError
from gateways.stripe.errors import read_error
from gateways.stripe.options import StripeOptions

# The SDK would write timings of earlier calls to a file in the user's home and send them along.
stripe.enable_telemetry = False
# At DEBUG the SDK logs bodies whole: client secrets, and what a shop says of a customer in a dispute.
logging.getLogger("stripe").setLevel(logging.INFO)

API_VERSION = "2026-10-28.endive"

Call = Callable[[stripe.StripeClient], Awaitable[stripe.StripeObject]]
Answer = dict[str, Any]
"""A Stripe object as plain data."""


class StripeConnection:
    """Calls to one Stripe account.

    Connections belong to the event loop they were opened in, so each loop gets a client of its own at its first call.
    """

    def __init__(self, options: StripeOptions) -> None:
        self._options = options
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, stripe.StripeClient] = WeakKeyDictionary()
        self._transports: WeakKeyDictionary[asyncio.AbstractEventLoop, stripe.HTTPXClient] = WeakKeyDictionary()

    async def send(self, call: Call) -> Answer:
        """Make one call, once. Raises GatewayError, or RefusalError when Stripe refuses the request's content."""
        try:
            # The transport's own time-out counts from byte to byte; a server that drips would never reach it.
            async with asyncio.timeout(self._options.timeout_seconds):
                answer = await call(self._client())
        except TimeoutError:
            raise OutcomeUnknownError(f"Stripe gave no answer in {self._options.timeout_seconds:g} s") from None
        except stripe.StripeError as error:
            # The SDK's exception holds the request with the key in its headers, so it must not travel as the cause.
            raise read_error(error) from None
        # The SDK stumbles in many ways over answers that are not Stripe's; the call itself went out all the same.
        except Exception as error:  # noqa: BLE001
            raise OutcomeUnknownError(f"Stripe's answer cannot be read: {type(error).__name__}") from None
        if not isinstance(answer, stripe.StripeObject):
            raise OutcomeUnknownError("Stripe's answer is no object")
        return answer.to_dict()

    async def read(self, call: Call) -> Answer:
        """Make one call that only reads, and so carries no key that a failure could spoil. Raises as `send` does."""
        try:
            return await self.send(call)
        except KeySpentError as error:
            # Told of a key, this would let an operation go on under its next key although nothing was seen yet.
            raise OutcomeUnknownError(str(error)) from None

    async def close(self) -> None:
        """Close the connections of the running loop."""
        loop = asyncio.get_running_loop()
        self._clients.pop(loop, None)
        transport = self._transports.pop(loop, None)
        if transport is not None:
            await transport.close_async()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped

    def _client(self) -> stripe.StripeClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            transport = stripe.HTTPXClient(timeout=self._options.timeout_seconds)
            client = stripe.StripeClient(
                self._options.api_key,
                base_addresses={"api": self._options.api_base.rstrip("/")},
                http_client=transport,
                max_network_retries=0,
                stripe_version=API_VERSION,
            )
            self._clients[loop], self._transports[loop] = client, transport
        return client
