"""From settings to parts: what api and worker both build at their start."""

from collections.abc import Mapping

from temporalio.client import Client
from temporalio.service import KeepAliveConfig

from config.settings import PolicySettings, TemporalSettings
from domain.saga import GatewayAccount, SagaPolicy
from gateways.contract import Capabilities, Gateway
from workflows.payloads import DATA_CONVERTER


async def connect_temporal(settings: TemporalSettings, lazy: bool = False) -> Client:
    """A client of the Temporal server. A lazy one connects at its first use: the server may be down at the start."""
    ping = settings.temporal_ping_seconds
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
        tls=settings.temporal_tls,
        keep_alive_config=KeepAliveConfig(interval_millis=ping * 1000) if ping else None,
        data_converter=DATA_CONVERTER,
        lazy=lazy,
    )


def saga_policy(settings: PolicySettings) -> SagaPolicy:
    """The patience of the environment, as the saga takes it."""
    return SagaPolicy(
        settings.poll_after_seconds,
        settings.poll_at_most_seconds,
        settings.stuck_after_seconds,
        settings.failover_after_seconds,
        settings.page_after_seconds,
        settings.four_eyes_above,
    )


def accounts_of(gateways: Mapping[str, Gateway]) -> dict[str, GatewayAccount]:
    """What a saga must know of each gateway's account."""
    return {name: _account_of(name, gateway.capabilities) for name, gateway in gateways.items()}


def _account_of(name: str, can: Capabilities) -> GatewayAccount:
    return GatewayAccount(
        gateway=name,
        live=can.live,
        merchant_account=can.merchant_account,
        voids_unpaid=can.void_before_authorization,
        finds_by_reference=can.lookup_by_reference,
        partial_capture=can.partial_capture,
        several_captures=can.several_captures,
        reauthorize_after_seconds=can.reauthorize_after.total_seconds() if can.reauthorize_after else None,
        answers_disputes=tuple(sorted(can.answers_disputes)),
    )
