"""A gateway is a detail: its name stands in its folder and in the registry, and nowhere else in the product."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from gateways.registry import REGISTRY

ROOT = Path(__file__).parents[1]
PRODUCT = ("activities", "api", "config", "domain", "ledger", "workflows")
REGISTRY_FILE = ROOT / "gateways" / "registry.py"
DEVSTACK_FILE = ROOT / "devstack" / "gateways.py"
"""Where the development stack wires the sandbox's gateways. Demo and bench play at single gateways and judge them."""
COMMON_FILES = frozenset(
    f"{part}.py"
    for part in (
        *("__init__", "adapter", "capabilities", "client", "currencies", "declines", "disputes", "errors"),
        *("options", "reader", "scrub", "settings", "translate", "webhooks"),
    )
)
"""What every gateway's folder has; add-a-gateway tells what belongs in each."""
OWN_FILES = {
    "stripe": {"fields.py"},
    "paypal": {
        *("answers.py", "certificates.py", "evidence.py", "fields.py", "flights.py"),
        *("pieces.py", "refunds.py", "requests.py", "tokens.py"),
    },
    "adyen": {"defence.py", "document.py", "history.py"},
}
"""What a gateway has besides: fields read exactly; shared tokens, certificates, an order's parts; a history."""
# As a word, or as the beginning of a class's name; not within another word, which a short name may be part of.
_NAMES = re.compile(rf"(?<![A-Za-z])(?i:{'|'.join(map(re.escape, REGISTRY))})(?![a-z])")


def product_files() -> Iterator[Path]:
    """Every file that may not know a gateway by its name."""
    for folder in PRODUCT:
        yield from (path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    yield from (path for path in (ROOT / "gateways").glob("*.py") if path != REGISTRY_FILE)
    yield ROOT / "worker.py"


def devstack_files() -> Iterator[Path]:
    """The development stack's files, which do as well with any gateway."""
    yield from (path for path in (ROOT / "devstack").glob("*.py") if path != DEVSTACK_FILE)


def named(files: Iterable[Path]) -> list[str]:
    """Each line that names a gateway, and each file whose own name does."""
    found = []
    for path in files:
        place = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        found += [f"{place}: the file's name"] * bool(_NAMES.search(path.name))
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [f"{place}:{number}: {line.strip()}" for number, line in enumerate(lines, 1) if _NAMES.search(line)]
    return found


def test_the_product_names_no_gateway() -> None:
    """Neither code nor comments nor examples of the product say a gateway's name: it decides by capabilities."""
    files = list(product_files())
    assert len(files) > 60
    assert named(files) == []


@pytest.mark.parametrize("name", REGISTRY)
@pytest.mark.parametrize(
    "text", ['if gateway == "{}":', "# As {} does it.", "{}_KEY = 1", "from gateways.{} import x", "x = {}Gateway()"]
)
def test_a_name_is_found(tmp_path: Path, name: str, text: str) -> None:
    """The search finds what it is for: a branch, a comment, a variable, an import, a file, in any spelling of case."""
    planted = tmp_path / "planted.py"
    for spelt in (name, name.capitalize(), name.upper()):
        planted.write_text("x = 1\n" + text.format(spelt) + "\n")
        assert len(named([planted])) == 1
    planted.write_text("x = 1\n")
    assert named([planted]) == []
    by_file = tmp_path / f"{name}.py"
    by_file.write_text("x = 1\n")
    assert named([by_file]) == [f"{by_file}: the file's name"]


def test_the_stack_names_gateways_in_one_place() -> None:
    """The development stack knows its gateways where it wires the sandbox, and nowhere else."""
    assert named(devstack_files()) == []
    assert named([DEVSTACK_FILE])


def test_every_folder_has_the_same_files() -> None:
    """Who knows one gateway finds their way in all: the same files in every folder, and no folder unregistered."""
    folders = {path.name: path for path in (ROOT / "gateways").iterdir() if (path / "__init__.py").exists()}
    assert set(folders) == set(REGISTRY)
    files = {name: {path.name for path in folder.glob("*.py")} for name, folder in folders.items()}
    assert {name: sorted(COMMON_FILES - held) for name, held in files.items()} == {name: [] for name in files}
    besides = {name: held - COMMON_FILES for name, held in files.items()}
    assert {name: own for name, own in besides.items() if own} == OWN_FILES
