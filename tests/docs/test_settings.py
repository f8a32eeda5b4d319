"""docs/settings.md and the settings that the code reads are the same."""

import re
from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from devstack.layout import ROOT
from tests.config.variables import variables

_ROW = re.compile(r"^\| `([A-Z_]+)` \| ([^|]*?) \| ([^|]*?) \|", re.MULTILINE)
PRODUCT, FURTHER = (ROOT / "docs/settings.md").read_text().split("## Further settings")


def _shown(default: object) -> str:
    match default:
        case _ if default is PydanticUndefined:
            return "required"
        case None | ():
            return "none"
        case SecretStr():
            return f"`{default.get_secret_value()}`"
        case tuple():
            return f"`{','.join(default)}`"
        case bool():
            return f"`{str(default).lower()}`"
        case _:
            return f"`{default}`"


def _files_of_readers() -> list[Path]:
    code = [path for folder in ("devstack", "sandbox", "tests") for path in (ROOT / folder).rglob("*.py")]
    return [*(path for path in code if path != Path(__file__)), ROOT / "docker-compose.yml"]


def test_every_variable_is_described_with_its_default() -> None:
    """The tables have exactly the variables that the settings classes read, each with the default it has there."""
    described = {name: default for name, _, default in _ROW.findall(PRODUCT)}
    assert described == {name: _shown(field.default) for name, field in variables().items()}


def test_every_bound_is_described() -> None:
    """What a number may be is said as the code has it."""
    bounded = {
        name: [bound for rule in field.metadata for bound in (getattr(rule, "ge", None), getattr(rule, "le", None))]
        for name, field in variables().items()
        if field.metadata and field.annotation in (float, int)
    }
    assert bounded
    for name, bounds in bounded.items():
        lowest, highest = (bound for bound in bounds if bound is not None)
        row = next(line for line in PRODUCT.splitlines() if line.startswith(f"| `{name}`"))
        assert f"outside {lowest} to {highest}." in row


def test_every_further_variable_is_read_somewhere() -> None:
    """What the second table names is read by the development stack, the sandbox, the tests or the compose file."""
    texts = [path.read_text() for path in _files_of_readers()]
    names = [name for name, _, _ in _ROW.findall(FURTHER)]
    assert names
    assert [name for name in names if not any(name in text for text in texts)] == []


def test_every_variable_of_the_sandbox_and_the_stack_is_described() -> None:
    """The other way round: what those read from the environment is on the page."""
    reads = re.compile(r"""["'](SANDBOX_[A-Z_]+)["']|environ(?:\.get\(|\[)["']([A-Z][A-Z_]+)["']""")
    text = "\n".join(path.read_text() for folder in ("devstack", "sandbox") for path in (ROOT / folder).rglob("*.py"))
    read = {ours or others for ours, others in reads.findall(text)}
    described = {name for name, _, _ in _ROW.findall(PRODUCT + FURTHER)}
    assert read - {"NO_PROXY", "no_proxy"} <= described
    assert "SANDBOX_PUBLIC_URL" in read
