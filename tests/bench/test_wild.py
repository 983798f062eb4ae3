from collections.abc import Sequence
from itertools import count

import numpy as np
import pytest

from bench.wild import judge, rankings, splits
from rolecall.encoder.document import Document
from rolecall.training.data.ontology import Occupation
from rolecall.training.judge import presence
from rolecall.training.judge.evaluate import Corpus, Floats
from rolecall.training.judge.presence import MIXED, TELLS, Market


def id_of(part: str, kind: str = "esco") -> str:
    return next(name for n in count() if splits.part_of(name := f"{kind}:{n}") == part)


def test_gender_forms_joined_by_a_slash_are_one_name() -> None:
    labels = ["chef d'équipe", "directeur d'école", "directeur/directrice d'école", "directrice d'école"]
    assert splits.names(labels) == [
        ("directeur/directrice d'école", "directeur d'école", "directrice d'école"),
        ("chef d'équipe",),
    ]
    assert splits.names(["serveur", "serveur/serveuse", "serveuse"]) == [
        ("serveur/serveuse", "serveur", "serveuse")
    ]


def test_a_slash_between_other_words_joins_nothing() -> None:
    assert splits.names(["import-/eksportsjef", "innkjøper"]) == [("import-/eksportsjef",), ("innkjøper",)]


@pytest.mark.parametrize(
    ("labels", "name"),
    [
        (["Koch", "Küchenkraft/Küchenkräftin", "Küchenkraft"], "Küchenkraft/Küchenkräftin"),
        (["svarvare", "kock"], "kock"),
    ],
)
def test_the_preferred_name_has_both_gender_forms_or_is_the_shortest(labels: list[str], name: str) -> None:
    assert splits.preferred(labels)[0] == name


def test_in_the_mixed_column_every_candidate_tells_what_was_drawn() -> None:
    """Eleven candidates, one of them right. It scores 1 when it tells its title alone, and 0 with skills."""
    candidates = [Document(f"job {n}", ("skill",), "text") for n in range(11)]

    def system(documents: Sequence[Document]) -> Floats:
        rows = [1.0 if not d.skills else 0.0 if d.title == "job 0" else 0.5 for d in documents]
        return np.array(rows, np.float32)[:, None]

    def found(tells: str) -> dict[tuple[str, str], float]:
        drawn = (tells, *["title, skills"] * 10)
        vacancy = Corpus([Document("job")], np.array([0]))
        return presence.recalls(system, Market(vacancy, Corpus(candidates, np.arange(11)), drawn))

    assert found("title")["title", MIXED] == 1
    assert found("title, skills")["title", MIXED] == 0
    assert found("title")["title", "title, skills"] == 0


def test_the_mixed_column_is_no_part_of_the_worst_cell_and_the_mean() -> None:
    cells = {(a, b): 0.5 for a in TELLS for b in TELLS} | {(a, MIXED): 0.2 for a in TELLS}
    cells["title", "title, skills"] = 0.05
    figures = presence.figures(cells)
    assert figures["presence_worst"] == 0.05
    assert figures["presence_mean"] == pytest.approx((8 * 0.5 + 0.05) / 9)
    assert figures["presence_mixed_mean"] == pytest.approx(0.2)


def test_a_market_needs_skills_and_tasks_for_both_sides() -> None:
    full = Occupation("onet:1", "1", ("a", "b"), tasks=tuple("pqrs"), skills=tuple("wxyz"))
    bare = Occupation("onet:2", "2", ("c", "d"), tasks=tuple("pqrs"), skills=tuple("xyz"))
    market = presence.market([full], [bare])
    (vacancy,), (candidate,) = market.vacancies.documents, market.candidates.documents
    assert {vacancy.title, candidate.title} == {"a", "b"}
    assert set(vacancy.skills) | set(candidate.skills) == set("wxyz")
    assert sorted((vacancy.text + " " + candidate.text).split()) == ["p", "q", "r", "s"]


def test_a_name_that_two_occupations_have_may_find_either() -> None:
    judged, other = id_of("test"), id_of("train")
    ranking = rankings.alternatives(
        {judged: ("cook", "kitchen hand"), other: ("Kitchen Hand", "aid")}, "test"
    )
    assert ranking.queries == [Document("kitchen hand")]
    names = [label.title for label in ranking.labels]
    assert {names[n] for n in ranking.wanted[0]} == {"cook", "aid"}


def test_an_unnamed_description_has_no_word_of_the_label() -> None:
    maker = Occupation(
        "esco:1", "", ("pastry maker", "baker"), texts=("Pastry makers bake a pastry, and bread.",)
    )
    assert rankings.unnamed(maker) == "bake a and bread."


def test_only_held_out_skills_ask() -> None:
    known = [
        Occupation(id_of("train", "skill"), "", ("cook", "prepare food"), texts=("Heat.",)),
        Occupation(id_of("test", "skill"), "", ("weld", "join metal"), texts=("Melt.",)),
    ]
    found = rankings.skills(known, "test")
    assert found["another name"].queries == [Document("join metal")]
    assert found["description"].queries == [Document("", text="Melt.")]
    assert found["description"].wanted == [{1}]


def test_a_remembering_system_reads_a_document_once() -> None:
    read: list[Document] = []

    def system(documents: Sequence[Document]) -> Floats:
        read.extend(documents)
        return np.array([[len(d.title)] for d in documents], np.float32)

    once = judge.remembering(system)
    once([Document("a"), Document("bb"), Document("a")])
    np.testing.assert_array_equal(once([Document("bb"), Document("ccc")])[:, 0], [2, 3])
    assert read == [Document("a"), Document("bb"), Document("ccc")]
