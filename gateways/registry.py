"""The gateways that there are, and those of this process. `api` and `worker` build them once and close them at the end.

A gateway is on when `GATEWAYS` names it or, without `GATEWAYS`, when any of its variables is set. What is on must be
configured whole.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from config.environment import SettingsError
from config.settings import GatewaySelection
from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.settings import AdyenSettings
from gateways.contract import Evidence, Gateway
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.settings import PayPalSettings
from gateways.settings import GatewaySettings
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.settings import StripeSettings

_log = logging.getLogger(__name__)

Builder = Callable[[Evidence], Gateway]
"""Makes the adapter; nothing is connected yet."""


@dataclass(frozen=True)
class Registration:
    """How one gateway is configured and built."""

    settings: type[GatewaySettings]
    builder: Callable[[], Builder]
    """Reads the settings, so it raises SettingsError; what it answers builds the adapter."""


def _stripe() -> Builder:
    options = StripeSettings.read().options()
    return lambda evidence: StripeGateway(options)


def _paypal() -> Builder:
    options = PayPalSettings.read().options()
    return lambda evidence: PayPalGateway(options, evidence)


def _adyen() -> Builder:
    options = AdyenSettings.read().options()
    return lambda evidence: AdyenGateway(options, evidence)


REGISTRY: Mapping[str, Registration] = {
    "stripe": Registration(StripeSettings, _stripe),
    "paypal": Registration(PayPalSettings, _paypal),
    "adyen": Registration(AdyenSettings, _adyen),
}


def configured_gateways() -> dict[str, Builder]:
    """A builder for each gateway that is on. Raises SettingsError naming every variable at fault."""
    selected = GatewaySelection.read().gateways
    if selected is None:
        selected = tuple(name for name, entry in REGISTRY.items() if entry.settings.mentioned())
    unknown = [name for name in selected if name not in REGISTRY]
    if unknown or not selected:
        wrong = f"GATEWAYS names {', '.join(unknown)}" if unknown else "no gateway is configured"
        raise SettingsError(f"{wrong}: there are {', '.join(REGISTRY)}")
    builders: dict[str, Builder] = {}
    complaints: list[str] = []
    for name in selected:
        try:
            builders[name] = REGISTRY[name].builder()
        except SettingsError as error:
            complaints.append(str(error))
    if complaints:
        raise SettingsError("\n".join(complaints))
    return builders


def build_gateways(builders: Mapping[str, Builder], evidence: Evidence) -> dict[str, Gateway]:
    """The adapters by name; nothing is connected yet."""
    return {name: build(evidence) for name, build in builders.items()}


async def close_all(gateways: Mapping[str, Gateway]) -> None:
    """Close every gateway, also when one of them fails to."""
    endings = await asyncio.gather(*(gateway.close() for gateway in gateways.values()), return_exceptions=True)
    for name, ending in zip(gateways, endings, strict=True):
        if isinstance(ending, BaseException):
            _log.warning("gateway %s did not close cleanly: %s", name, type(ending).__name__)
