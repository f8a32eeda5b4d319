"""The file with the routing rules: read strictly, told what is wrong with it, and read again when it changes."""

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.environment import SettingsError
from config.routes import LARGEST_FILE, InForce, Routes, read_rules
from config.settings import RoutingSettings
from devstack.layout import ROOT
from domain.routing import Conditions, Rule, RuleBook
from gateways.registry import REGISTRY

KNOWN = ("alpha", "beta", "gamma")
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_everything_a_file_can_say() -> None:
    """All fields, in the shapes the rules work with."""
    text = """
        max_gateways = 3
        default = ["beta", "alpha"]
        [[rules]]
        name = "large"
        currencies = ["EUR"]
        amount_from = 10000
        amount_to = 20000
        countries = ["DE", "AT"]
        methods = ["card"]
        metadata = { channel = "app", "a b" = "c" }
        gateways = ["gamma", "alpha"]
        [[rules]]
        weights = { beta = 3, alpha = 1 }
    """
    when = Conditions(("EUR",), 10_000, 20_000, ("DE", "AT"), ("card",), {"channel": "app", "a b": "c"})
    assert read_rules(text, "r.toml", KNOWN) == RuleBook(
        (Rule(1, when, ("gamma", "alpha"), (), "large"), Rule(2, Conditions(), ("beta", "alpha"), (3, 1))),
        ("beta", "alpha"),
        3,
    )


def test_an_empty_file_is_the_default_order() -> None:
    """Every gateway that is on, as configured, two for one checkout."""
    assert read_rules("", "r.toml", KNOWN) == RuleBook((), KNOWN, 2)


def test_the_example_is_valid() -> None:
    """The file that people copy can be read as it is, and shows every kind of condition."""
    path = ROOT / "deploy/routes.example.toml"
    book = read_rules(path.read_text(), str(path), [*REGISTRY])
    assert {type(rule.number) for rule in book.rules} == {int}
    conditions = [rule.when for rule in book.rules]
    for name in ("currencies", "amount_from", "countries", "methods", "metadata"):
        assert any(getattr(when, name) for when in conditions), name
    assert any(rule.weights for rule in book.rules)


RULE = '[[rules]]\ngateways = ["alpha"]\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            '[[rules]]\ngateways = ["omega"]',
            "rule 1, gateways: 'omega' is no gateway that is on; there are alpha, beta",
        ),
        ("[[rules]]\nweights = { omega = 1 }", "rule 1, weights: 'omega' is no gateway that is on"),
        ('default = ["omega"]', "default: 'omega' is no gateway that is on"),
        ('default = ["alpha", "alpha"]', "default: names a gateway twice"),
        ("default = []", "default: List should have at least 1 item"),
        ("[[rules]]\ngateways = []", "rule 1, gateways: List should have at least 1 item"),
        ("[[rules]]\nweights = {}", "rule 1, weights: Dictionary should have at least 1 item"),
        ('[[rules]]\ngateways = ["alpha", "alpha"]', "rule 1, gateways: names a gateway twice"),
        ("[[rules]]", "rule 1, gateways: give either gateways (tried in this order) or weights"),
        (RULE + "weights = { alpha = 1 }", "rule 1, gateways: give either gateways"),
        ("[[rules]]\nweights = { alpha = 0 }", "rule 1, weights.alpha: Input should be greater than or equal to 1"),
        ("[[rules]]\nweights = { alpha = 0.5 }", "rule 1, weights.alpha: Input should be a valid integer"),
        (RULE + "amount_from = 1", "rule 1, amount_from: needs exactly one currency in currencies"),
        (RULE + 'currencies = ["EUR", "USD"]\namount_to = 1', "rule 1, amount_to: needs exactly one currency"),
        (RULE + 'currencies = ["EUR"]\namount_from = 2\namount_to = 1', "amount_to: must be at least amount_from"),
        (RULE + 'currencies = ["EUR"]\namount_from = 1.0', "rule 1, amount_from: Input should be a valid integer"),
        (RULE + 'currencies = ["EUR"]\namount_from = true', "rule 1, amount_from: Input should be a valid integer"),
        (RULE + 'currencies = ["EUR"]\namount_from = -1', "rule 1, amount_from: Input should be greater than or equal"),
        (RULE + 'currencies = ["eur"]', "rule 1, currencies.0: 'eur' is no ISO 4217 currency code, in capitals"),
        (RULE + 'countries = ["DE", "UK"]', "rule 1, countries.1: 'UK' is no ISO 3166 two-letter country code"),
        (RULE + 'methods = ["Card"]', "rule 1, methods.0: String should match pattern"),
        (RULE + 'metadata = { a = "\\u0007" }', "rule 1, metadata.a: must hold printable characters only"),
        (RULE + "metadata = { a = 1 }", "rule 1, metadata.a: Input should be a valid string"),
        (RULE + 'country = ["DE"]', "rule 1, country: is not known here"),
        (RULE + RULE + 'currency = "EUR"', "rule 2, currency: is not known here"),
        (RULE + 'name = "x"\n' + RULE + RULE + 'name = "x"', "rule 3, name: is that of rule 1 too"),
        ("rules = [1]", "rule 1: Input should be a valid dictionary"),
        ("rules = 1", "rules: Input should be a valid list"),
        ("max_gateways = 0", "max_gateways: Input should be greater than or equal to 1"),
        ("maximum = 1", "maximum: is not known here"),
        ("[[rules]", "is no TOML that can be read: "),
        ("a = " + "[" * 5000, "is no TOML that can be read: "),
        ("max_gateways = " + "9" * 5000, "is no TOML that can be read: "),
    ],
)
def test_what_is_wrong_is_named(text: str, complaint: str) -> None:
    """The file, the rule's number, the field, and what would be right."""
    with pytest.raises(SettingsError) as refused:
        read_rules(text, "r.toml", KNOWN)
    assert complaint in str(refused.value)
    assert all(line.startswith("r.toml: ") for line in str(refused.value).splitlines())


