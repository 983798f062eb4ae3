"""Text without markup, and the damage that text takes on its way."""

import html
import re
from functools import lru_cache
from html.parser import HTMLParser

from rolecall.streams.feeds.values.phrases import says_nothing
from rolecall.streams.matching.hard_rules import city_key

_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[a-zA-Z]\w{1,30});")
# Soft hyphens, marks of width and direction.
_INVISIBLE = re.compile("[\u00ad\u200b\u200e\u200f\u2060\ufeff]")
_MOJIBAKE = re.compile(r"[ÃÂâ][\x80-\xbf\u0152-\u02dc\u2013-\u2122€]")
# A title of such words alone says nothing. They stand here without accents.
_EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        a an the my your of for from to with and as no not none all any anything here below above see
        please check attached attachment enclosed resume cv curriculum vitae profile document untitled
        title titles name given test job jobs position positions role roles vacancy vacancies opening
        openings opportunity opportunities open new various multiple several different other many default
        unknown candidate applicant john jane doe description looking seeking seeker unemployed available
        tbd be defined announced lorem ipsum lebenslauf siehe anhang bewerber bewerberin stelle stellen
        stellenangebot stellenanzeige ohne titel keine kein verschiedene mehrere diverse arbeitssuchend
        arbeitslos offen offene offre offres emploi emplois d poste postes voir sans titre demandeur
        recherche en demandeuse oferta ofertas de empleo puesto puestos ver sin titulo desempleado busco
        trabajo buscando offerta offerte di lavoro posizione vedi senza titolo disoccupato in cerca
        occupazione vacature vacatures zie zonder functie werkzoekend werkloos pracy praca patrz bez
        tytulu stanowisko bezrobotny szukam emprego vaga vagas sem desempregado
        geen zobacz s uden titel jobtitel object ref sonstiges currently be confirmed set ask
        work general application applications speculative spontaneous unsolicited initiativbewerbung
        spontanbewerbung candidature spontanee candidatura candidaturas espontanea spontanea
        """,
    )
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
    """UTF-8 that was read as Windows-1252 and written again: `PflegefachkrÃ¤fte`. NUL and characters that
    nobody sees go."""
    text = text.replace("\0", "")
    if text.isascii():
        return text
    text = _INVISIBLE.sub("", text)
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
    """Empty for a title that says nothing: `N/A`, `Untitled`, `See resume`, `12345`, `x`."""
    found = one_line(markup)
    if says_nothing(found) or not any(map(str.isalpha, found)) or re.fullmatch(r"\W*[a-z]\W*", found, re.I):
        return ""
    return "" if set(city_key(found).split()) <= _EMPTY_WORDS else found
