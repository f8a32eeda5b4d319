"""What a control request can get wrong.

ControlError
├── AbsentError: it names something that does not exist
└── ConflictError: it asks for something that the object's state does not allow
"""


class ControlError(Exception):
    """A control request that says something the sandbox cannot do; `field` names what is wrong."""

    status = 400

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class AbsentError(ControlError):
    """A control request about something that does not exist."""

    status = 404

    def __init__(self, field: str) -> None:
        super().__init__(field, "does not exist")


class ConflictError(ControlError):
    """A control request that the object's state does not allow."""

    status = 409
