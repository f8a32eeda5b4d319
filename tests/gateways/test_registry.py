"""The gateways of a process: which are on, none half configured, and all are given back."""

import logging
from collections.abc import Mapping

import pytest

from config.environment import SettingsError
from gateways.registry import REGISTRY, build_gateways, close_all, configured_gateways
from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions
from tests.gateways.inbox import Inbox
from tests.gateways.live import ACCOUNTS
from tests.gateways.outside import world_class

OPTIONS = StripeOptions("sk_test_1", ("whsec_1",), "http://127.0.0.1:9", live=False)
WHOLE: Mapping[str, Mapping[str, str]] = {
    "stripe": {"STRIPE_API_KEY": "sk_test_9f", "STRIPE_WEBHOOK_SECRET": "whsec_9f"},
    "paypal": {
        "PAYPAL_CLIENT_ID": "client-9f",
        "PAYPAL_CLIENT_SECRET": "quiet-9f",
        "PAYPAL_WEBHOOK_ID": "1AB23456CD789012E",
    },
    "adyen": {"ADYEN_API_KEY": "AQE-9f", "ADYEN_MERCHANT_ACCOUNT": "ShopECOM", "ADYEN_HMAC_KEY": "00" * 32},
}
"""The variables that a gateway cannot do without."""

BROKEN = [(name, variable) for name in REGISTRY for variable in WHOLE[name]]


class Unclosable(StripeGateway):
    """A gateway whose connections cannot be given back."""

    async def close(self) -> None:
        """Fail."""
        raise ConnectionError("sk_test_1")


class Closable(StripeGateway):
    """A gateway that remembers being closed."""

    closed = False

    async def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of any gateway is set but what a test sets."""
    monkeypatch.delenv("GATEWAYS", raising=False)
    for entry in REGISTRY.values():
        for name, field in entry.settings.model_fields.items():
            monkeypatch.delenv(str(field.validation_alias or name).upper(), raising=False)


def put(monkeypatch: pytest.MonkeyPatch, *gateways: str) -> None:
    """Configure these gateways whole."""
    for gateway in gateways:
        for name, value in WHOLE[gateway].items():
            monkeypatch.setenv(name, value)


def test_every_gateway_is_under_test() -> None:
    """What is registered has its variables here, its world in the conformance suite, and its way to a test account."""
    assert set(WHOLE) == set(ACCOUNTS) == set(REGISTRY)
    for name in REGISTRY:
        assert callable(world_class(name))


@pytest.mark.parametrize("name", REGISTRY)
async def test_a_gateway_is_on_when_it_is_configured(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Its variables alone turn a gateway on; it is built under its own name, in test mode, with usable capabilities."""
    put(monkeypatch, name)
    gateways = build_gateways(configured_gateways(), Inbox())
    assert list(gateways) == [name]
    gateway = gateways[name]
    assert gateway.name == name
    assert not gateway.capabilities.live
    assert gateway.capabilities.currencies
    assert gateway.capabilities.key_lifetime
    await close_all(gateways)


def test_all_that_are_configured_are_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several gateways stand side by side; GATEWAYS narrows them down and gives their order."""
    put(monkeypatch, *REGISTRY)
    assert list(configured_gateways()) == list(REGISTRY)
    backwards = list(REGISTRY)[::-1]
    monkeypatch.setenv("GATEWAYS", ",".join(backwards))
    assert list(configured_gateways()) == backwards
    monkeypatch.setenv("GATEWAYS", backwards[0])
    assert list(configured_gateways()) == backwards[:1]


@pytest.mark.parametrize(("name", "variable"), BROKEN)
def test_none_is_half_configured(monkeypatch: pytest.MonkeyPatch, name: str, variable: str) -> None:
    """With one of its variables missing a gateway keeps the process from starting; the text names the variable."""
    put(monkeypatch, name)
    monkeypatch.delenv(variable)
    with pytest.raises(SettingsError, match=variable) as caught:
        configured_gateways()
    for value in WHOLE[name].values():
        assert value not in str(caught.value)


def test_every_complaint_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several gateways that are configured wrongly are all named, so that nobody has to start over for each."""
    monkeypatch.setenv("GATEWAYS", ",".join(REGISTRY))
    with pytest.raises(SettingsError) as caught:
        configured_gateways()
    for name in REGISTRY:
        assert next(iter(WHOLE[name])) in str(caught.value)


@pytest.mark.parametrize(
    ("value", "complaint"), [("nobody", "GATEWAYS names nobody"), ("", "no gateway is configured")]
)
def test_no_gateway_is_no_start(monkeypatch: pytest.MonkeyPatch, value: str, complaint: str) -> None:
    """A name that there is not, or no gateway at all, is refused with the names that there are."""
    monkeypatch.setenv("GATEWAYS", value)
    with pytest.raises(SettingsError, match=complaint) as caught:
        configured_gateways()
    for name in REGISTRY:
        assert name in str(caught.value)


async def test_all_are_closed_even_when_one_fails(caplog: pytest.LogCaptureFixture) -> None:
    """A gateway that fails to close is named in the log, without its error's text, and keeps no other from closing."""
    good = Closable(OPTIONS)
    with caplog.at_level(logging.WARNING):
        await close_all({"bad": Unclosable(OPTIONS), "good": good})
    assert good.closed
    assert "gateway bad did not close cleanly: ConnectionError" in caplog.text
    assert "sk_test_1" not in caplog.text
