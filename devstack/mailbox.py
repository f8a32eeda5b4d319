"""A mail server of this machine's own: `python -m devstack.mailbox --port 2525 --folder mails`.

Each mail it takes is a file in the folder, `*.eml`, in the order of their names. It takes everything, unless the file
`behaviour` in the folder, or `--behaviour`, says otherwise:

    slow 5        take it after five seconds
    answer 451    refuse the recipient with this code
    drop          close the connection when the mail comes
"""

import argparse
import asyncio
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from devstack.ports import HOST, any_free, is_free

BEHAVIOUR = "behaviour"
READY = "mailbox ready"
_TAKEN = "250 2.0.0 taken"


class Mailbox:
    """What the server does with each command that matters; the rest is aiosmtpd's."""

    def __init__(self, folder: Path, behaviour: str = "") -> None:
        self._folder, self._usual = folder, behaviour
        self._numbers = count(1)
        folder.mkdir(parents=True, exist_ok=True)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd finds it by this name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the recipient, or refuse as told."""
        match self._told():
            case ["answer", code]:
                return f"{code} as the mailbox was told to say of {address}"
            case _:
                envelope.rcpt_tos.append(address)
                return _TAKEN

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Put the mail into the folder."""
        match self._told():
            case ["slow", seconds]:
                await asyncio.sleep(float(seconds))
            case ["drop"]:
                if server.transport is not None:
                    server.transport.close()
                return _TAKEN
        self._keep(envelope)
        return _TAKEN

    def _told(self) -> list[str]:
        try:
            return (self._folder / BEHAVIOUR).read_text().split()
        except FileNotFoundError:
            return self._usual.split()

    def _keep(self, envelope: Envelope) -> None:
        """Never half written under its name. The first lines say whom the server was told, whatever the headers say."""
        content = envelope.original_content or b""
        told = [f"Return-Path: <{envelope.mail_from}>", *(f"Delivered-To: {one}" for one in envelope.rcpt_tos)]
        name = f"{time.time_ns()}-{os.getpid()}-{next(self._numbers)}"
        unfinished = self._folder / f".{name}"
        unfinished.write_bytes("".join(f"{line}\r\n" for line in told).encode() + content)
        unfinished.replace(self._folder / f"{name}.eml")


@asynccontextmanager
async def listening(mailbox: Mailbox, port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The server on this loopback port, or on any other where it is taken; gives the port. `tls`: offer STARTTLS."""
    port = port if port and is_free(port) else any_free()
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(mailbox, hostname="mailbox", enable_SMTPUTF8=True, tls_context=tls), HOST, port
    )
    try:
        yield port
    finally:
        server.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Take mails until the process is ended."""
    parser = argparse.ArgumentParser(prog="python -m devstack.mailbox", description="Keep mails as files.")
    parser.add_argument("--port", type=int, default=0, help="another is taken where it is not free; 0: any")
    parser.add_argument("--folder", type=Path, required=True, help="where the mails go")
    parser.add_argument("--behaviour", default="", help="slow SECONDS, answer CODE, or drop")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(_run(Mailbox(chosen.folder, chosen.behaviour), chosen.port))
    except KeyboardInterrupt:
        return 130
    return 0


async def _run(mailbox: Mailbox, port: int) -> None:
    async with listening(mailbox, port) as taken:
        print(f"{READY} on {HOST}:{taken}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
