"""A listener that remembers the sentences that a user would have seen."""

from audit.progress import Silence


class Notes(Silence):
    """``said`` are the notes in order."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)
