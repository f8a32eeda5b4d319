"""What the documents name exists: links, files, commands, tests, modules, the events of the webhook endpoint."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from devstack.layout import ROOT
from gateways.paypal.webhooks import WEBHOOK_EVENTS as PAYPAL_EVENTS
from gateways.stripe.webhooks import WEBHOOK_EVENTS

_OUTSIDE_DOCS = ("README.md", "CHANGELOG.md", "sandbox/README.md")
DOCUMENTS = [*(ROOT / name for name in _OUTSIDE_DOCS), *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text()

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MAKE = re.compile(r"\bmake ([a-z]+)\b(?=[`; ]*(?:ARGS|[`\n;]))")
_MODULE = re.compile(r"python -m ([a-z_.]+)")
_PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)(?:::(\w+))?`")
_ROOT_FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
_INSTALLED = {"json.tool"}


def _name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def _is_ours(path: str) -> bool:
    """Whether the words in backticks mean a file or folder of the repository, and not a currency or a route."""
    first = path.split("/")[0]
    return "/" in path and first in _ROOT_FOLDERS and not first.startswith(".")


def broken_links(document: Path) -> list[str]:
    """The relative links that lead nowhere."""
    links = [link.partition("#")[0] for link in _LINK.findall(document.read_text()) if "://" not in link]
    return [link for link in links if link and not (document.parent / link).exists()]


def broken_anchors(document: Path) -> list[str]:
    """The links to a heading that the page they lead to does not have."""
    broken = []
    for link in _LINK.findall(document.read_text()):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        if anchor and "://" not in link and anchor not in _anchors(target):
            broken.append(link)
    return broken


def _anchors(document: Path) -> set[str]:
    """The headings as GitHub makes addresses of them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def missing_paths(text: str) -> list[str]:
    """The files, folders and test functions in backticks that are not there."""
    missing = []
    for path, function in _PATH.findall(text):
        if not _is_ours(path):
            continue
        file = ROOT / path
        if not file.exists() or (function and f"def {function}(" not in file.read_text()):
            missing.append(f"{path}::{function}" if function else path)
    return missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link points at a file of the repository, and at a heading that it has."""
    assert not broken_links(document)
    assert not broken_anchors(document)


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_named_files_and_tests_exist(document: Path) -> None:
    """Every file, folder and test function in backticks is there."""
    assert not missing_paths(document.read_text())


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_commands_exist(document: Path) -> None:
    """Every `make` target is in the Makefile, every `python -m` names a module that can be found."""
    text = document.read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(_MAKE.findall(text)) <= targets
    modules = {name.rstrip(".") for name in _MODULE.findall(text)} - _INSTALLED
    assert not {name for name in modules if find_spec(name) is None}


def test_a_wrong_name_is_found(tmp_path: Path) -> None:
    """The checks can fail: what is not there is named."""
    document = tmp_path / "wrong.md"
    document.write_text("[gone](gone.md#part) [there](wrong.md) [far](https://example.com/x#y)")
    assert broken_links(document) == ["gone.md"]
    document.write_text("# A heading\n[there](#a-heading) [gone](wrong.md#another)")
    assert broken_anchors(document) == ["wrong.md#another"]
    named = "`ledger/gone.py` `ledger/verify.py` `tests/docs/test_documents.py::test_gone` `USD/EUR`"
    assert missing_paths(named) == ["ledger/gone.py", "tests/docs/test_documents.py::test_gone"]


def test_the_commands_are_really_read() -> None:
    """The README's commands are found by the patterns above."""
    assert {"demo", "up", "down", "reset", "test", "check", "bench"} <= set(_MAKE.findall(README))
    assert "api.keys" in _MODULE.findall(README)


def test_the_example_of_arguments_selects_tests() -> None:
    """A newcomer who runs the README's `make test ARGS="…"` sees tests run, and not that none was found."""
    example = re.search(r'make test ARGS="(\S+) -k (\w+)"', README)
    assert example is not None
    folder, word = example.groups()
    files = (ROOT / folder).glob("test_*.py")
    assert any(word in name for file in files for name in re.findall(r"def (test_\w+)", file.read_text()))


def test_the_readme_names_every_webhook_event() -> None:
    """Both the forwarding command and the list for the dashboard name the events that the adapter acts on."""
    forwarding = re.search(r"--events (\S+)", README)
    assert forwarding is not None
    assert forwarding.group(1).split(",") == list(WEBHOOK_EVENTS)
    assert all(f"`{event}`" in README for event in WEBHOOK_EVENTS)


def test_the_readme_names_the_events_that_an_older_webhook_lacks() -> None:
    """Who subscribed to PayPal before there were disputes reads which events to add."""
    added = [event for event in PAYPAL_EVENTS if "DISPUTE" in event]
    assert added
    assert all(f"`{event}`" in README for event in added)


def test_every_package_is_in_the_layout() -> None:
    """The README's table of folders names every folder that holds code."""
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert {name for name in packages if f"| `{name}/` |" not in README} == set()


def test_decisions_are_all_listed() -> None:
    """The index of decisions links every one of them, and each has its three parts."""
    folder = ROOT / "docs/decisions"
    pages = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert set(_LINK.findall((folder / "README.md").read_text())) == {path.name for path in pages}
    for page in pages:
        parts = re.findall(r"^\*\*(\w+)\.\*\*", page.read_text(), re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences"], page.name
