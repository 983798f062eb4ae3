"""What a reader left out of a record that it kept."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Note:
    """One field that is absent, though the feed says something about it."""

    field: str
    text: str  # as the feed has it, shortened
    why: str

    def __str__(self) -> str:
        return f"{self.field}: {self.text!r} is {self.why}; what is not certain is left out"


def note(field: str, text: object, why: str = "not understood as a whole") -> Note:
    return Note(field, str(text)[:120], why)
