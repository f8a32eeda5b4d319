"""Outlives the supervisor by a moment: when that one dies, even by kill -9, no part of its stack stays behind.

The supervisor holds the other end of our standard input; its end tells that the supervisor has gone, however it went.
A death signal from the kernel would do on Linux alone, hangs on the thread that started the child, and would end
Postgres, which detaches itself, not at all.
"""

import sys
from pathlib import Path

from devstack.layout import Layout
from devstack.records import StackRecord, stop_all


def main() -> None:
    """Wait for the end of the supervisor, then stop what it has left. Arguments: data folder, its process id."""
    layout, supervisor = Layout(Path(sys.argv[1])), int(sys.argv[2])
    sys.stdin.buffer.read()
    record = StackRecord.read(layout.processes)
    # A stack started in the meantime is none of our business.
    if record is None or record.supervisor.pid != supervisor:
        return
    stop_all(record.processes)
    current = StackRecord.read(layout.processes)
    if current is not None and current.supervisor == record.supervisor:
        layout.forget_processes()


if __name__ == "__main__":
    main()
