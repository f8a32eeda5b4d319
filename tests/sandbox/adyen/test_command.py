"""Adyen's settings on the command line."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.support import PATIENCE, ROOT


@pytest.mark.parametrize(
    ("options", "said"),
    [([], b"SANDBOX_ADYEN_HMAC_KEY"), (["--adyen-hmac-key", "not-hexadecimal"], b"must be hexadecimal")],
)
async def test_webhook_that_could_not_be_signed(tmp_path: Path, options: list[str], said: bytes) -> None:
    """An endpoint without a usable key stops the start, saying what is wrong."""
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--data", str(tmp_path)]
    command += ["--adyen-webhook-url", "http://127.0.0.1:9/", *options]
    ended = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, capture_output=True, timeout=PATIENCE)
    assert ended.returncode == 2
    assert said in ended.stderr
