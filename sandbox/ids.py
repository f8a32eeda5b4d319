"""Text that cannot be guessed, for object ids."""

import os

LETTERS_AND_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CAPITALS_AND_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def random_text(length: int, letters: str = LETTERS_AND_DIGITS) -> str:
    """Letters that cannot be guessed."""
    return "".join(letters[byte % len(letters)] for byte in os.urandom(length))


def new_id(prefix: str) -> str:
    """A fresh id of one kind of object, in Stripe's form."""
    return f"{prefix}_{random_text(24)}"
