"""The mail server of the development stack: takes everything, and misbehaves when told to."""

import asyncio
import smtplib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from devstack.layout import ROOT
from devstack.mailbox import BEHAVIOUR, READY
from devstack.ports import HOST

MAIL = b"From: a@shop.example\r\nSubject: hello\r\n\r\n.starts with a dot\r\n"


async def started(folder: Path, *arguments: str) -> tuple[asyncio.subprocess.Process, int]:
    """The command, and the port that it says it listens on."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "devstack.mailbox", "--folder", str(folder), *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    said = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()
    assert said.startswith(f"{READY} on {HOST}:")
    return process, int(said.rpartition(":")[2])


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[tuple[Path, int]]:
    """Its folder and its port."""
    process, port = await started(tmp_path / "mails")
    yield tmp_path / "mails", port
    process.terminate()
    await process.wait()


def send(port: int) -> None:
    """One mail to two people, as any mail program would."""
    with smtplib.SMTP(HOST, port, timeout=10) as client:
        client.sendmail("a@shop.example", ["b@c.example", "d@e.example"], MAIL)


async def test_each_mail_is_a_file(box: tuple[Path, int]) -> None:
    """In the order in which they came, with whom the server was told."""
    folder, port = box
    for _ in range(3):
        await asyncio.to_thread(send, port)
    mails = sorted(folder.glob("*.eml"))
    head = b"Return-Path: <a@shop.example>\r\nDelivered-To: b@c.example\r\nDelivered-To: d@e.example\r\n"
    assert [mail.read_bytes() for mail in mails] == [head + MAIL] * 3
    assert mails == sorted(mails, key=lambda mail: mail.stat().st_mtime_ns)


async def test_it_misbehaves_while_it_is_told_to(box: tuple[Path, int]) -> None:
    """Refuses, hangs up, is slow; and is itself again when the file is gone."""
    folder, port = box
    control = folder / BEHAVIOUR
    control.write_text("answer 451")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as caught:
        await asyncio.to_thread(send, port)
    assert {code for code, _ in caught.value.recipients.values()} == {451}
    control.write_text("drop")
    with pytest.raises(smtplib.SMTPServerDisconnected):
        await asyncio.to_thread(send, port)
    control.write_text("slow 0.5")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.to_thread(send, port)
    assert loop.time() - began >= 0.5
    control.unlink()
    await asyncio.to_thread(send, port)
    assert len(list(folder.glob("*.eml"))) == 2


async def test_it_moves_aside_and_keeps_what_it_was_told(box: tuple[Path, int], tmp_path: Path) -> None:
    """A port that is taken is left to who has it; the command line says how it behaves without a file."""
    process, port = await started(tmp_path / "other", "--port", str(box[1]), "--behaviour", "answer 550")
    try:
        assert port != box[1]
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            await asyncio.to_thread(send, port)
        await asyncio.to_thread(send, box[1])
    finally:
        process.terminate()
        await process.wait()
