"""HTTP on the wire. uvicorn waits for ever for the end of a request's head and takes one of any size; this does not."""

from asyncio import TimerHandle, Transport

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.problems import MEDIA_TYPE, Problem

HEAD_SECONDS = 10.0
LARGEST_HEAD = 262_144
# Far above the largest body that is read to its end. The parser gathers one trailer's value before anybody hears of it.
LARGEST_MESSAGE = 4_194_304


class BoundedProtocol(HttpToolsProtocol):
    """A connection whose request line and headers must arrive in ten seconds and fit 256 kB, or it is closed.

    The first request's time runs from the connection itself, so that one that stays silent is closed too.
    """

    _deadline: TimerHandle | None = None
    _head_bytes = 0
    _message_bytes = 0
    _in_head = True

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._head_is_here()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of the head, unless that began with the connection."""
        super().on_message_begin()
        self._message_bytes = 0
        if self._deadline is None:
            self._await_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. Trailers come here too, after the body: nobody reads them, and they could go on for ever."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is here; the body has limits of its own."""
        self._head_is_here()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless the head has become too large."""
        if self.transport.is_closing():
            return
        self._message_bytes += len(data)
        if self._message_bytes > LARGEST_MESSAGE:
            self.transport.close()
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                detail = f"Request line and headers must not be larger than {LARGEST_HEAD} bytes."
                self._refuse("431 Request Header Fields Too Large", Problem(431, "head_too_large", detail))
                return
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP as every other error is answered."""
        self._refuse("400 Bad Request", Problem(400, "malformed_request", msg))

    def _await_head(self) -> None:
        self._in_head, self._head_bytes = True, 0
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._head_is_late)

    def _head_is_here(self) -> None:
        self._in_head = False
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _head_is_late(self) -> None:
        detail = f"The headers were not complete within {HEAD_SECONDS:.0f} seconds."
        self._refuse("408 Request Timeout", Problem(408, "head_too_slow", detail))

    def _refuse(self, status_line: str, problem: Problem) -> None:
        body = problem.body()
        head = (
            f"HTTP/1.1 {status_line}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        if not self.transport.is_closing():
            self.transport.write(head.encode("ascii") + body)
            self.transport.close()
