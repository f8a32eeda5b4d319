"""SQLite as every part of the sandbox opens it."""

import sqlite3
from pathlib import Path


def connect(path: Path) -> sqlite3.Connection:
    """Open one database file in autocommit mode; transactions are opened by hand where several writes belong together.

    Nothing here waits for the disk: what must survive is a restart or a kill of this process, not a power cut.
    """
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=OFF")
    connection.row_factory = sqlite3.Row
    return connection
