"""What counts as a card number."""

import secrets
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.card_numbers import holds_card_number

CARDS = [
    "4242424242424242",
    "5555555555554444",
    "378282246310005",
    "6011111111111117",
    "4222222222222",
    "30569309025904",
]
DIGITS = st.text("0123456789", min_size=12, max_size=18).filter(lambda digits: digits.strip("0"))


def with_checksum(digits: str) -> str:
    """The digits with the check digit that makes them valid."""
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return digits + str(-total % 10)


@pytest.mark.parametrize("digit", ["1 ", "1-"])
def test_the_scan_takes_its_time_from_the_length_alone(digit: str) -> None:
    """Sixteen times the text takes no square of that: one caller's body must not stop the service for everybody."""

    def seconds(groups: int) -> float:
        started = time.process_time()
        holds_card_number(digit * groups + "x")
        return time.process_time() - started

    short = min(seconds(4_000) for _ in range(3))
    assert seconds(64_000) < 16 * 4 * short


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("text", ["{}", "card: {}.", "({})", "1 {} 12/27", "+{}", "{}\n{}"])
def test_test_cards_are_found(card: str, text: str) -> None:
    """The well-known test numbers are found in any surroundings that are no letters or digits."""
    assert holds_card_number(text.format(card, card))


@given(DIGITS, st.sampled_from([" ", "-", "\u2013", "- "]))
def test_any_valid_number_is_found_however_it_is_grouped(digits: str, separator: str) -> None:
    """Thirteen to nineteen digits with a valid checksum are found, whole or in groups of four."""
    card = with_checksum(digits)
    assert holds_card_number(card)
    assert holds_card_number(separator.join(card[i : i + 4] for i in range(0, len(card), 4)))


@given(DIGITS)
def test_a_wrong_check_digit_is_no_card(digits: str) -> None:
    """A number whose checksum is wrong is something else."""
    card = with_checksum(digits)
    assert not holds_card_number(card[:-1] + str((int(card[-1]) + 1) % 10))


@pytest.mark.parametrize("card", CARDS)
def test_digits_of_other_scripts_count(card: str) -> None:
    """Full-width and Arabic digits are read as what they are."""
    for zero in ("\uff10", "\u0660"):
        assert holds_card_number("".join(chr(ord(zero) + int(d)) for d in card))


def test_letters_in_front_hide_no_card() -> None:
    """A great issuer's number glued to letters is still found."""
    assert holds_card_number("pan4242424242424242")
    assert holds_card_number("x378282246310005y")


def test_ids_in_use_are_let_through() -> None:
    """UUIDs and hex ids hold long runs of digits by chance; hardly any order is refused for that."""
    ids = [str(uuid.uuid4()) for _ in range(20_000)] + [secrets.token_hex(16) for _ in range(20_000)]
    assert sum(map(holds_card_number, ids)) < 20
    assert not holds_card_number("00000000-0000-4000-8000-000000000000")
    assert not holds_card_number("0" * 16)


@pytest.mark.parametrize("length", [12, 20, 30])
def test_other_lengths_are_no_cards(length: int) -> None:
    """Shorter and longer numbers are none, whatever their checksum."""
    assert not holds_card_number(with_checksum("7" * (length - 1)))
