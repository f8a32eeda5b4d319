"""Settings are refused at the start when they are missing or unsafe, with a text that names the variable."""

import pytest

from config.environment import FromEnvironment, SettingsError
from config.settings import DatabaseSettings, GatewaySelection, PolicySettings, TemporalSettings

NAMES = ("DATABASE_URL", "TEMPORAL_API_KEY", "TEMPORAL_TLS", "TEMPORAL_PING_SECONDS", "POLL_AFTER_SECONDS", "GATEWAYS")


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set but what a test sets."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("settings", "variables", "complaint"),
    [
        (DatabaseSettings, {}, "DATABASE_URL: Field required"),
        (DatabaseSettings, {"DATABASE_URL": "mysql://x"}, "DATABASE_URL: must be a postgresql:// address"),
        (TemporalSettings, {"TEMPORAL_API_KEY": "secret-key"}, "set TEMPORAL_TLS=true"),
        (TemporalSettings, {"TEMPORAL_PING_SECONDS": "-1"}, "TEMPORAL_PING_SECONDS: Input should be greater than"),
        (PolicySettings, {"POLL_AFTER_SECONDS": "0"}, "POLL_AFTER_SECONDS: Input should be greater than"),
        (PolicySettings, {"POLL_AFTER_SECONDS": "secret-key"}, "POLL_AFTER_SECONDS: Input should be a valid number"),
    ],
)
def test_unfit_settings_are_refused(
    monkeypatch: pytest.MonkeyPatch, settings: type[FromEnvironment], variables: dict[str, str], complaint: str
) -> None:
    """The text names the variable and what would be right, and repeats no value."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        settings.read()
    assert complaint in str(caught.value)
    assert "secret-key" not in str(caught.value)
    assert "Value error" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "gateways"), [(None, None), ("", None), ("one", ("one",)), (" one , two ,", ("one", "two"))]
)
def test_gateways_are_named_between_commas(
    monkeypatch: pytest.MonkeyPatch, value: str | None, gateways: tuple[str, ...] | None
) -> None:
    """GATEWAYS is a list of names; unset or empty it names none."""
    if value is not None:
        monkeypatch.setenv("GATEWAYS", value)
    assert GatewaySelection.read().gateways == gateways
