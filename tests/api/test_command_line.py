"""The commands: `python -m api` and `python -m api.keys`, as processes of their own."""

import asyncio
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from api.keys import main

from .conftest import bearer, order
from .test_webhooks import WEBHOOK_SECRET, event, signed

ROOT = Path(__file__).parents[2]
GOOD = {
    "STRIPE_API_KEY": "sk_test_" + "y" * 24,
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "STRIPE_API_BASE": "http://127.0.0.1:9",
    "TEMPORAL_ADDRESS": "127.0.0.1:9",
}
NEW_KEY = ("create", "--name", "reader", "--scopes", "read", "--json")


async def start(*arguments: str, **environment: str) -> Process:
    """Start a module with nothing of this process's settings."""
    keep = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, cwd=ROOT, env=keep | environment, stdout=PIPE, stderr=PIPE
    )


async def run(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Run a module to its end: exit code, output, errors."""
    process = await start(*arguments, **environment)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def free_port() -> int:
    """A port nobody has right now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def served(database_url: str, **more: str) -> AsyncIterator[tuple[Process, str]]:
    """The API as a process that says it is ready, and its address."""
    port = free_port()
    process = await start("api", "--port", str(port), DATABASE_URL=database_url, **GOOD, **more)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 20)
        assert line == b"api ready\n"
        yield process, f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_it_does_not_start_on_rules_it_cannot_keep(tmp_path: Path) -> None:
    """The file, the rule and the field at fault are named, without a stack trace; the exit code is 2."""
    file = tmp_path / "routes.toml"
    file.write_text('[[rules]]\ngateways = ["nobody"]\n')
    code, _, errors = await run("api", DATABASE_URL="postgresql://x@127.0.0.1:9/x", ROUTES_FILE=str(file), **GOOD)
    assert code == 2
    assert f"{file}: rule 1, gateways: 'nobody' is no gateway that is on; there are stripe" in errors
    assert "Traceback" not in errors


async def test_the_rules_of_the_setting_are_in_force(database_url: str, tmp_path: Path) -> None:
    """The file that ROUTES_FILE names decides, and a new version of it does so without a restart."""
    file = tmp_path / "routes.toml"
    file.write_text("max_gateways = 3")
    secret = json.loads((await run("api.keys", *NEW_KEY, DATABASE_URL=database_url))[1])["secret"]
    async with served(database_url, ROUTES_FILE=str(file)) as (_, url), httpx.AsyncClient(base_url=url) as client:
        for most in (3, 4):
            file.write_text(f"max_gateways = {most}")
            told = (await client.get("/v1/routes", headers=bearer(secret))).json()
            assert (told["file"], told["max_gateways"], told["default"]) == (str(file), most, ["stripe"])


async def test_without_settings_it_does_not_start() -> None:
    """Every missing setting is named, without a stack trace; the exit code is 2."""
    code, _, errors = await run("api", DATABASE_URL="mysql://x")
    assert code == 2
    assert "DATABASE_URL" in errors
    assert "Traceback" not in errors


async def test_it_runs_without_temporal_and_ends_when_told(database_url: str) -> None:
    """With Temporal down it starts, says so, records checkouts and webhooks, and SIGTERM ends it cleanly."""
    code, out, _ = await run(
        "api.keys", "create", "--name", "shop", "--scopes", "read,write", "--json", DATABASE_URL=database_url
    )
    assert code == 0
    async with served(database_url) as (process, url), httpx.AsyncClient(base_url=url, timeout=30) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["down"]) == (503, ["temporal"])
        assert (await client.get("/healthz")).status_code == 200
        created = await client.post("/v1/checkouts", json=order(), headers=bearer(json.loads(out)["secret"]))
        assert (created.status_code, created.json()["state"]) == (202, "processing")
        body = json.dumps(event()).encode()
        assert (await client.post("/webhooks/stripe", content=body, headers=signed(body))).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 12) in (0, -signal.SIGTERM)
        assert process.stderr is not None
        assert b"Traceback" not in await process.stderr.read()


async def test_a_database_without_the_migrations_is_told(server_url: str) -> None:
    """The database answers, so the migrations are what is missing."""
    async with served(server_url) as (_, url), httpx.AsyncClient(base_url=url, timeout=30) as client:
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["down"]) == (503, ["migrations", "temporal"])


async def keys(monkeypatch: pytest.MonkeyPatch, database_url: str, *arguments: str) -> int:
    """What `python -m api.keys` ends with, in this process, since starting one takes a second each."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    try:
        return await asyncio.to_thread(main, arguments)
    except SystemExit as end:
        return int(end.code or 0)


async def test_a_key_is_shown_once_and_can_be_revoked(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The secret appears at the creation only; revoking works once."""
    assert await keys(monkeypatch, database_url, "create", "--name", "shop", "--scopes", "read") == 0
    words = capsys.readouterr().out.split()
    key_id, secret = words[0], next(word for word in words if word.startswith("psk_"))
    assert await keys(monkeypatch, database_url, "list") == 0
    shown = capsys.readouterr().out
    assert (key_id in shown, secret in shown) == (True, False)
    assert await keys(monkeypatch, database_url, "revoke", key_id) == 0
    assert await keys(monkeypatch, database_url, "revoke", key_id) == 1
    capsys.readouterr()
    assert await keys(monkeypatch, database_url, "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert next(key for key in listed if key["id"] == key_id)["revoked_at"] is not None


@pytest.mark.parametrize(
    ("arguments", "url", "expected"),
    [
        (("create", "--name", "x", "--scopes", "everything"), None, 2),
        (("create", "--name", " ", "--scopes", "read"), None, 2),
        (("list",), "mysql://x", 2),
        (("list",), "postgresql://nobody@127.0.0.1:9/nothing", 1),
    ],
)
async def test_wrong_arguments_make_no_key(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    url: str | None,
    expected: int,
) -> None:
    """Unknown scopes, empty names, and a wrong or missing database are told by exit code and in words."""
    assert await keys(monkeypatch, url or database_url, *arguments) == expected
    assert capsys.readouterr().err
