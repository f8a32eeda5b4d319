"""PayPal's issues and response codes in our words."""

import json
import logging
from pathlib import Path

import pytest

from domain.payment import DeclineCode
from gateways.paypal.declines import DECLINES, decline, invalid_request

SPECS = Path(__file__).parents[4] / "shared" / "specs"


@pytest.mark.parametrize(
    ("word", "code", "hard"),
    [
        ("INSTRUMENT_DECLINED", DeclineCode.DO_NOT_HONOR, False),
        ("PAYER_CANNOT_PAY", DeclineCode.DO_NOT_HONOR, True),
        ("TRANSACTION_REFUSED", DeclineCode.FRAUD_SUSPECTED, True),
        ("5120", DeclineCode.INSUFFICIENT_FUNDS, False),
        ("5400", DeclineCode.EXPIRED_CARD, True),
        ("5110", DeclineCode.INCORRECT_DETAILS, False),
        ("9500", DeclineCode.FRAUD_SUSPECTED, True),
        ("9520", DeclineCode.LOST_OR_STOLEN, True),
        ("5650", DeclineCode.AUTHENTICATION_REQUIRED, False),
        ("7710", DeclineCode.AUTHENTICATION_FAILED, False),
        ("TRANSACTION_LIMIT_EXCEEDED", DeclineCode.LIMIT_EXCEEDED, False),
        ("MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED", DeclineCode.LIMIT_EXCEEDED, True),
        ("INVALID_CURRENCY_CODE", DeclineCode.NOT_SUPPORTED, True),
        ("PENDING_CAPTURE", DeclineCode.TRY_AGAIN_LATER, False),
        ("REFUND_AMOUNT_EXCEEDED", DeclineCode.INVALID_REQUEST, True),
        ("DUPLICATE_INVOICE_ID", DeclineCode.INVALID_REQUEST, True),
    ],
)
def test_known_codes(word: str, code: DeclineCode, hard: bool) -> None:
    """Each known code has one meaning and says whether the same means may be tried again."""
    said = decline(word, "Declined.")
    assert (said.code, said.hard, said.gateway_code, said.message) == (code, hard, word, "Declined.")


def test_the_networks_advice_hardens_a_decline() -> None:
    """When the card network says not to try again, a soft code is hard too."""
    assert decline("5100", "", "03").hard
    assert decline("5100", "", "21").hard
    assert not decline("5100", "", "02").hard


def test_an_unknown_code_is_unknown_soft_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A code that PayPal invents tomorrow declines softly and is logged the first time only."""
    with caplog.at_level(logging.WARNING):
        said = [decline("INVENTED_YESTERDAY", "no") for _ in range(3)]
    assert {(d.code, d.hard, d.gateway_code) for d in said} == {(DeclineCode.UNKNOWN, False, "INVENTED_YESTERDAY")}
    assert [r.getMessage() for r in caplog.records if "INVENTED_YESTERDAY" in r.getMessage()] == [
        "PayPal declined with a code that the table of declines lacks: 'INVENTED_YESTERDAY'"
    ]


def test_every_code_of_ours_is_used() -> None:
    """The table reaches every unified code, so no code exists that this gateway could never say."""
    assert {code for code, _ in DECLINES.values()} == set(DeclineCode)


def test_what_we_asked_wrongly_is_hard() -> None:
    """A request that PayPal calls wrong is nobody's to try again."""
    said = invalid_request("INVALID_PARAMETER_VALUE", "No.")
    assert (said.code, said.hard) == (DeclineCode.INVALID_REQUEST, True)


@pytest.mark.skipif(not SPECS.exists(), reason="PayPal's API description is not here")
@pytest.mark.parametrize(
    ("api", "schemas"),
    [
        ("checkout_orders_v2", ("orders.authorize-422", "orders.capture-422")),
        ("payments_payment_v2", ("422", "authorizations.void-422", "captures.refund-422")),
    ],
)
def test_the_issues_of_a_wallets_payment_are_known(api: str, schemas: tuple[str, ...]) -> None:
    """Every issue that PayPal documents for our operations has a meaning here, but for those that we cannot provoke."""
    described = json.loads((SPECS / f"paypal-{api}.json").read_text())["components"]["schemas"]
    issues = {issue for name in schemas for issue in _issues(described[name])}
    assert len(issues) > 20
    assert sorted(issue for issue in issues if issue not in DECLINES and not _foreign(issue)) == []


def _issues(node: object) -> set[str]:
    """Every value that the description allows as an `issue`."""
    if isinstance(node, list):
        return set().union(*map(_issues, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    here = node.get("issue")
    named = set(here.get("enum", ())) if isinstance(here, dict) else set()
    return named.union(*map(_issues, node.values()))


def _foreign(issue: str) -> bool:
    """Issues of cards sent by us, vaults, banks, platforms and accounts: an order of ours has none of these."""
    parts = ("CARD", "VAULT", "BANK", "IBAN", "PNREF", "TOKEN", "PLATFORM", "PAYEE", "MERCHANT_INITIATED", "APPLE_PAY",
             "PREVIOUS_REFERENCE", "PREVIOUS_TRANSACTION", "CRYPTOGRAM", "BILLING_AGREEMENT", "PAYPAL_TRANSACTION_ID",
             "ADDRESS", "URL_REQUIRED", "INCOMPATIBLE", "SAVE", "AUTH_CAPTURE_NOT_ENABLED", "IN_PROGRESS",
             "PREFERRED_PAYMENT_SOURCE", "PAYMENT_SOURCE_MISMATCH", "AMOUNT_CANNOT_BE_SPECIFIED", "IDENTIFIER",
             "REQUIRED_PARAMETER", "PERMISSION")  # fmt: skip
    return any(part in issue for part in parts)
