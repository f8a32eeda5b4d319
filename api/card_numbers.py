"""Finds values shaped like a card number, so that none is ever stored or logged.

Cards are entered at the gateway. A number that strays into an order id or a note would put this system, its backups
and its logs under the card industry's rules, so the request is refused whole.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence

_SHORTEST, _LONGEST = 13, 19

# Digit groups that stand free of letters, parted by at most two spaces or dashes: "4242 4242-4242 4242".
_GROUPS = re.compile(r"(?<![0-9A-Za-z])[0-9]+(?:[\s\-\u2010-\u2015\u2212]{1,2}[0-9]+)*(?![0-9A-Za-z])")

# Glued to letters ("pan4242…") a run of digits is more often part of a hash or an id, of which one in ten would pass
# the checksum; there only the shapes of the great issuers count.
_GLUED = re.compile(
    r"(?<![0-9])(?:4[0-9]{15}|5[1-5][0-9]{14}|2[2-7][0-9]{14}|3[47][0-9]{13}|3[0689][0-9]{12}|6(?:011|5[0-9]{2})[0-9]{12}|"
    r"35[0-9]{14}|62[0-9]{14,17})(?![0-9])"
)

_VALUES = bytes(max(0, byte - ord("0")) if byte <= ord("9") else 0 for byte in range(256))
_DOUBLED = bytes(2 * value - 9 * (value > 4) if value < 10 else 0 for value in range(256))

# A UUID's groups may happen to be all digits; its shape is no card's.
_UUID = re.compile(r"(?<![0-9A-Za-z-])[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}(?![0-9A-Za-z-])")


def holds_card_number(text: str) -> bool:
    """Whether the text holds 13 to 19 digits with a valid checksum, also parted by spaces or dashes, in any script."""
    if len(text) < _SHORTEST:
        return False
    plain = _plain_digits(_UUID.sub("|", text))
    if any(_luhn(match.group()) for match in _GLUED.finditer(plain)):
        return True
    return any(
        _luhn(candidate)
        for match in _GROUPS.finditer(plain)
        if match.end() - match.start() >= _SHORTEST
        for candidate in _candidates(re.findall("[0-9]+", match.group()))
    )


def _plain_digits(text: str) -> str:
    """Every decimal digit as ASCII: a number typed in full-width or Arabic digits is the same number."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text)


def _candidates(groups: Sequence[str]) -> Iterator[str]:
    """Neighbouring groups that together have a card number's length: other numbers may stand before and after it."""
    for start in range(len(groups)):
        digits = ""
        # A group has a digit at least; a copy of all that follow would make the scan's cost grow with the square.
        for group in groups[start : start + _LONGEST]:
            digits += group
            if len(digits) > _LONGEST:
                break
            if len(digits) >= _SHORTEST:
                yield digits


def _luhn(digits: str) -> bool:
    """The checksum of ISO/IEC 7812-1. All zeros pass it, but no card has them.

    Done on bytes, since a body of nothing but short groups has hundreds of thousands of candidates.
    """
    values = digits.encode().translate(_VALUES)
    return any(values) and (sum(values[-1::-2]) + sum(values[-2::-2].translate(_DOUBLED))) % 10 == 0
