"""Text without markup, and the damage that text takes on its way."""

import html
import re
from functools import lru_cache
from html.parser import HTMLParser

from rolecall.streams.feeds.values.phrases import says_nothing, words

_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]\w{1,30});")
_MOJIBAKE = re.compile(r"[ÃÂâ][\x80-\xbf\u0152-\u02dc\u2013-\u2122€]")
_EMPTY_TITLES = frozenset(
    [
        "untitled",
        "title",
        "job",
        "job title",
        "position",
        "vacancy",
        "candidate",
        "applicant",
        "see resume",
        "see cv",
        "see attached",
        "see description",
        "see job description",
        "resume",
        "cv",
        "curriculum vitae",
        "lebenslauf",
        "bewerber",
        "bewerberin",
        "john doe",
        "jane doe",
        "test",
        "stelle",
        "stellenangebot",
        "offre d emploi",
        "oferta de empleo",
        "offerta di lavoro",
        "vacature",
        "oferta pracy",
        "oferta de emprego",
        "siehe lebenslauf",
        "voir cv",
        "ver cv",
        "vedi cv",
        "zie cv",
        "patrz cv",
        "ohne titel",
        "sans titre",
        "sin título",
        "senza titolo",
        "zonder titel",
        "bez tytułu",
        "sem título",
        "no title",
        "none given",
        "new job",
        "default",
    ]
)


class _Text(HTMLParser):
    _BREAKS = frozenset({"article", "br", "div", "li", "ol", "p", "section", "table", "tr", "ul"})

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag in ("script", "style")
        if tag in self._BREAKS or re.fullmatch(r"h\d", tag):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False
        if tag in self._BREAKS or re.fullmatch(r"h\d", tag):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def plain_text(markup: str) -> str:
    """Text without tags and entities, one block a line. Markup that was escaped, even twice, is markup."""
    if "&" in markup and "<" not in markup:
        markup = _unescaped(markup)
    if "<" in markup:
        parser = _Text()
        parser.feed(markup.replace("<!", "&lt;!"))  # the parser raises AssertionError on some declarations
        parser.close()
        markup = _unescaped("".join(parser.parts))
    lines = (" ".join(line.split()) for line in markup.splitlines())
    return "\n".join(line for line in lines if line)


def _unescaped(text: str) -> str:
    """Entities decoded until none is left: `&amp;amp;` is `&`."""
    for _ in range(3):
        if not _ENTITY.search(text):
            break
        text = html.unescape(text)
    return text


def one_line(markup: str) -> str:
    return " ".join(plain_text(markup).split())


def mended(text: str) -> str:
    """UTF-8 that was read as Windows-1252 and written again: `PflegefachkrÃ¤fte`. NUL characters go."""
    text = text.replace("\0", "")
    if text.isascii() or not _MOJIBAKE.search(text):
        return text
    for codec in ("cp1252", "latin-1"):
        try:
            return text.encode(codec).decode()
        except UnicodeError:
            continue
    return text


@lru_cache(16_384)
def title(markup: str) -> str:
    """Empty for a title that says nothing: `N/A`, `Untitled`, `See resume`."""
    found = one_line(markup)
    if says_nothing(found) or " ".join(words(found)) in _EMPTY_TITLES:
        return ""
    return found
