"""What every gateway's refusals share."""

from abc import ABC, abstractmethod

from sandbox.answers import Answer


class RefusalError(Exception, ABC):
    """A gateway says no. `kept` tells whether an idempotency key stores the answer."""

    kept: bool = False

    @abstractmethod
    def answer(self) -> Answer:
        """The refusal as it is sent."""
