"""Faults on demand: which one strikes which call, how often, and for how long."""

import random
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.control.body import positive
from sandbox.control.errors import ControlError

WEBHOOK = "webhook"
EVERY_CALL = "*"

BEFORE = frozenset(
    {"timeout_before", "reset_before", "error_500_before", "rate_limit_429", "unavailable_503", "html_502"}
)
AFTER = frozenset({"timeout_after", "reset_after", "error_500_after", "slow_drip"})
TAMPERING = frozenset({"amount_off_by_one", "other_account", "other_currency", "livemode_true"})
EXECUTION = frozenset({"slow", "stored_500"})
CALL_KINDS = BEFORE | AFTER | TAMPERING | EXECUTION
WEBHOOK_KINDS = frozenset({"duplicate", "reorder", "delay", "lose", "forge"})


@dataclass(frozen=True, slots=True)
class Fault:
    """What shall go wrong. `count` strikes at the next N calls, `rate` at that share of all calls.

    `gateway` narrows a fault whose operation several gateways share.
    """

    operation: str
    kind: str
    gateway: str | None = None
    count: int | None = None
    rate: float | None = None
    match: dict[str, str] = field(default_factory=dict)
    event_type: str | None = None
    seconds: float | None = None
    for_seconds: float | None = None
    executed: bool = True


@dataclass(slots=True)
class _Active:
    """A fault that has been set, with what is left of it."""

    id: str
    fault: Fault
    remaining: int | None
    until: float | None
    fired: int = 0

    def alive(self) -> bool:
        """Whether it may still strike."""
        return self.remaining != 0 and (self.until is None or time.monotonic() < self.until)

    def describe(self) -> dict[str, Any]:
        """The fault as the control interface shows it."""
        shown: dict[str, Any] = {name: getattr(self.fault, name) for name in Fault.__slots__}
        return {"id": self.id, **shown, "remaining": self.remaining, "fired": self.fired, "active": self.alive()}


class Faults:
    """All faults set on this sandbox, asked once per call and once per event."""

    def __init__(self) -> None:
        self._operations: dict[str, frozenset[str]] = {}
        self._lying: set[str] = set()
        self._faults: dict[str, _Active] = {}
        self._number = 0

    def know(self, gateway: str, operations: frozenset[str], *, lying_events: bool = False) -> None:
        """Learn a gateway's operations, so that a misspelt one is refused, and whether its events can lie."""
        self._operations[gateway] = operations
        if lying_events:
            self._lying.add(gateway)

    def add(self, body: Any) -> dict[str, Any]:
        """Set a fault from the control interface's JSON."""
        fault = _parse(body, self._operations, self._lying)
        self._number += 1
        until = None if fault.for_seconds is None else time.monotonic() + fault.for_seconds
        active = _Active(f"fault_{self._number}", fault, fault.count, until)
        self._faults[active.id] = active
        return active.describe()

    def listed(self) -> list[dict[str, Any]]:
        """Every fault with how often it struck, spent ones included."""
        return [active.describe() for active in self._faults.values()]

    def remove(self, fault_id: str) -> bool:
        """Take one fault back."""
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Take all faults back."""
        self._faults.clear()

    def watching(self, operation: str, gateway: str) -> bool:
        """Whether any fault could strike this operation, which saves looking up metadata when none could."""
        return any(active.alive() and _covers(active.fault, operation, gateway) for active in self._faults.values())

    def strike(
        self, operation: str, gateway: str, metadata: dict[str, str], event_type: str | None = None
    ) -> Fault | None:
        """The fault that strikes now, if one does; it counts as fired."""
        for active in self._faults.values():
            fault = active.fault
            if not active.alive() or not _covers(fault, operation, gateway):
                continue
            if fault.event_type is not None and fault.event_type != event_type:
                continue
            if any(metadata.get(name) != value for name, value in fault.match.items()):
                continue
            if fault.rate is not None and random.random() >= fault.rate:  # noqa: S311 - chance, not a secret
                continue
            active.fired += 1
            if active.remaining is not None:
                active.remaining -= 1
            return fault
        return None


def _covers(fault: Fault, operation: str, gateway: str) -> bool:
    if fault.gateway not in (None, gateway):
        return False
    return fault.operation == operation or (fault.operation == EVERY_CALL and operation != WEBHOOK)


def _parse(body: Any, known: dict[str, frozenset[str]], lying: set[str]) -> Fault:
    if not isinstance(body, dict):
        raise ControlError("body", "must be a JSON object")
    for name in body:
        if name not in Fault.__slots__:
            raise ControlError(name, f"is not known; known are {', '.join(Fault.__slots__)}")
    operation, kind = body.get("operation"), body.get("kind")
    operations = frozenset({EVERY_CALL, WEBHOOK}).union(*known.values())
    if not isinstance(operation, str) or operation not in operations:
        raise ControlError("operation", f"must be one of {', '.join(sorted(operations))}")
    kinds = _kinds(operation, body.get("gateway"), lying)
    if kind not in kinds:
        raise ControlError("kind", f"must be one of {', '.join(sorted(kinds))}")
    count, rate = _count_and_rate(body)
    return Fault(
        operation=operation,
        kind=kind,
        gateway=_gateway(body, operation, known),
        count=count,
        rate=rate,
        match=_match(body.get("match", {})),
        event_type=_event_type(body, operation),
        seconds=positive(body, "seconds"),
        for_seconds=positive(body, "for_seconds"),
        executed=_executed(body),
    )


def _kinds(operation: str, gateway: Any, lying: set[str]) -> frozenset[str]:
    """What can go wrong there; an event lies only where the fault names a gateway whose events can."""
    if operation != WEBHOOK:
        return CALL_KINDS
    return WEBHOOK_KINDS | TAMPERING if isinstance(gateway, str) and gateway in lying else WEBHOOK_KINDS


def _gateway(body: dict[str, Any], operation: str, known: dict[str, frozenset[str]]) -> str | None:
    gateway = body.get("gateway")
    if gateway is None:
        return None
    if not isinstance(gateway, str) or gateway not in known:
        raise ControlError("gateway", f"must be one of {', '.join(sorted(known))}")
    if operation not in known[gateway] | {EVERY_CALL, WEBHOOK}:
        raise ControlError("gateway", f"has no operation {operation}")
    return gateway


def _count_and_rate(body: dict[str, Any]) -> tuple[int | None, float | None]:
    count, rate = body.get("count"), body.get("rate")
    if count is not None and (isinstance(count, bool) or not isinstance(count, int) or count < 1):
        raise ControlError("count", "must be a whole number from 1")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1):
        raise ControlError("rate", "must be a number above 0 and up to 1")
    if count is None and rate is None:
        count = 1
    return count, rate


def _match(match: Any) -> dict[str, str]:
    if not isinstance(match, dict) or any(not isinstance(value, str) for value in match.values()):
        raise ControlError("match", "must be an object of metadata names and text values")
    return match


def _event_type(body: dict[str, Any], operation: Any) -> str | None:
    event_type = body.get("event_type")
    if event_type is not None and (not isinstance(event_type, str) or operation != WEBHOOK):
        raise ControlError("event_type", "must be an event's type, and only narrows webhook faults")
    return event_type


def _executed(body: dict[str, Any]) -> bool:
    executed = body.get("executed", True)
    if not isinstance(executed, bool) or ("executed" in body and body.get("kind") != "stored_500"):
        raise ControlError("executed", "must be true or false, and only belongs to stored_500")
    return executed
