"""What the demo claims of the whole, beside the promises of single checkouts. Each claim can fail."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

_SHOWN_TROUBLES = 5


@dataclass(frozen=True)
class Claim:
    """What is claimed, what was found, and each way in which it does not hold; none where it does."""

    title: str
    found: str
    trouble: tuple[str, ...] = ()


def claim(title: str, found: str, trouble: Iterable[str]) -> Claim:
    """The claim, after it was looked at."""
    return Claim(title, found, tuple(trouble))


def print_claims(console: Console, heading: str, claims: Sequence[Claim]) -> None:
    """One line for each claim, with what was found; of many troubles, the first."""
    console.print(Text(f"\n{heading}", "bold"))
    for each in claims:
        mark = Text("  BROKEN ", "bold red") if each.trouble else Text("  ok     ", "green")
        console.print(mark.append(f"{each.title}: {each.found}", "default"), soft_wrap=True)
        for trouble in each.trouble[:_SHOWN_TROUBLES]:
            console.print(Text(f"         {trouble}", "red"), soft_wrap=True)
        if (more := len(each.trouble) - _SHOWN_TROUBLES) > 0:
            console.print(Text(f"         and {more} more", "red"))
