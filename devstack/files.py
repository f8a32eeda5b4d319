"""Files of the data folder: private to their owner, and never half written."""

import os
from pathlib import Path

_TAIL_BYTES = 64 * 1024


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step; only its owner may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    unfinished.replace(path)


def tail(path: Path, lines: int = 20, since: int = 0) -> str:
    """The last lines of a log from byte `since` on, empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(since, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
