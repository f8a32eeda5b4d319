"""Which gateway a checkout goes to: ordered rules, the first that fits decides. Pure; a decision can be made again.

Among a rule's gateways those are left out that cannot carry the checkout out, and those whose breaker keeps new
payments back. What is left is tried in the rule's order or, with weights, beginning with a draw that an order's id
settles for ever.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from domain.checkout import CaptureMode
from domain.money import Money


@dataclass(frozen=True)
class Inquiry:
    """What is known of a checkout before its gateway is chosen; None for what the shop did not say."""

    order_id: str
    amount: Money
    capture: CaptureMode
    country: str | None = None
    method: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Conditions:
    """What a rule asks for; what is empty or None asks for nothing.

    Amounts are in minor units, both ends included; they need exactly one currency, since the units of two differ.
    """

    currencies: tuple[str, ...] = ()
    amount_from: int | None = None
    amount_to: int | None = None
    countries: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    def mismatch(self, inquiry: Inquiry) -> str | None:
        """The first condition that does not hold, in words; None when all do."""
        reasons = (
            _not_among("the currency", inquiry.amount.currency, self.currencies),
            self._wrong_amount(inquiry.amount),
            _not_among("the customer's country", inquiry.country, self.countries),
            _not_among("the customer's method", inquiry.method, self.methods),
            *(
                f"metadata {name} is not {value}"
                for name, value in self.metadata.items()
                if inquiry.metadata.get(name) != value
            ),
        )
        return next((reason for reason in reasons if reason is not None), None)

    def _wrong_amount(self, amount: Money) -> str | None:
        if self.amount_from is not None and amount.minor < self.amount_from:
            return f"the amount is below {Money(self.amount_from, amount.currency)}"
        if self.amount_to is not None and amount.minor > self.amount_to:
            return f"the amount is above {Money(self.amount_to, amount.currency)}"
        return None

    def __str__(self) -> str:
        parts = (
            " or ".join(self.currencies),
            self._amounts(),
            f"in {' or '.join(self.countries)}" if self.countries else "",
            f"by {' or '.join(self.methods)}" if self.methods else "",
            *(f"with {name}={value}" for name, value in self.metadata.items()),
        )
        return " ".join(part for part in parts if part) or "everything"

    def _amounts(self) -> str:
        low, high = (None if at is None else _bare(at, self.currencies) for at in (self.amount_from, self.amount_to))
        if low is None:
            return f"up to {high}" if high is not None else ""
        return f"from {low}" if high is None else f"from {low} to {high}"


@dataclass(frozen=True)
class Rule:
    """One rule. `gateways` in the order they are tried; with `weights` (one each) the first is drawn by them."""

    number: int
    when: Conditions
    gateways: tuple[str, ...]
    weights: tuple[int, ...] = ()
    name: str | None = None

    def order(self, order_id: str) -> tuple[str, ...]:
        """The gateways as they are tried for this order."""
        if not self.weights:
            return self.gateways
        drawn = _drawn(order_id, self.gateways, self.weights)
        heavy = sorted(zip(self.weights, self.gateways, strict=True), key=lambda pair: -pair[0])
        return drawn, *(gateway for _, gateway in heavy if gateway != drawn)

    def __str__(self) -> str:
        return f"rule {self.number}" + (f" ({self.name})" if self.name else "")


@dataclass(frozen=True)
class RuleBook:
    """All rules in order, the gateways for what no rule fits, and how many gateways one checkout may try in all."""

    rules: tuple[Rule, ...]
    default: tuple[str, ...]
    max_gateways: int = 2


@dataclass(frozen=True)
class Candidate:
    """What is known of a gateway for this checkout: why it can never carry it out, and why it is kept back for now."""

    cannot: str | None = None
    kept_back: str | None = None

    @property
    def obstacle(self) -> str | None:
        """Why it is skipped; None when it is not."""
        return self.cannot or self.kept_back


@dataclass(frozen=True)
class Route:
    """The gateway to begin with, those to try after it, and why. `skipped`: the rule's others, each with its reason."""

    gateway: str
    alternatives: tuple[str, ...]
    reason: str
    rule: Rule | None
    skipped: Mapping[str, str]


@dataclass(frozen=True)
class NoRoute:
    """No gateway can be begun with. `passing`: one of them is only kept back, so that another time may be better."""

    reason: str
    rule: Rule | None
    skipped: Mapping[str, str]
    passing: bool


def decide(book: RuleBook, inquiry: Inquiry, candidates: Mapping[str, Candidate]) -> Route | NoRoute:
    """Choose by the first rule that fits, among the candidates, which are all gateways that there are."""
    rule = next((rule for rule in book.rules if rule.when.mismatch(inquiry) is None), None)
    tried = rule.order(inquiry.order_id) if rule else book.default
    why = f"{rule}: {rule.when}" if rule else _default(book)
    skipped = {name: obstacle for name in tried if (obstacle := candidates[name].obstacle) is not None}
    usable = [name for name in tried if name not in skipped]
    if not usable:
        passing = any(candidates[name].cannot is None for name in tried)
        return NoRoute(f"{why} → none", rule, skipped, passing)
    first, *others = usable[: book.max_gateways]
    passed_over = f", {' and '.join(_before(first, tried))} skipped" if _before(first, tried) else ""
    return Route(first, tuple(others), f"{why} → {first}{passed_over}", rule, skipped)


def _default(book: RuleBook) -> str:
    return "no rule fits" if book.rules else "by default"


def _before(first: str, tried: Iterable[str]) -> list[str]:
    """The gateways that would have come first."""
    names = list(tried)
    return names[: names.index(first)]


def _not_among(what: str, value: str | None, wanted: Collection[str]) -> str | None:
    if not wanted or value in wanted:
        return None
    return f"{what} is not {' or '.join(wanted)}" if value is not None else f"{what} is not known"


def _bare(minor: int, currencies: tuple[str, ...]) -> str:
    """The amount as people write it, without the currency, which stands before it."""
    return str(Money(minor, currencies[0])).removesuffix(f" {currencies[0]}")


def _drawn(order_id: str, gateways: tuple[str, ...], weights: tuple[int, ...]) -> str:
    """One gateway, by a hash that spreads orders evenly: the same order always draws the same."""
    ticket = int.from_bytes(hashlib.sha256(order_id.encode()).digest()) % sum(weights)
    for gateway, weight in zip(gateways, weights, strict=True):
        if ticket < weight:
            return gateway
        ticket -= weight
    raise AssertionError("a ticket is below the sum of all weights")
