"""The routing rules as a TOML file: `ROUTES_FILE`. Read strictly at the start, and again whenever the file changes.

A new version that is broken is not taken over: the old rules stay in force, the error is logged once and can be seen.
"""

import logging
import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from config.environment import SettingsError
from domain.country import COUNTRIES
from domain.currency import EXPONENTS
from domain.money import LARGEST_MINOR
from domain.routing import Conditions, Rule, RuleBook

LARGEST_FILE = 262_144
_log = logging.getLogger(__name__)


def _listed(value: str, known: Mapping[str, object] | frozenset[str], what: str) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is no {what}, in capitals")
    return value


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must hold printable characters only")
    return value


_Currency = Annotated[str, AfterValidator(lambda value: _listed(value, EXPONENTS, "ISO 4217 currency code"))]
_Country = Annotated[str, AfterValidator(lambda value: _listed(value, COUNTRIES, "ISO 3166 two-letter country code"))]
_Word = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")]
_Text = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_printable)]
_Amount = Annotated[int, Field(ge=0, le=LARGEST_MINOR)]
_Weight = Annotated[int, Field(ge=1, le=1_000_000)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Rule(_Strict):
    name: Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_printable)] | None = None
    currencies: Annotated[list[_Currency], Field(min_length=1)] | None = None
    amount_from: _Amount | None = None
    amount_to: _Amount | None = None
    countries: Annotated[list[_Country], Field(min_length=1)] | None = None
    methods: Annotated[list[_Word], Field(min_length=1)] | None = None
    metadata: Annotated[dict[_Text, _Text], Field(min_length=1, max_length=20)] | None = None
    gateways: Annotated[list[_Word], Field(min_length=1)] | None = None
    weights: Annotated[dict[_Word, _Weight], Field(min_length=1)] | None = None


class _File(_Strict):
    max_gateways: Annotated[int, Field(ge=1, le=10)] = 2
    default: Annotated[list[_Word], Field(min_length=1)] | None = None
    rules: Annotated[list[_Rule], Field(max_length=1000)] = []


def read_rules(text: str, source: str, known: Sequence[str]) -> RuleBook:
    """The rules in this text; `known` are the gateways that are on, in order. Raises SettingsError naming every fault.

    A fault is told with the file (`source`), the rule's number from 1, the field, and what would be right.
    """
    try:
        file = _File.model_validate(tomllib.loads(text))
    except ValidationError as error:
        complaints = [_complaint(fault) for fault in error.errors(include_url=False, include_input=False)]
        raise SettingsError("\n".join(f"{source}: {complaint}" for complaint in complaints)) from None
    except (ValueError, RecursionError) as error:
        # Besides bad syntax: numbers of thousands of digits, and nesting that nobody writes by hand.
        raise SettingsError(f"{source}: is no TOML that can be read: {error}") from None
    if complaints := [*_faults(file, known)]:
        raise SettingsError("\n".join(f"{source}: {complaint}" for complaint in complaints))
    rules = tuple(_rule(number, rule) for number, rule in enumerate(file.rules, start=1))
    return RuleBook(rules, tuple(file.default or known), file.max_gateways)


def _complaint(fault: ErrorDetails) -> str:
    """pydantic's finding by the rule's number as people count."""
    location = [part for part in fault["loc"] if part != "[key]"]
    text = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        text = "is not known here"
    if location[:1] == ["rules"] and len(location) > 1:
        _, index, *rest = location
        where = [f"rule {int(index) + 1}", *([".".join(map(str, rest))] if rest else [])]
        return f"{', '.join(where)}: {text}"
    return f"{'.'.join(map(str, location))}: {text}"


def _faults(file: _File, known: Sequence[str]) -> Iterator[str]:
    """What no field tells alone."""
    yield from (f"default: {fault}" for fault in _list_faults(file.default or (), known))
    named: dict[str, int] = {}
    for number, rule in enumerate(file.rules, start=1):
        yield from (f"rule {number}, {fault}" for fault in _rule_faults(rule, known))
        if rule.name is not None and named.setdefault(rule.name, number) != number:
            yield f"rule {number}, name: is that of rule {named[rule.name]} too; each needs its own"


