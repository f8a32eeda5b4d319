"""What analytics has added up, beside what the gateways' own books say."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date

from devstack.demo.claims import Claim, claim
from devstack.demo.events.told import EventsTold
from devstack.demo.evidence import Evidence, Kind
from devstack.demo.people import Json, Shop
from domain.money import Money
from ledger.analytics import Difference

Totals = Counter[tuple[str, str, str]]
"""By gateway, currency and word: amounts in minor units, and numbers of disputes."""
_MOVED = {"captured": (Kind.TAKE, Kind.TAKE_BACK), "refunded": (Kind.REFUND, Kind.REFUND_BACK)}
_DISPUTES = ("opened", "won", "lost")


async def added_up(shop: Shop, since: date) -> Totals:
    """What the API says of all days from then on."""
    totals: Totals = Counter()
    for day in await shop.daily(since):
        totals.update({(day["gateway"], day["currency"], word): number for word, number in _numbers(day)})
    return totals


def _numbers(day: Json) -> Iterator[tuple[str, int]]:
    yield from ((word, day[word]["amount"]) for word in ("captured", "refunded"))
    yield from ((f"disputes {word}", day["disputes"][word]) for word in _DISPUTES)


def at_gateways(seen: Iterable[Evidence]) -> Totals:
    """The same by the gateways' books; a split checkout's money is its tenders'."""
    totals: Totals = Counter()
    for part in (part for one in seen for part in one.each()):
        for word, (more, less) in _MOVED.items():
            for movement in part.moved:
                sign = (movement.kind is more) - (movement.kind is less)
                totals[movement.gateway, movement.currency, word] += sign * movement.amount_minor
        for dispute in part.afterwards.disputes:
            for word in {"opened", dispute.state} & {*_DISPUTES}:
                totals[part.at, part.currency, f"disputes {word}"] += 1
    return totals


def claims(
    told: EventsTold,
    before: Totals,
    after: Totals,
    seen: Collection[Evidence],
    differences: Iterable[Difference],
    left_over: Sequence[str] = (),
) -> Iterator[Claim]:
    """The totals are those of our books, and what they have grown by is what the gateways' books say.

    `left_over`: the events of before the run that were not added up when it began.
    """
    trouble = (
        f"{each.gateway} {each.currency} {each.outcome}: {each.totals_minor} added up, {each.books_minor} on the books"
        for each in differences
    )
    yield claim("analytics' totals equal our books", f"{_places(after)} gateways and currencies, all days", trouble)
    title = "GET /v1/analytics/daily equals the gateways' own books"
    ours = {part.checkout_id for one in seen for part in one.each()}
    subjects = {each.subject for each in told.events} | {event.partition(":")[0] for event in left_over}
    if others := {subject for subject in subjects if subject.startswith("chk_")} - ours:
        # Totals do not tell whose money it was: that of a run that was broken off comes to its end in this one.
        yield claim(title, f"not compared, {len(others)} checkouts of an earlier run have come to their ends too", ())
        return
    grown, wanted = _grown(before, after), at_gateways(seen)
    keys = sorted({*grown, *wanted})
    trouble = (
        f"{' '.join(key)}: {grown[key]} added up, {wanted[key]} there" for key in keys if grown[key] != wanted[key]
    )
    yield claim(title, _told(grown), trouble)


def _grown(before: Totals, after: Totals) -> Totals:
    grown = Counter(after)
    grown.subtract(before)
    return grown


def _places(totals: Totals) -> int:
    return len({(gateway, currency) for gateway, currency, _ in totals})


def _told(grown: Totals) -> str:
    """Of the commonest currency the sum at each gateway; the others are too many to print."""
    sums = {
        gateway: str(Money(minor, currency))
        for (gateway, currency, word), minor in sorted(grown.items())
        if (currency, word) == ("USD", "captured")
    }
    disputes = sum(number for (_, _, word), number in grown.items() if word == "disputes opened")
    return f"captured {', '.join(f'{name} {amount}' for name, amount in sums.items())} and more; {disputes} disputes"
