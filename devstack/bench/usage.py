"""What processes used: CPU time with their children, and resident memory."""

import os
from collections.abc import Mapping

import psutil

from devstack.stack import Stack

Pids = Mapping[str, tuple[int, ...]]


def pids_of(stack: Stack, others: Mapping[str, int]) -> Pids:
    """The process ids by part, our own processes beside the stack's among them."""
    pids = {name: (pid,) if isinstance(pid, int) else tuple(pid) for name, pid in stack.pids.items()}
    return pids | {name: (pid,) for name, pid in others.items()}


def cpu_seconds(pids: Pids) -> dict[str, float]:
    """CPU time by part so far, and of this process, the client, without its children."""
    used = {name: sum(_with_children(pid) for pid in found) for name, found in pids.items()}
    own = psutil.Process(os.getpid()).cpu_times()
    return used | {"client": own.user + own.system}


def rss_mb(pids: tuple[int, ...]) -> float:
    """Resident memory in MB (10⁶ bytes)."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids) / 1e6


def _with_children(pid: int) -> float:
    """Children that have ended are in the times of whoever waited for them."""
    process = psutil.Process(pid)
    total = 0.0
    for member in (process, *process.children(recursive=True)):
        try:
            times = member.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
