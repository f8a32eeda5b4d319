"""Adyen's refusal reasons in our words."""

import logging

import pytest

from domain.payment import DeclineCode
from gateways.adyen.declines import DECLINES, NUMBERS, decline, invalid_request


@pytest.mark.parametrize(
    ("reason", "code", "hard"),
    [
        ("Not enough balance", DeclineCode.INSUFFICIENT_FUNDS, False),
        ("12 : Not enough balance", DeclineCode.INSUFFICIENT_FUNDS, False),
        ("12", DeclineCode.INSUFFICIENT_FUNDS, False),
        ("Refused", DeclineCode.DO_NOT_HONOR, False),
        ("Revocation Of Auth", DeclineCode.DO_NOT_HONOR, True),
        ("Expired Card", DeclineCode.EXPIRED_CARD, True),
        ("CVC Declined", DeclineCode.INCORRECT_DETAILS, False),
        ("Invalid Card Number", DeclineCode.INCORRECT_DETAILS, True),
        ("FRAUD", DeclineCode.FRAUD_SUSPECTED, True),
        ("FRAUD-CANCELLED", DeclineCode.FRAUD_SUSPECTED, True),
        ("Blocked Card", DeclineCode.LOST_OR_STOLEN, True),
        ("Withdrawal count exceeded", DeclineCode.LIMIT_EXCEEDED, False),
        ("Transaction Not Permitted", DeclineCode.NOT_SUPPORTED, True),
        ("Issuer Unavailable", DeclineCode.TRY_AGAIN_LATER, False),
        ("Authentication required", DeclineCode.AUTHENTICATION_REQUIRED, False),
        ("3D Not Authenticated", DeclineCode.AUTHENTICATION_FAILED, False),
        ("Insufficient balance on payment", DeclineCode.INVALID_REQUEST, True),
        ("Transaction hasn't been captured, refund not possible", DeclineCode.INVALID_REQUEST, True),
    ],
)
def test_known_reasons(reason: str, code: DeclineCode, hard: bool) -> None:
    """Each known reason has one meaning and says whether the same card may be tried again."""
    said = decline(reason)
    assert (said.code, said.hard, said.gateway_code) == (code, hard, reason)


def test_an_acquirers_own_number_is_not_adyens() -> None:
    """Before a text that the table lacks, a number is the acquirer's: its 12 means something else than Adyen's."""
    assert decline("12 : Invalid transaction").code is DeclineCode.UNKNOWN


def test_an_unknown_reason_is_unknown_soft_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A reason that Adyen invents tomorrow declines softly and is logged the first time only."""
    with caplog.at_level(logging.WARNING):
        said = [decline("Invented Yesterday") for _ in range(3)]
    assert {(d.code, d.hard, d.gateway_code) for d in said} == {(DeclineCode.UNKNOWN, False, "Invented Yesterday")}
    assert [r.getMessage() for r in caplog.records if "Invented" in r.getMessage()] == [
        "Adyen declined with a reason that the table of declines lacks: 'Invented Yesterday'"
    ]


@pytest.mark.parametrize("reason", ["", "   ", "\n"])
def test_no_reason(reason: str) -> None:
    """A refusal without a reason is unknown and soft."""
    said = decline(reason)
    assert (said.code, said.hard, said.gateway_code) == (DeclineCode.UNKNOWN, False, "unknown")


def test_the_tables_are_whole() -> None:
    """Every unified code can be said, every number of Adyen's list up to 46 is known but those that are no refusals."""
    assert {code for code, _ in DECLINES.values()} == set(DeclineCode)
    assert set(range(2, 47)) - {int(number) for number in NUMBERS} == {13, 30}


def test_texts_are_scrubbed_and_short() -> None:
    """Neither an API key nor an HMAC key that Adyen quotes survives in a decline, and none is endless."""
    for secret in ("AQEyhmfxLI3MaBFLw0m-n3Q5=-8h;,'{\"tail", "0123456789abcdef" * 4):
        for said in (decline(f"Refused {secret}"), invalid_request(secret, f"No: '{secret}'")):
            text = f"{said.message} {said.gateway_code}"
            assert not [part for part in (secret[:12], secret[-4:]) if part in text]
    assert len(decline("x" * 10_000).message) <= 100
    assert len(invalid_request("x" * 10_000, "y" * 10_000).gateway_code) <= 100
