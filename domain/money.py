"""Money: an integer number of minor units together with its currency."""

from dataclasses import dataclass

from domain.currency import exponent_of
from domain.errors import CurrencyMismatchError, InvalidMoneyError

# Postgres keeps amounts as bigint and JavaScript reads integers exactly up to 2**53 - 1; no shop sells for more.
LARGEST_MINOR = 2**53 - 1


@dataclass(frozen=True)
class Money:
    """`minor` counts the currency's ISO 4217 minor units (4200 USD is 42 dollars, 4200 JPY is 4200 yen).

    Never negative: the direction of a movement is told by the accounts it goes between.
    Raises InvalidMoneyError for anything that is not an exact, known amount; floats and booleans are refused.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise InvalidMoneyError(f"an amount is an integer of minor units, not {type(self.minor).__name__}")
        if not 0 <= self.minor <= LARGEST_MINOR:
            raise InvalidMoneyError(f"an amount lies between 0 and {LARGEST_MINOR}, not {self.minor}")
        exponent_of(self.currency)

    def __add__(self, other: "Money") -> "Money":
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        return Money(self.minor - self._same(other), self.currency)

    def __str__(self) -> str:
        exponent = exponent_of(self.currency)
        if exponent == 0:
            return f"{self.minor} {self.currency}"
        whole, fraction = divmod(self.minor, 10**exponent)
        return f"{whole}.{fraction:0{exponent}d} {self.currency}"

    def zero(self) -> "Money":
        """Nothing, in the same currency."""
        return Money(0, self.currency)

    def _same(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise CurrencyMismatchError(self.currency, other.currency)
        return other.minor
