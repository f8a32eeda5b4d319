"""What api and worker make of their settings."""

import pytest

from api.wiring import connect_temporal
from config.settings import TemporalSettings


@pytest.mark.parametrize(("seconds", "milliseconds"), [(None, 30_000), (5, 5_000), (0, None)])
async def test_a_quiet_connection_is_pinged_as_told(seconds: int | None, milliseconds: int | None) -> None:
    """0 is never; the pause is in seconds."""
    settings = TemporalSettings() if seconds is None else TemporalSettings(temporal_ping_seconds=seconds)
    client = await connect_temporal(settings, lazy=True)
    config = client.service_client.config.keep_alive_config
    assert (config.interval_millis if config else None) == milliseconds
