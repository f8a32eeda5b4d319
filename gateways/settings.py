"""What the settings of every gateway have in common."""

import os

from config.environment import FromEnvironment


class GatewaySettings(FromEnvironment):
    """The account of one gateway; its variables begin with the gateway's name."""

    @classmethod
    def mentioned(cls) -> bool:
        """Whether any of these variables is set: then all that are needed must be."""
        names = {str(field.validation_alias or name).upper() for name, field in cls.model_fields.items()}
        return any(value.strip() and name.upper() in names for name, value in os.environ.items())
