"""Match vacancies and candidates. The names below are the public interface.

A name's module is imported when the name is first used, so `import rolecall` is quick and loads no torch.
"""

from importlib import import_module

# Type checkers take this name for true. `typing` would take 4 ms, in which Ctrl-C would show a traceback.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from rolecall.encoder.document import Document
    from rolecall.encoder.model import Encoder
    from rolecall.schemas.candidate import Candidate
    from rolecall.schemas.errors import RolecallError
    from rolecall.schemas.match import Match, Side
    from rolecall.schemas.vacancy import Vacancy
    from rolecall.streams.events.match_state import MatchState
    from rolecall.streams.matching.hard_rules import RuleBook, broken_rules, compatible
    from rolecall.streams.offline.match import match
    from rolecall.streams.settings import Settings

__all__ = [
    "Candidate",
    "Document",
    "Encoder",
    "Match",
    "MatchState",
    "RolecallError",
    "RuleBook",
    "Settings",
    "Side",
    "Vacancy",
    "broken_rules",
    "compatible",
    "match",
]

_MODULES = {
    "Candidate": "schemas.candidate",
    "Document": "encoder.document",
    "Encoder": "encoder.model",
    "Match": "schemas.match",
    "MatchState": "streams.events.match_state",
    "RolecallError": "schemas.errors",
    "RuleBook": "streams.matching.hard_rules",
    "Settings": "streams.settings",
    "Side": "schemas.match",
    "Vacancy": "schemas.vacancy",
    "broken_rules": "streams.matching.hard_rules",
    "compatible": "streams.matching.hard_rules",
    "match": "streams.offline.match",
}

if not TYPE_CHECKING:  # otherwise a type checker would accept every name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module 'rolecall' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(f"rolecall.{_MODULES[name]}"), name)
        return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]