def test_every_fault_is_told_at_once() -> None:
    """One look at the message is enough to mend the file."""
    text = 'default = ["x"]\n' + RULE + "amount_to = 1\n" + '[[rules]]\ngateways = ["y"]\n'
    with pytest.raises(SettingsError) as refused:
        read_rules(text, "r.toml", KNOWN)
    assert [line.split(":")[1] for line in str(refused.value).splitlines()] == [
        " default",
        " rule 1, amount_to",
        " rule 2, gateways",
    ]


class Watched:
    """A file of rules and what is made of it, with a clock of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "routes.toml"
        self.now = START
        self.write("alpha")
        self.routes = Routes(self.path, KNOWN, clock=lambda: self.now)

    def write(self, first: str, text: str | None = None) -> None:
        """Put a new version in place at once, as editors and configuration tools do."""
        new = self.path.with_suffix(".new")
        new.write_text(text if text is not None else f'default = ["{first}"]\n')
        new.replace(self.path)

    @property
    def first(self) -> str:
        """The gateway that is the default now."""
        return self.routes.in_force().book.default[0]


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    """Rules that say alpha."""
    return Watched(tmp_path)


def test_a_new_version_is_taken_over_at_the_next_decision(watched: Watched) -> None:
    """Since when it is in force is the moment of that decision."""
    assert watched.routes.in_force().since == START
    watched.write("gamma")
    watched.now += timedelta(minutes=5)
    assert watched.first == "gamma"
    assert watched.routes.in_force().since == watched.now


def test_a_version_of_the_same_size_and_date_is_seen(watched: Watched) -> None:
    """A file put back with its old date, as from an archive, is another file."""
    dates = watched.path.stat()
    watched.write("gamma")
    os.utime(watched.path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert watched.path.stat().st_size == dates.st_size
    assert watched.first == "gamma"


@pytest.mark.parametrize("backdated", [False, True])
def test_a_file_changed_in_place_is_seen(watched: Watched, backdated: bool) -> None:
    """Not every editor puts a new file in the old one's place; the date of a copy may be that of its original."""
    dates = watched.path.stat()
    watched.path.write_text('default = ["gamma"]\n')
    if backdated:
        os.utime(watched.path, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert watched.first == "gamma"


def test_a_range_may_be_one_amount() -> None:
    """Both ends belong to it."""
    book = read_rules(RULE + 'currencies = ["EUR"]\namount_from = 5\namount_to = 5', "r.toml", KNOWN)
    assert (book.rules[0].when.amount_from, book.rules[0].when.amount_to) == (5, 5)


def test_nothing_is_read_while_nothing_changes(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A decision costs one look at the file's dates."""
    opened: list[Path] = []
    original = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *args, **more: opened.append(path) or original(path, *args, **more))
    for _ in range(10):
        watched.routes.in_force()
    assert opened == []
    watched.write("gamma")
    for _ in range(10):
        watched.routes.in_force()
    assert opened.count(watched.path) == 1


@pytest.mark.parametrize("broken", ["[[rules]", 'default = ["omega"]', "x" * (LARGEST_FILE + 1), None])
def test_a_broken_version_keeps_the_old_rules(
    watched: Watched, broken: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """The old rules stay in force, the error is logged once and kept to be shown, until the file is right again."""
    if broken is None:
        watched.path.unlink()
    else:
        watched.write("", broken)
    watched.now += timedelta(minutes=5)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            assert watched.first == "alpha"
    now = watched.routes.in_force()
    assert (now.since, now.source) == (START, str(watched.path))
    assert now.error is not None
    assert str(watched.path) in now.error
    assert len(caplog.records) == 1
    watched.write("gamma")
    assert watched.first == "gamma"
    assert watched.routes.in_force().error is None


def test_the_same_rules_again_are_in_force_since_before(watched: Watched) -> None:
    """A file that is mended back to what it was, or only touched, changes nothing but the error."""
    watched.write("", "broken")
    assert watched.routes.in_force().error is not None
    watched.write("alpha")
    watched.now += timedelta(minutes=5)
    assert watched.routes.in_force() == InForce(RuleBook((), ("alpha",)), START, str(watched.path))


@pytest.mark.parametrize("content", [None, b"[[rules]", b"\xff\xfe", b'default = ["omega"]'])
def test_nothing_starts_on_a_wrong_file(tmp_path: Path, content: bytes | None) -> None:
    """A file that is not there, is no TOML, is no text, or names what there is not, is told with its path."""
    path = tmp_path / "routes.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"routes\.toml: "):
        Routes(path, KNOWN)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    """A mount that went wrong makes a folder of it."""
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        Routes(tmp_path, KNOWN)


def test_without_a_file_all_gateways_are_there_in_order() -> None:
    """Nothing is said of a file then."""
    assert Routes(None, KNOWN, clock=lambda: START).in_force() == InForce(RuleBook((), KNOWN), START)


def test_the_setting_names_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """`ROUTES_FILE`, and nothing when it is empty."""
    monkeypatch.setenv("ROUTES_FILE", "/etc/routes.toml")
    assert RoutingSettings.read().routes_file == Path("/etc/routes.toml")
    monkeypatch.setenv("ROUTES_FILE", "")
    assert RoutingSettings.read().routes_file is None
