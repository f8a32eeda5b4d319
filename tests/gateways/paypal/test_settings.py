"""One PayPal account in the environment: whole, safe, or refused with the variable's name."""

from pathlib import Path

import pytest

from config.environment import SettingsError
from gateways.paypal.options import PayPalOptions
from gateways.paypal.settings import PayPalSettings
from tests.gateways.paypal.authority import chain, root

GOOD = {
    "PAYPAL_CLIENT_ID": "AClient-Id_1",
    "PAYPAL_CLIENT_SECRET": "EMustNotShow",
    "PAYPAL_WEBHOOK_ID": "5AND80XWEBH00K1D0",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A good account, and nothing of this machine's own."""
    for name in PayPalSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def read(environment: pytest.MonkeyPatch, **changes: str) -> PayPalOptions:
    """The options with some variables set."""
    for name, value in changes.items():
        environment.setenv(f"PAYPAL_{name.upper()}", value)
    return PayPalSettings.read().options()


def test_an_account(environment: pytest.MonkeyPatch) -> None:
    """Three variables are enough; they mean PayPal's test environment."""
    options = read(environment)
    assert (options.client_id, options.client_secret, options.webhook_id) == tuple(GOOD.values())
    assert (options.api_base, options.live, options.timeout_seconds) == ("https://api-m.sandbox.paypal.com", False, 20)
    assert (options.merchant_id, options.webhook_roots) == (None, None)


@pytest.mark.parametrize(
    ("base", "live"),
    [
        ("https://api-m.paypal.com", True),
        ("https://api.paypal.com/", True),
        ("https://api-m.sandbox.paypal.com", False),
        ("http://127.0.0.1:8090/paypal", False),
        ("http://sandbox:8090/paypal/", False),
    ],
)
def test_the_address_decides_the_mode(environment: pytest.MonkeyPatch, base: str, live: bool) -> None:
    """Real money moves at PayPal's two live hosts and nowhere else."""
    options = read(environment, api_base=base)
    assert (options.live, options.api_base) == (live, base.rstrip("/"))


def test_a_sandboxs_root(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sandbox's webhooks are vouched for by the certificates in a file."""
    file = tmp_path / "ca.pem"
    file.write_bytes(root().pem)
    options = read(
        environment, api_base="http://127.0.0.1:8090/paypal", webhook_ca=str(file), merchant_id="7KNGBPH2U58GQ"
    )
    assert (options.webhook_roots, options.merchant_id) == (root().pem, "7KNGBPH2U58GQ")


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("value", [None, "", " "])
def test_none_may_be_missing(environment: pytest.MonkeyPatch, name: str, value: str | None) -> None:
    """A half-configured account does not start, and the complaint names what is missing."""
    environment.delenv(name)
    if value is not None:
        environment.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        read(environment)


WRONG = {
    "a secret with a line break": {"client_secret": "EMustNotShow\n"},
    "an id with a colon": {"client_id": "a:b"},
    "an id of other letters": {"client_id": "é"},
    "a webhook id with a bar": {"webhook_id": "A|B"},
    "a webhook address": {"webhook_id": "https://shop.example.com/webhooks/paypal"},
    "live by http": {"api_base": "http://api-m.paypal.com"},
    "test by http": {"api_base": "http://api-m.sandbox.paypal.com"},
    "live on another port": {"api_base": "https://api-m.paypal.com:8443"},
    "live in a folder": {"api_base": "https://api-m.paypal.com/v2"},
    "not the API": {"api_base": "https://www.paypal.com"},
    "a made-up host of PayPal's": {"api_base": "https://apim.paypal.com"},
    "with a user": {"api_base": "https://user:secret@example.com"},
    "with a query": {"api_base": "http://127.0.0.1/?x=1"},
    "no address": {"api_base": "api-m.paypal.com"},
    "no port": {"api_base": "http://127.0.0.1:x"},
    "a file": {"api_base": "file:///etc"},
    "an address for the merchant": {"merchant_id": "shop@example.com"},
    "no time": {"timeout_seconds": "0"},
    "more time than an activity has": {"timeout_seconds": "21"},
    "no file": {"api_base": "http://127.0.0.1", "webhook_ca": "/nonexistent/ca.pem"},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG.keys())
def test_what_is_unsafe_or_wrong_is_refused(environment: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
    """The complaint names the variable and never its value."""
    with pytest.raises(SettingsError) as refused:
        read(environment, **changes)
    assert f"PAYPAL_{list(changes)[-1].upper()}" in str(refused.value)
    assert "MustNotShow" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"hello", chain(root())[:100]], ids=["empty", "text", "half of one"])
def test_a_root_that_is_none_is_refused(environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes) -> None:
    """A file without certificates would trust nobody, and is found out at the start."""
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="PAYPAL_WEBHOOK_CA"):
        read(environment, api_base="http://127.0.0.1:8090/paypal", webhook_ca=str(file))


def test_live_webhooks_are_vouched_for_by_public_roots_only(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A root of one's own beside a live account would let its owner sign real payments."""
    file = tmp_path / "ca.pem"
    file.write_bytes(root().pem)
    with pytest.raises(SettingsError, match="PAYPAL_WEBHOOK_CA"):
        read(environment, api_base="https://api-m.paypal.com", webhook_ca=str(file))


def test_a_single_variable_turns_it_on(environment: pytest.MonkeyPatch) -> None:
    """Any of its variables means that PayPal is wanted."""
    assert PayPalSettings.mentioned()
    for name in GOOD:
        environment.delenv(name)
    assert not PayPalSettings.mentioned()
    environment.setenv("PAYPAL_WEBHOOK_CA", "/x")
    assert PayPalSettings.mentioned()
