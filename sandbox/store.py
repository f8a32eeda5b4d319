"""A gateway's objects in SQLite: read and written per call, so that memory stays small and a restart loses nothing."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.database import connect

Json = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    payment TEXT,
    label TEXT,
    created REAL NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS objects_kind ON objects (kind, sequence);
CREATE INDEX IF NOT EXISTS objects_payment ON objects (payment, kind, sequence);
CREATE INDEX IF NOT EXISTS objects_label ON objects (kind, label, sequence);
CREATE INDEX IF NOT EXISTS objects_created ON objects (kind, created);
CREATE TABLE IF NOT EXISTS metadata (
    name TEXT NOT NULL, value TEXT NOT NULL, payment TEXT NOT NULL, PRIMARY KEY (name, value, payment)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS due (
    object TEXT NOT NULL, task TEXT NOT NULL, at REAL NOT NULL, PRIMARY KEY (object, task)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS due_at ON due (at);
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a list is narrowed by; `label` is an event's type or a refund's charge, and may hold `*`.

    `labels`: one of these, all where there are none.
    """

    kind: str
    payment: str | None = None
    label: str | None = None
    since: float | None = None
    until: float | None = None
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """Something that happens by itself at a virtual time."""

    object: str
    task: str


class Store:
    """Objects, their searchable metadata, and what is due to happen to them."""

    def __init__(self, path: Path) -> None:
        self.connection = connect(path)
        self.connection.executescript(_SCHEMA)

    def put(self, kind: str, body: Json, *, payment: str | None, created: float, label: str | None = None) -> None:
        """Write an object under its `id`, new or changed; its kind, payment, label and creation never change."""
        self.put_text(body["id"], kind, json.dumps(body), payment, created, label)

    def put_text(
        self, object_id: str, kind: str, text: str, payment: str | None, created: float, label: str | None
    ) -> None:
        """Write an object that is already JSON."""
        self.connection.execute(
            "INSERT INTO objects (id, kind, payment, label, created, body) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (object_id, kind, payment, label, created, text),
        )

    def get(self, kind: str, object_id: str) -> Json | None:
        """One object, or None."""
        row = self.row(object_id)
        found: Json | None = json.loads(row["body"]) if row is not None and row["kind"] == kind else None
        return found

    def row(self, object_id: str) -> sqlite3.Row | None:
        """One object's row, with what is not part of its JSON."""
        row: sqlite3.Row | None = self.connection.execute("SELECT * FROM objects WHERE id = ?", (object_id,)).fetchone()
        return row

    def delete(self, object_id: str) -> None:
        """Forget an object."""
        self.connection.execute("DELETE FROM objects WHERE id = ?", (object_id,))

    def newest(
        self, narrow: Filter, limit: int, *, before: int | None = None, after: int | None = None
    ) -> list[sqlite3.Row]:
        """Rows newest first; `before` and `after` are sequences that bound them, `after` giving the nearest ones."""
        wheres, values = _conditions(narrow)
        if before is not None:
            wheres.append("sequence < ?")
            values.append(before)
        if after is not None:
            wheres.append("sequence > ?")
            values.append(after)
        order = "ASC" if after is not None else "DESC"
        # The text is joined from the constants of this module only; every value is bound.
        query = f"SELECT * FROM objects WHERE {' AND '.join(wheres)} ORDER BY sequence {order} LIMIT ?"  # noqa: S608
        rows = self.connection.execute(query, (*values, limit)).fetchall()
        return rows[::-1] if after is not None else rows

    def bodies(self, narrow: Filter) -> Iterator[Json]:
        """Every matching object, newest first."""
        for row in self.newest(narrow, -1):
            yield json.loads(row["body"])

    def index_metadata(self, payment: str, metadata: dict[str, str]) -> None:
        """Make a payment findable by its metadata."""
        rows = [(name, value, payment) for name, value in metadata.items()]
        self.connection.executemany("INSERT OR IGNORE INTO metadata VALUES (?, ?, ?)", rows)

    def payments_with(self, name: str, value: str) -> set[str]:
        """Ids of the payments that carry this metadata."""
        rows = self.connection.execute("SELECT payment FROM metadata WHERE name = ? AND value = ?", (name, value))
        return {row["payment"] for row in rows}

    def schedule(self, object_id: str, task: str, at: float) -> None:
        """Have something happen to an object at a virtual time."""
        self.connection.execute("INSERT OR REPLACE INTO due VALUES (?, ?, ?)", (object_id, task, at))

    def take_due(self, now: float) -> list[Due]:
        """What is due by now, in order; it is taken off the list."""
        rows = self.connection.execute("SELECT object, task FROM due WHERE at <= ? ORDER BY at", (now,)).fetchall()
        self.connection.execute("DELETE FROM due WHERE at <= ?", (now,))
        return [Due(row["object"], row["task"]) for row in rows]

    def take_tasks(self, tasks: tuple[str, ...]) -> list[Due]:
        """What is still to come of these kinds, in order; it is taken off the list."""
        rows = self.connection.execute("SELECT object, task FROM due ORDER BY at").fetchall()
        found = [Due(row["object"], row["task"]) for row in rows if row["task"] in tasks]
        self.connection.executemany(
            "DELETE FROM due WHERE object = ? AND task = ?", [(due.object, due.task) for due in found]
        )
        return found

    def anything_due(self, now: float) -> bool:
        """Whether `take_due` would find something."""
        return self.connection.execute("SELECT 1 FROM due WHERE at <= ? LIMIT 1", (now,)).fetchone() is not None

    def prune(self, kind: str, older_than: float, spared: Iterable[str] = ()) -> None:
        """Forget objects of a kind created before a virtual time, but for those that are to be spared."""
        self.connection.execute(
            "DELETE FROM objects WHERE kind = ? AND created < ? AND id NOT IN (SELECT value FROM json_each(?))",
            (kind, older_than, json.dumps(list(spared))),
        )


def _conditions(narrow: Filter) -> tuple[list[str], list[str | float | int]]:
    wheres: list[str] = ["kind = ?"]
    values: list[str | float | int] = [narrow.kind]
    if narrow.payment is not None:
        wheres.append("payment = ?")
        values.append(narrow.payment)
    if narrow.label is not None:
        wheres.append("label GLOB ?" if "*" in narrow.label else "label = ?")
        values.append(narrow.label)
    if narrow.labels:
        wheres.append(f"label IN ({', '.join('?' * len(narrow.labels))})")
        values.extend(narrow.labels)
    if narrow.since is not None:
        wheres.append("created >= ?")
        values.append(narrow.since)
    if narrow.until is not None:
        wheres.append("created < ?")
        values.append(narrow.until)
    return wheres, values
