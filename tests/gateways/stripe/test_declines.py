"""Stripe's decline codes in our words."""

import logging

import pytest

from domain.payment import DeclineCode
from gateways.stripe.declines import DECLINES, decline, invalid_request


@pytest.mark.parametrize(
    ("word", "code", "hard"),
    [
        ("insufficient_funds", DeclineCode.INSUFFICIENT_FUNDS, False),
        ("generic_decline", DeclineCode.DO_NOT_HONOR, False),
        ("do_not_try_again", DeclineCode.DO_NOT_HONOR, True),
        ("expired_card", DeclineCode.EXPIRED_CARD, True),
        ("incorrect_cvc", DeclineCode.INCORRECT_DETAILS, False),
        ("incorrect_number", DeclineCode.INCORRECT_DETAILS, True),
        ("fraudulent", DeclineCode.FRAUD_SUSPECTED, True),
        ("stolen_card", DeclineCode.LOST_OR_STOLEN, True),
        ("card_velocity_exceeded", DeclineCode.LIMIT_EXCEEDED, False),
        ("transaction_not_allowed", DeclineCode.NOT_SUPPORTED, True),
        ("processing_error", DeclineCode.TRY_AGAIN_LATER, False),
        ("authentication_required", DeclineCode.AUTHENTICATION_REQUIRED, False),
        ("payment_intent_authentication_failure", DeclineCode.AUTHENTICATION_FAILED, False),
    ],
)
def test_known_codes(word: str, code: DeclineCode, hard: bool) -> None:
    """Each known code has one meaning and says whether the same card may be tried again."""
    said = decline(word, "Your card was declined.")
    assert (said.code, said.hard, said.gateway_code, said.message) == (code, hard, word, "Your card was declined.")


def test_the_networks_advice_hardens_a_decline() -> None:
    """When the card network says not to try again, a soft code is hard too."""
    assert decline("generic_decline", "", "do_not_try_again").hard
    assert not decline("generic_decline", "", "try_again_later").hard


def test_an_unknown_code_is_unknown_soft_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """A code that Stripe invents tomorrow declines softly and is logged the first time only."""
    with caplog.at_level(logging.WARNING):
        said = [decline("invented_yesterday", "no") for _ in range(3)]
    assert {(d.code, d.hard, d.gateway_code) for d in said} == {(DeclineCode.UNKNOWN, False, "invented_yesterday")}
    assert [r.getMessage() for r in caplog.records if "invented_yesterday" in r.getMessage()] == [
        "Stripe declined with a code that the table of declines lacks: 'invented_yesterday'"
    ]


def test_every_code_of_ours_is_used() -> None:
    """The table reaches every unified code, so no code exists that this gateway could never say."""
    assert {code for code, _ in DECLINES.values()} == set(DeclineCode)


def test_texts_are_scrubbed() -> None:
    """Neither a key nor a client secret that Stripe quotes survives in a decline."""
    for said in (
        decline("generic_decline", "key sk_test_abc123, secret pi_1_secret_xyz"),
        invalid_request("no_such_key", "No such key: 'rk_live_abc' and whsec_abc"),
    ):
        assert not [word for word in ("abc", "xyz") if word in said.message]
