"""Every variable that API and worker read, as the settings classes have them."""

from collections.abc import Iterator

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from config import settings
from config.environment import FromEnvironment
from gateways.registry import REGISTRY


def variables() -> dict[str, FieldInfo]:
    """The fields of the common settings and of every registered gateway's, by the name of the variable."""
    return {
        str(field.validation_alias or name).upper(): field
        for kind in _kinds()
        for name, field in kind.model_fields.items()
    }


def gateway_secrets() -> set[str]:
    """Those of the gateways that must never be seen."""
    ours = {name for entry in REGISTRY.values() for name in _names(entry.settings)}
    return {name for name, field in variables().items() if name in ours and SecretStr.__name__ in str(field.annotation)}


def _names(kind: type[FromEnvironment]) -> Iterator[str]:
    yield from (str(field.validation_alias or name).upper() for name, field in kind.model_fields.items())


def _kinds() -> Iterator[type[FromEnvironment]]:
    for kind in vars(settings).values():
        if isinstance(kind, type) and issubclass(kind, FromEnvironment) and kind is not FromEnvironment:
            yield kind
    for entry in REGISTRY.values():
        yield entry.settings
