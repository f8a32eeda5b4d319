"""From settings to parts: what api and worker both build at their start."""

from collections.abc import Mapping

from temporalio.client import Client

from config.settings import PolicySettings, StripeSettings, TemporalSettings
from domain.saga import SagaPolicy
from gateways.contract import Gateway
from gateways.stripe.options import StripeOptions
from workflows.payloads import DATA_CONVERTER


async def connect_temporal(settings: TemporalSettings, lazy: bool = False) -> Client:
    """A client of the Temporal server. A lazy one connects at its first use: the server may be down at the start."""
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
        tls=settings.temporal_tls,
        data_converter=DATA_CONVERTER,
        lazy=lazy,
    )


def stripe_options(settings: StripeSettings) -> StripeOptions:
    """The Stripe account of the environment, as its adapter takes it."""
    return StripeOptions(
        api_key=settings.stripe_api_key.get_secret_value(),
        webhook_secrets=settings.webhook_secrets,
        api_base=settings.stripe_api_base,
        live=settings.live,
        payment_page=settings.stripe_payment_page,
        timeout_seconds=settings.stripe_timeout_seconds,
    )


def saga_policy(settings: PolicySettings) -> SagaPolicy:
    """The patience of the environment, as the saga takes it."""
    return SagaPolicy(settings.poll_after_seconds, settings.poll_at_most_seconds, settings.stuck_after_seconds)


def live_modes(gateways: Mapping[str, Gateway]) -> dict[str, bool]:
    """Per gateway, whether its account moves real money."""
    return {name: gateway.capabilities.live for name, gateway in gateways.items()}
