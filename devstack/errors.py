"""What can go wrong with a stack. Every message is written for the person who started it."""


class StackError(Exception):
    """Root of them all."""


class AlreadyRunningError(StackError):
    """Another process supervises a stack on this data folder."""


class PartFailedError(StackError):
    """A part died, did not become ready in time, or could not be started; the message ends with the tail of its log."""

    def __init__(self, part: str, what: str, log_tail: str) -> None:
        self.part = part
        shown = "\n".join(f"    {line}" for line in log_tail.splitlines()) or "    (its log is empty)"
        super().__init__(f"{part} {what}. The end of its log:\n{shown}")
