"""A story with its promise, at each gateway where it has a meaning."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from devstack.demo.customers import MANNERS
from devstack.demo.promise import Promise
from devstack.demo.stage import Stage
from devstack.gateways import GATEWAYS

Play = Callable[[Stage], Awaitable[None]]

NAMES: tuple[str, ...] = tuple(gateway.name for gateway in GATEWAYS)
"""The gateways that stories are told at, in the order of the table's columns."""


@dataclass(frozen=True)
class Scenario:
    """What is done to a checkout, and how it must end all the same.

    `absent`: the gateways where it has no meaning, each with the reason. `instead`: other promises, at the gateways
    where the same story must end in another way. `alone`: the gateways where it is told before all others, because its
    fault cannot be kept to one order there. `across`: it belongs to no gateway, so it is told once. `after`: it goes on
    after the sale. `patient`: it waits so long that it begins before everything else.
    """

    title: str
    promise: Promise
    play: Play
    amount_minor: int = 4200
    currency: str = "USD"
    absent: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, Promise] = field(default_factory=dict)
    alone: tuple[str, ...] = ()
    across: bool = False
    after: bool = False
    patient: bool = False

    @property
    def gateways(self) -> tuple[str | None, ...]:
        """Where it is told; None stands for a choice that is left to the rules."""
        return (None,) if self.across else tuple(name for name in NAMES if name not in self.absent)

    def promise_at(self, gateway: str | None) -> Promise:
        """How it must end there."""
        return self.promise if gateway is None else as_held(self.instead.get(gateway, self.promise), gateway)


def as_held(promise: Promise, gateway: str) -> Promise:
    """The promise as it is kept at this gateway, where all that is taken may have to be held first."""
    return replace(promise, held=True) if promise.taken and MANNERS[gateway].holds_always else promise


def only(gateway: str, why: str) -> Mapping[str, str]:
    """What is `absent` from a scenario that one gateway alone can have."""
    return {name: why for name in NAMES if name != gateway}


@dataclass
class Told:
    """One telling of a scenario; `trouble` names what did not go as promised on the way."""

    scenario: Scenario
    stage: Stage
    promise: Promise
    trouble: list[str] = field(default_factory=list)
