"""What the brokers have alike: the driver's object while it is connected, and who listens."""

from abc import ABC, abstractmethod
from typing import ClassVar, Generic, TypeVar

from events.broker.contract import BrokerDownError, Channel, Take
from events.broker.listening import Listening

D = TypeVar("D")


class Connection(ABC, Generic[D]):
    """See `Broker`. `D` is the driver's broker, made at the start and let go at the end or when nothing answers."""

    NAME: ClassVar[str]
    """As its makers write it, for errors."""

    def __init__(self) -> None:
        self._listening: list[Listening] = []
        self._broker: D | None = None

    def listen(self, channel: Channel, group: str, take: Take) -> None:
        """See `Broker`."""
        self._listening.append(Listening(channel, group, take))

    async def close(self) -> None:
        """See `Broker`."""
        for listening in self._listening:
            await listening.end()
        await self._give_up()

    @property
    def _running(self) -> D:
        if self._broker is None:
            raise BrokerDownError(f"{self.NAME} has not been reached yet")
        return self._broker

    def _silent(self, error: BaseException) -> BrokerDownError:
        """Without the driver's words: they name the address, which may hold a password."""
        return BrokerDownError(f"{self.NAME} does not answer: {type(error).__name__}")

    def _untaken(self, error: BaseException) -> BrokerDownError:
        return BrokerDownError(f"{self.NAME} has not taken the message: {type(error).__name__}")

    @abstractmethod
    async def _give_up(self) -> None:
        """Disconnect, also where nothing answers."""
