"""Names of strangers' hosts into addresses, on threads of their own."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From a host, a name or an address, and a port to all of its addresses. Raises OSError when there are none."""

_THREADS = 16
_SECONDS = 5.0


class Resolver:
    """The system's resolver.

    A lookup cannot be stopped, and whoever owns a name server decides how long it takes. On the loop's own threads, of
    which there are few, some slow names would keep the process from reaching its database.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="resolver")

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """All addresses of the host."""
        lookup = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
        try:
            async with asyncio.timeout(_SECONDS):
                return await lookup
        except TimeoutError as error:
            raise OSError(f"the name servers did not answer within {_SECONDS:g} s") from error

    def close(self) -> None:
        """Take on no more lookups."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(_absolute(host), port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(address[0]) for *_, address in found]


def _absolute(host: str) -> str:
    """With a dot at its end a name is never tried with the search domains of our own network behind it."""
    last = host.rpartition(".")[2]
    return host if ":" in host or last.isdigit() or last == "localhost" else f"{host}."
