"""There is less in stock than customers want, and all of them pay at the same moment."""

from dataclasses import dataclass, field

from devstack.demo import goods
from devstack.demo.claims import Claim, claim
from devstack.demo.meeting import Meeting
from devstack.demo.people import Json
from devstack.demo.plays import ASKED
from devstack.demo.promise import CAPTURED, COMPLETED, REFUNDED, VOIDED, Promise
from devstack.demo.scenario import NAMES, Scenario
from devstack.demo.stage import Stage
from ledger.stock import StockLevel

_OPENED = "opened"


@dataclass
class Rush:
    """So many pieces of one kind, and a customer at each gateway who wants one: who is too late gets the money back."""

    title: str
    sku: str
    pieces: int
    terms: Json
    sold: Promise
    unsold: Promise
    meeting: Meeting = field(default_factory=lambda: Meeting(len(NAMES)))
    ends: dict[str, str] = field(default_factory=dict)
    """How each order ended, by its id."""

    @property
    def scenario(self) -> Scenario:
        """As the demo tells it. Which of its two ends a checkout has is known when stock has decided."""
        return Scenario(self.title, self.sold, self.buy, 2_600, "EUR")

    async def buy(self, stage: Stage) -> None:
        """One customer's way through it."""
        try:
            await stage.open(**ASKED, **goods.one_of(self.sku), **self.terms)
        except BaseException:
            await self.meeting.give_up(_OPENED)
            raise
        await self.meeting.reach(_OPENED)
        await self.meeting.all_at(_OPENED)
        await stage.pay()
        state = str((await stage.until(self.sold.state, self.unsold.state))["state"])
        self.ends[stage.order_id] = state
        stage.decided = self.sold if state == self.sold.state else self.unsold

    def claim(self, level: StockLevel | None) -> Claim:
        """As many were sold as there were, whoever they were; the others are promised their money."""
        sold = [order for order, state in self.ends.items() if state == self.sold.state]
        late = [f"{order} {state}" for order, state in self.ends.items() if state == self.unsold.state]
        found = (
            f"{len(sold)} of {self.pieces} sold to {len(self.ends)} customers; too late: {', '.join(late) or 'nobody'}"
        )
        return claim(f"stock of '{self.title}'", found, self._trouble(len(sold), level))

    def _trouble(self, sold: int, level: StockLevel | None) -> list[str]:
        trouble = [] if sold == self.pieces else [f"{sold} were sold of {self.pieces}"]
        if level is None or (level.available, level.reserved) != (0, sold):
            trouble.append(f"the stock's own word is {level}")
        return trouble


def rushes(run: str) -> tuple[Rush, ...]:
    """Two kinds of goods that nobody else of this run buys: one is paid at once, the other held first."""
    return (
        Rush("two in stock, three pay at once", f"print-{run}", 2, {}, COMPLETED, REFUNDED),
        Rush("one in stock, three hold it", f"vase-{run}", 1, {"capture": "on_confirm"}, CAPTURED, VOIDED),
    )
