"""The gateways of this process by name. `api` and `worker` build them once and close them at the end."""

import asyncio
import logging
from collections.abc import Mapping

from gateways.contract import Gateway
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions

_log = logging.getLogger(__name__)


def build_gateways(stripe: StripeOptions | None = None) -> dict[str, Gateway]:
    """An adapter for each gateway that is configured; nothing is connected yet."""
    adapters: list[Gateway] = []
    if stripe is not None:
        adapters.append(StripeGateway(stripe))
    return {adapter.name: adapter for adapter in adapters}


async def close_all(gateways: Mapping[str, Gateway]) -> None:
    """Close every gateway, also when one of them fails to."""
    endings = await asyncio.gather(*(gateway.close() for gateway in gateways.values()), return_exceptions=True)
    for name, ending in zip(gateways, endings, strict=True):
        if isinstance(ending, BaseException):
            _log.warning("gateway %s did not close cleanly: %s", name, type(ending).__name__)
