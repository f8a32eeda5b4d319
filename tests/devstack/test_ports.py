"""Which ports the parts get."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import ports


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.socket() as listener:
        listener.bind((ports.HOST, 0))
        listener.listen(1)
        yield listener.getsockname()[1]


def test_default_while_it_is_free(tmp_path: Path) -> None:
    """A free default is what one gets."""
    free = ports.any_free()
    assert ports.choose(tmp_path / "ports.json", {"api": free}) == {"api": free}


def test_moves_aside(tmp_path: Path, taken: int) -> None:
    """A taken default is left to whoever has it, and a free port is found."""
    chosen = ports.choose(tmp_path / "ports.json", {"api": taken})["api"]
    assert chosen != taken
    assert ports.is_free(chosen)


def test_chosen_ports_are_kept(tmp_path: Path) -> None:
    """The next start gets the ports of this one, although the defaults are free."""
    kept, default = ports.any_free(), ports.any_free()
    ports.choose(tmp_path / "ports.json", {"api": kept})
    assert ports.choose(tmp_path / "ports.json", {"api": default}) == {"api": kept}


def test_kept_port_that_is_taken_now(tmp_path: Path, taken: int) -> None:
    """A port of last time that somebody else has now is given up."""
    (tmp_path / "ports.json").write_text(f'{{"api": {taken}}}')
    default = ports.any_free()
    assert ports.choose(tmp_path / "ports.json", {"api": default}) == {"api": default}


def test_every_part_gets_its_own(tmp_path: Path) -> None:
    """Two parts with one default do not get one port."""
    free = ports.any_free()
    chosen = ports.choose(tmp_path / "ports.json", {"api": free, "sandbox": free})
    assert len(set(chosen.values())) == 2


@pytest.mark.parametrize("content", ["", "{", "[]", '{"api": "80"}'])
def test_damaged_file(tmp_path: Path, content: str) -> None:
    """A file of kept ports that makes no sense is as good as none."""
    (tmp_path / "ports.json").write_text(content)
    free = ports.any_free()
    assert ports.choose(tmp_path / "ports.json", {"api": free}) == {"api": free}


def test_no_outgoing_connection_takes_a_free_port() -> None:
    """Else a client that calls a stopped server again and again is given the server's own port in the end."""
    given_to_clients = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if not given_to_clients.exists():
        pytest.skip("only Linux tells which ports it gives to clients")
    lowest = int(given_to_clients.read_text().split()[0])
    assert all(1024 < ports.any_free() < lowest for _ in range(100))
