"""The command line: ports that are taken, settings that do not fit."""

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

from tests.sandbox.support import PATIENCE, ROOT, eventually


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sandbox", *arguments]


async def test_taken_port_moves_aside(tmp_path: Path) -> None:
    """When the port is taken the next free one is used, and announced with the process id."""
    announce = tmp_path / "announce.json"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = ["--port", str(port), "--data", str(tmp_path / "data"), "--announce", str(announce)]
        process = subprocess.Popen(_command(*arguments), cwd=ROOT, stdout=subprocess.DEVNULL)  # noqa: ASYNC220
        try:
            await eventually(announce.exists)
            said = json.loads(announce.read_text())
            assert said["pid"] == process.pid
            assert port < int(said["url"].rpartition(":")[2]) < port + 20
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, PATIENCE)


async def test_webhook_without_a_secret_is_refused(tmp_path: Path) -> None:
    """An endpoint that could not be signed for stops the start, saying what is missing."""
    arguments = ["--port", "0", "--data", str(tmp_path), "--stripe-webhook-url", "http://127.0.0.1:9/"]
    ended = await asyncio.to_thread(
        subprocess.run, _command(*arguments), cwd=ROOT, capture_output=True, timeout=PATIENCE
    )
    assert ended.returncode == 2
    assert b"SANDBOX_STRIPE_WEBHOOK_SECRET" in ended.stderr