def _rule_faults(rule: _Rule, known: Sequence[str]) -> Iterator[str]:
    if (rule.gateways is None) == (rule.weights is None):
        yield "gateways: give either gateways (tried in this order) or weights (drawn by them), and not both"
    yield from (f"gateways: {fault}" for fault in _list_faults(rule.gateways or (), known))
    yield from (f"weights: {fault}" for fault in _list_faults(tuple(rule.weights or ()), known))
    for name in ("amount_from", "amount_to"):
        if getattr(rule, name) is not None and len(set(rule.currencies or ())) != 1:
            yield f"{name}: needs exactly one currency in currencies, since minor units differ between currencies"
    if rule.amount_from is not None and rule.amount_to is not None and rule.amount_from > rule.amount_to:
        yield f"amount_to: must be at least amount_from, which is {rule.amount_from}"


def _list_faults(names: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    for name in sorted(set(names) - set(known)):
        yield f"{name!r} is no gateway that is on; there are {', '.join(known)}"
    if len(set(names)) != len(names):
        yield "names a gateway twice"


def _rule(number: int, rule: _Rule) -> Rule:
    when = Conditions(
        currencies=tuple(rule.currencies or ()),
        amount_from=rule.amount_from,
        amount_to=rule.amount_to,
        countries=tuple(rule.countries or ()),
        methods=tuple(rule.methods or ()),
        metadata=dict(rule.metadata or {}),
    )
    weights = rule.weights or {}
    return Rule(number, when, tuple(rule.gateways or weights), tuple(weights.values()), rule.name)


@dataclass(frozen=True)
class InForce:
    """The rules by which is decided now: since when, from which file, and what is wrong with a newer version of it."""

    book: RuleBook
    since: datetime
    source: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class _Version:
    """`changed_ns` moves with the rights too: a file that becomes readable is read."""

    modified_ns: int
    changed_ns: int
    size: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "_Version":
        return cls(status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Routes:
    """The rules of a file, or without one every gateway in the order in which they are configured."""

    def __init__(self, path: Path | None, known: Sequence[str], clock: Callable[[], datetime] = _utc_now) -> None:
        """Raises SettingsError when the file cannot be read or is wrong: nothing starts on rules it cannot keep."""
        self._path, self._known, self._clock = path, tuple(known), clock
        self._version: _Version | None = None
        if path is None:
            self._now = InForce(RuleBook((), self._known), clock())
        else:
            book, self._version = self._read(path)
            self._now = InForce(book, clock(), str(path))

    def in_force(self) -> InForce:
        """The rules now. One look at the file's dates tells whether it is to be read again."""
        if self._path is None:
            return self._now
        version = _version_of(self._path)
        if version != self._version:
            self._take_over(self._path, version)
        return self._now

    def _take_over(self, path: Path, version: _Version | None) -> None:
        self._version = version
        try:
            book, self._version = self._read(path)
        except SettingsError as error:
            _log.error("the rules of %s stay in force, since the file has become wrong: %s", self._now.since, error)
            self._now = InForce(self._now.book, self._now.since, str(path), str(error))
            return
        if book == self._now.book:
            self._now = InForce(book, self._now.since, str(path))
            return
        _log.warning("the new rules of %s are in force", path)
        self._now = InForce(book, self._clock(), str(path))

    def _read(self, path: Path) -> tuple[RuleBook, _Version]:
        """The rules, with the version of exactly the file that was read."""
        try:
            with path.open("rb") as file:
                version = _Version.of(os.fstat(file.fileno()))
                content = file.read(LARGEST_FILE + 1)
            if len(content) > LARGEST_FILE:
                raise SettingsError(f"{path}: is larger than {LARGEST_FILE} bytes")
            return read_rules(content.decode(), str(path), self._known), version
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise SettingsError(f"{path}: is not UTF-8") from None


def _version_of(path: Path) -> _Version | None:
    try:
        return _Version.of(path.stat())
    except OSError:
        return None
