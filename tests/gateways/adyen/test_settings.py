"""Adyen's settings are refused at the start when they are missing or unsafe, with a text that names the variable."""

import pytest

from config.environment import SettingsError
from gateways.adyen.settings import AdyenSettings
from tests.gateways.adyen.notices import NEW, OLD

GOOD = {"ADYEN_API_KEY": "AQEtestKey", "ADYEN_MERCHANT_ACCOUNT": "PaysagaECOM", "ADYEN_HMAC_KEY": NEW}
NAMES = (
    *GOOD,
    *("ADYEN_HMAC_KEYS", "ADYEN_API_BASE", "ADYEN_DISPUTES_BASE", "ADYEN_SEVERAL_CAPTURES", "ADYEN_TIMEOUT_SECONDS"),
)
DISPUTES_PATH = "/ca/services/DisputeService/v30"
LIVE = "https://1797a841fbb37ca7-paysaga-checkout-live.adyenpayments.com/checkout/v72"


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
        ({**GOOD, "ADYEN_API_KEY": ""}, "ADYEN_API_KEY: Field required"),
        ({**GOOD, "ADYEN_MERCHANT_ACCOUNT": ""}, "ADYEN_MERCHANT_ACCOUNT: Field required"),
        ({**GOOD, "ADYEN_HMAC_KEY": ""}, "(or ADYEN_HMAC_KEYS) is missing"),
        ({**GOOD, "ADYEN_API_KEY": "two words"}, "ADYEN_API_KEY: must be an API key"),
        ({**GOOD, "ADYEN_API_KEY": "kéy"}, "ADYEN_API_KEY: must be an API key"),
        ({**GOOD, "ADYEN_MERCHANT_ACCOUNT": "Pay:saga"}, "ADYEN_MERCHANT_ACCOUNT: must be the name"),
        ({**GOOD, "ADYEN_HMAC_KEY": "not hexadecimal"}, "ADYEN_HMAC_KEY: an Adyen HMAC key is none"),
        ({**GOOD, "ADYEN_HMAC_KEYS": f"{OLD},12"}, "ADYEN_HMAC_KEY: an Adyen HMAC key is none"),
        ({**GOOD, "ADYEN_API_BASE": "ftp://x"}, "ADYEN_API_BASE must be an http(s) address"),
        ({**GOOD, "ADYEN_API_BASE": LIVE.replace("https", "http")}, "ADYEN_API_BASE must be https:// at Adyen"),
        ({**GOOD, "ADYEN_API_BASE": "http://checkout-test.adyen.com/v72"}, "ADYEN_API_BASE must be https:// at Adyen"),
        ({**GOOD, "ADYEN_DISPUTES_BASE": "ca-test.adyen.com"}, "ADYEN_DISPUTES_BASE must be an http(s) address"),
        ({**GOOD, "ADYEN_DISPUTES_BASE": "http://ca-test.adyen.com"}, "ADYEN_DISPUTES_BASE must be https:// at Adyen"),
        ({**GOOD, "ADYEN_SEVERAL_CAPTURES": "many"}, "ADYEN_SEVERAL_CAPTURES: Input should be a valid boolean"),
        ({**GOOD, "ADYEN_TIMEOUT_SECONDS": "60"}, "ADYEN_TIMEOUT_SECONDS: Input should be less than"),
    ],
)
def test_unfit_settings_are_refused(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], complaint: str) -> None:
    """The text names the variable and what would be right, and repeats no secret."""
    put(monkeypatch, **variables)
    with pytest.raises(SettingsError) as caught:
        AdyenSettings.read()
    assert complaint in str(caught.value)
    assert "Value error" not in str(caught.value)
    for name in ("ADYEN_API_KEY", "ADYEN_HMAC_KEY", "ADYEN_HMAC_KEYS"):
        assert (variables.get(name) or "nothing") not in str(caught.value)


def test_several_hmac_keys_are_active(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one key is rotated out, both are accepted."""
    put(monkeypatch, **{**GOOD, "ADYEN_HMAC_KEY": "", "ADYEN_HMAC_KEYS": f" {NEW}, {OLD} ,"})
    assert AdyenSettings.read().options().hmac_keys == (NEW, OLD)
    put(monkeypatch, ADYEN_HMAC_KEY="ab" * 32)
    assert AdyenSettings.read().options().hmac_keys == ("ab" * 32, NEW, OLD)


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing the settings shows no secret."""
    put(monkeypatch, **GOOD)
    assert "AQEtestKey" not in repr(AdyenSettings.read())
    assert NEW not in repr(AdyenSettings.read())


@pytest.mark.parametrize(
    ("base", "live"),
    [
        (None, False),
        ("https://checkout-test.adyen.com/v72", False),
        ("http://127.0.0.1:8421/adyen/v72", False),
        ("https://adyenpayments.com.attacker.test/v72", False),
        ("https://notadyenpayments.com/checkout/v72", False),
        (LIVE, True),
        (LIVE.replace("adyenpayments.com", "ADYENPAYMENTS.COM."), True),
    ],
)
def test_the_address_tells_whether_real_money_moves(
    monkeypatch: pytest.MonkeyPatch, base: str | None, live: bool
) -> None:
    """The mode is read from the host of the API, which differs for live payments."""
    put(monkeypatch, **GOOD, **({"ADYEN_API_BASE": base} if base else {}))
    options = AdyenSettings.read().options()
    assert options.live is live
    assert options.api_base == base or base is None


@pytest.mark.parametrize(
    ("variables", "base"),
    [
        ({}, f"https://ca-test.adyen.com{DISPUTES_PATH}"),
        ({"ADYEN_API_BASE": LIVE}, f"https://ca-live.adyen.com{DISPUTES_PATH}"),
        ({"ADYEN_API_BASE": "http://127.0.0.1:8421/adyen/v72"}, None),
        ({"ADYEN_API_BASE": "http://127.0.0.1:8421/v72", "ADYEN_DISPUTES_BASE": "http://127.0.0.1:8421/d"},
         "http://127.0.0.1:8421/d"),
    ],
)  # fmt: skip
def test_where_disputes_are_answered(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], base: str | None
) -> None:
    """At Adyen the address is known by the mode; an account elsewhere must never reach Adyen by a default."""
    put(monkeypatch, **GOOD, **variables)
    assert AdyenSettings.read().options().disputes_base == base


def test_several_captures_are_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """An account has one capture a payment unless it is said to have more."""
    put(monkeypatch, **GOOD)
    assert AdyenSettings.read().options().several_captures is False
    put(monkeypatch, ADYEN_SEVERAL_CAPTURES="true")
    assert AdyenSettings.read().options().several_captures is True


def test_any_variable_turns_it_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """One variable that is set mentions the gateway, an empty one does not."""
    assert not AdyenSettings.mentioned()
    put(monkeypatch, ADYEN_HMAC_KEYS=" ")
    assert not AdyenSettings.mentioned()
    put(monkeypatch, ADYEN_HMAC_KEYS=NEW)
    assert AdyenSettings.mentioned()
