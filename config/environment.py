"""Reading settings from the environment, with complaints a person can act on."""

from typing import Self

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict


class SettingsError(Exception):
    """The environment is not fit to start with; the message names each variable and what would be right."""


class FromEnvironment(BaseSettings):
    """Settings of which each field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True)

    @classmethod
    def read(cls) -> Self:
        """The settings of this process. Raises SettingsError."""
        try:
            return cls()
        except ValidationError as error:
            lines = [f"  {_complaint(e)}" for e in error.errors(include_url=False, include_input=False)]
            raise SettingsError("the environment is not fit to start with:\n" + "\n".join(lines)) from None


def _complaint(error: ErrorDetails) -> str:
    """One line a person can act on. A rule over several variables names them in its own text."""
    variable = ".".join(map(str, error["loc"])).upper()
    text = error["msg"].removeprefix("Value error, ")
    return f"{variable}: {text}" if variable else text


def comma_separated(value: object) -> object:
    """A text's parts between the commas, without the empty ones; what is no text stays as it is."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
