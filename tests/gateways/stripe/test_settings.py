"""Stripe's settings are refused at the start when they are missing or unsafe, with a text that names the variable."""

import pytest

from config.environment import SettingsError
from gateways.stripe.settings import StripeSettings

GOOD = {"STRIPE_API_KEY": "sk_test_abc", "STRIPE_WEBHOOK_SECRET": "whsec_abc"}
NAMES = (
    *("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_WEBHOOK_SECRETS"),
    *("STRIPE_API_BASE", "STRIPE_PAYMENT_PAGE", "STRIPE_TIMEOUT_SECONDS"),
)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set but what a test sets."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def put(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Set these environment variables."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"STRIPE_WEBHOOK_SECRET": "whsec_a"}, "STRIPE_API_KEY: Field required"),
        (GOOD | {"STRIPE_API_KEY": "pk_test_a"}, "STRIPE_API_KEY: must be a secret or restricted key"),
        ({"STRIPE_API_KEY": "sk_test_a"}, "(or STRIPE_WEBHOOK_SECRETS) is missing"),
        (GOOD | {"STRIPE_WEBHOOK_SECRET": "abc"}, "STRIPE_WEBHOOK_SECRET must start with whsec_"),
        (GOOD | {"STRIPE_WEBHOOK_SECRETS": "abc"}, "STRIPE_WEBHOOK_SECRET must start with whsec_"),
        (GOOD | {"STRIPE_WEBHOOK_SECRETS": "whsec_a,whsec_"}, "has nothing after whsec_"),
        (GOOD | {"STRIPE_API_BASE": "ftp://x"}, "STRIPE_API_BASE must be an http(s) address"),
        (
            GOOD | {"STRIPE_API_KEY": "sk_live_a", "STRIPE_API_BASE": "http://127.0.0.1:1"},
            "STRIPE_API_BASE must be https:// with a live key",
        ),
        (GOOD | {"STRIPE_TIMEOUT_SECONDS": "60"}, "STRIPE_TIMEOUT_SECONDS: Input should be less than"),
    ],
)
def test_unfit_settings_are_refused(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], complaint: str) -> None:
    """The text names the variable and what would be right, and repeats no value."""
    put(monkeypatch, **variables)
    with pytest.raises(SettingsError) as caught:
        StripeSettings.read()
    assert complaint in str(caught.value)
    assert "Value error" not in str(caught.value)
    for name in ("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRETS"):
        assert variables.get(name, "nothing") not in str(caught.value)


def test_several_webhook_secrets_are_active(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one secret is rotated out, both are accepted."""
    put(monkeypatch, STRIPE_API_KEY="rk_test_a", STRIPE_WEBHOOK_SECRETS=" whsec_new, whsec_old ,")
    assert StripeSettings.read().webhook_secrets == ("whsec_new", "whsec_old")
    assert StripeSettings.read().options().webhook_secrets == ("whsec_new", "whsec_old")


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing the settings shows no secret."""
    put(monkeypatch, **GOOD)
    assert "sk_test_abc" not in repr(StripeSettings.read())
    assert "whsec_abc" not in repr(StripeSettings.read())


@pytest.mark.parametrize(("key", "live"), [("sk_test_live_", False), ("sk_live_a", True), ("rk_live_a", True)])
def test_the_key_tells_whether_real_money_moves(monkeypatch: pytest.MonkeyPatch, key: str, live: bool) -> None:
    """The mode is read from the key's prefix only."""
    put(monkeypatch, **GOOD | {"STRIPE_API_KEY": key})
    assert StripeSettings.read().live is live
    assert StripeSettings.read().options().live is live


def test_any_variable_turns_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable that is set mentions the gateway, an empty one does not."""
    assert not StripeSettings.mentioned()
    put(monkeypatch, STRIPE_WEBHOOK_SECRETS=" ", STRIPE_API_KEY="")
    assert not StripeSettings.mentioned()
    put(monkeypatch, STRIPE_WEBHOOK_SECRETS="whsec_a")
    assert StripeSettings.mentioned()
