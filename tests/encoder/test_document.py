from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from rolecall.encoder.document import Document, candidate_document, content_hash, told, vacancy_document
from rolecall.schemas.candidate import Candidate
from rolecall.schemas.vacancy import Vacancy

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DOCUMENTS = st.builds(Document, st.text(), st.lists(st.text(), max_size=4).map(tuple), st.text())


def test_a_vacancy_keeps_title_skills_and_description() -> None:
    vacancy = Vacancy.model_validate(
        {"id": "v1", "occurred_at": NOW, "title": "Nurse", "skills": ["triage"], "description": "Night ward."}
    )
    assert vacancy_document(vacancy) == Document("Nurse", ("triage",), "Night ward.")


def test_the_wishes_of_a_candidate_are_read_together() -> None:
    candidate = Candidate.model_validate(
        {"id": "c1", "occurred_at": NOW, "titles": ["Nurse", "Midwife"], "summary": "Ten years."}
    )
    assert candidate_document(candidate) == Document("Nurse / Midwife", (), "Ten years.")


@given(DOCUMENTS, DOCUMENTS)
def test_only_equal_documents_share_a_hash(a: Document, b: Document) -> None:
    assert (content_hash(a) == content_hash(b)) == (a == b)


def test_moving_text_between_fields_changes_the_hash() -> None:
    hashes = {
        content_hash(document)
        for document in (
            Document("ab"),
            Document("a", ("b",)),
            Document("a", (), "b"),
            Document("", ("a", "b")),
            Document("", ("ab",)),
        )
    }
    assert len(hashes) == 5


def test_a_document_tells_skills_or_a_text_or_both_or_neither() -> None:
    documents = [Document("a"), Document("a", ("b",)), Document("", ("b",)), Document("a", ("b",), "c")]
    assert [told(document) for document in [*documents, Document("", (), "c")]] == [0, 1, 1, 3, 2]


def test_a_lone_surrogate_still_hashes() -> None:
    assert len(content_hash(Document("\ud800"))) == 16
