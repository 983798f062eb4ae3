"""When two names count as one skill."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rolecall.streams.matching.skills import ALIASES, skill_key

SAME = [
    ("k8s", "Kubernetes"),
    ("JS", "JavaScript"),
    ("Postgres", "PostgreSQL"),
    ("PYTHON", "Python"),
    ("Node.js", "NodeJS"),
    ("node js", "Node"),
    ("Spring-Boot", "spring boot"),
    ("ReactJS", "React"),
    ("dot net", ".NET"),
    ("C sharp", "C#"),
    ("ＳＱＬ", "sql"),
    ("MS Excel", "Excel"),
    ("continuous integration and continuous delivery", "CI / CD"),
    ("Straße", "STRASSE"),
]
DIFFERENT = [
    ("C", "C++"),
    ("C", "C#"),
    ("C++", "C#"),
    ("Java", "JavaScript"),
    ("SQL", "NoSQL"),
    ("Microsoft Excel", "Microsoft Word"),
    ("日本語", "中文"),
    ("!", "?"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_two_ways_to_write_one_skill(one: str, other: str) -> None:
    assert skill_key(one) == skill_key(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_two_skills(one: str, other: str) -> None:
    assert skill_key(one) != skill_key(other)


@given(st.text(min_size=1, max_size=20))
def test_no_skill_is_without_a_key(skill: str) -> None:
    assert skill_key(skill)


def test_no_alias_stands_for_two_skills() -> None:
    named = {skill_key(name) for name in ALIASES}
    assert len(named) == len(ALIASES)
    by_alias: dict[str, set[str]] = {}
    for name, aliases in ALIASES.items():
        for alias in aliases:
            by_alias.setdefault(alias.casefold(), set()).add(name)
    assert [alias for alias, names in by_alias.items() if len(names) > 1] == []


def test_names_and_aliases_are_one_skill() -> None:
    for name, aliases in ALIASES.items():
        assert {skill_key(alias) for alias in aliases} == {skill_key(name)}
