"""What lies where in the data folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parent.parent
"""The checkout: every part is started from here."""


@dataclass(frozen=True)
class Layout:
    """The data folder of one stack, `.paysaga/` in the checkout unless told otherwise."""

    data: Path = ROOT / ".paysaga"

    @classmethod
    def at(cls, folder: Path | None) -> Self:
        """The data folder of that name, the usual one for None."""
        return cls() if folder is None else cls(folder.resolve())

    @property
    def stack(self) -> Path:
        """Tells scripts where everything is, while the stack is ready."""
        return self.data / "stack.json"

    @property
    def processes(self) -> Path:
        """The processes that were started, also by a stack that never became ready."""
        return self.data / "processes.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.data / "lock"

    @property
    def ports(self) -> Path:
        """The ports of last time."""
        return self.data / "ports.json"

    @property
    def secrets(self) -> Path:
        """The development API keys and the webhook secrets of the sandbox's gateways."""
        return self.data / "secrets.json"

    @property
    def postgres(self) -> Path:
        """The embedded database."""
        return self.data / "postgres"

    @property
    def temporal(self) -> Path:
        """The Temporal server's file and its companions."""
        return self.data / "temporal"

    @property
    def sandbox(self) -> Path:
        """The sandbox's own books."""
        return self.data / "sandbox"

    @property
    def sandbox_announced(self) -> Path:
        """What the sandbox says of itself once it listens."""
        return self.sandbox / "announced.json"

    @property
    def nats(self) -> Path:
        """The broker's streams."""
        return self.data / "nats"

    @property
    def mails(self) -> Path:
        """Every mail that was sent, as a file."""
        return self.data / "mails"

    @property
    def demo(self) -> "Layout":
        """The demo's own stack, so that it can run beside ours."""
        return Layout(self.data / "demo")

    def log(self, name: str) -> Path:
        """The log of one part."""
        return self.data / "logs" / f"{name}.log"

    def make(self) -> None:
        """Make the folders. The outer one stays open: root's Postgres runs as another user."""
        self.data.mkdir(parents=True, exist_ok=True)
        for folder in (self.data / "logs", self.temporal, self.sandbox, self.nats, self.mails):
            folder.mkdir(mode=0o700, exist_ok=True)

    def set_logs_aside(self) -> None:
        """Keep the logs of the run before, and only those: a person looks at them after a crash."""
        for log in (self.data / "logs").glob("*.log"):
            log.replace(log.with_suffix(".old"))

    def forget_processes(self) -> None:
        """Nothing runs any more."""
        self.stack.unlink(missing_ok=True)
        self.processes.unlink(missing_ok=True)
