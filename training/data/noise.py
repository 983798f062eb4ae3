"""Noise of real titles that ontologies lack: places, grades, abbreviations, typing errors. And garbage.

Everything is made from our own word lists. They contain no title of a benchmark.
"""

import random
from collections.abc import Callable, Sequence


def _listed(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split(","))


CITIES = _listed("""
    London, Paris, Berlin, Madrid, Rome, Vienna, Dublin, Lisbon, Warsaw, Prague, Oslo, Stockholm,
    Copenhagen, Amsterdam, Brussels, Zurich, Munich, Hamburg, Barcelona, Milan, Athens, Budapest,
    Manchester, Leeds, Bristol, Glasgow, Boston, Chicago, Dallas, Denver, Houston, Miami, Seattle,
    Atlanta, Austin, Phoenix, Toronto, Vancouver, Montreal, Sydney, Melbourne, Auckland, Singapore,
    Mumbai, Bangalore, Delhi, Dubai, Manila, Jakarta, Bangkok, Tokyo, Seoul, Nairobi, Lagos, New
    York, San Francisco, Kuala Lumpur, Hong Kong, Cape Town
""")
REGIONS = _listed("""
    UK, USA, EU, EMEA, APAC, DACH, LATAM, NY, CA, TX, FL, Europe, Asia, Africa, Germany, France,
    India, Canada, Spain, North, South, East, West, Malaysia, Philippines
""")
GRADES = _listed("""
    Senior, Junior, Lead, Principal, Head, Trainee, Graduate, Entry Level, Experienced, Assistant,
    Associate, Deputy, Sr, Jr, Snr, Intern, Apprentice, Staff, Mid Level, II, III, Level 2, Grade 5,
    I, IV, Mid-Senior
""")
TERMS = _listed("""
    Full Time, Part Time, Permanent, Contract, Temporary, Remote, Hybrid, On Site, Night Shift, Weekend, Day
    Shift, m/f/d, m/w/d, f/m/x, 12 Month FTC, Maternity Cover, Freelance, Casual, Immediate Start, Urgent,
    Urgently Required, No Experience Needed, Bonus, Sign On Bonus, Excellent Salary, Work From Home,
    Seasonal, Relocation Offered, Visa Sponsorship, 5 days week, Up to 40k, Competitive Salary, 3 positions,
    Walk In, Fresh Graduates Welcome, Hiring Now, New, Career Opportunity, Immediate Vacancy, per hour,
    Flexible Hours, m/w/d Vollzeit, Teilzeit, unbefristet, ab sofort, Ausbildung, Praktikum, H/F, CDI, CDD,
    temps plein, temps partiel, stage, alternance, urgent, jornada completa, media jornada, contrato
    indefinido, prácticas, tempo pieno, part time, tirocinio, tempo indeterminato, fulltime, parttime, vaste
    baan, bijbaan, pełny etat, umowa o pracę, staż, praca zdalna, tempo inteiro, meio período, estágio,
    heltid, deltid, vikariat, plný úvazek, teljes munkaidő, normă întreagă
""")
# What stands behind a comma or a dash: a team, a market, a product.
SPECIALISMS = _listed("""
    Sales, Marketing, Engineering, Platform, Payments, Growth, Enterprise, Mid Market, SMB, Public Sector,
    Healthcare, Financial Services, Retail, Data, Infrastructure, Security, Core, Mobile, Web, Consumer,
    Partnerships, Operations, Customer Experience, Product, People, Finance, Legal, Research, AI, Cloud,
    Hardware, Supply Chain, Logistics, Strategy, Commercial, Corporate, Trust and Safety, Developer
    Experience, Internal Tools, New Business, Key Accounts, Strategic Accounts, Federal, Education, Energy,
    Automotive, Aerospace, Manufacturing, Pharma, Insurance, Banking, Real Estate, Hospitality, Gaming,
    Media, Telecom, Digital, Innovation, Quality, Compliance, Risk, Procurement
""")
# What people write where a form insists on a title.
NOTHING = _listed("""
    Unknown, N/A, None, Not specified, Not applicable, Other, Various, TBD, TBC, Untitled, Test, No title,
    Job, Position, Vacancy, Employee, Candidate, Applicant, Unemployed, Looking for work, Open to work,
    Seeking new opportunities, Profile, Curriculum vitae, Resume, See CV, General application,
    Miscellaneous, Null, Undefined, asdf, xxx, unbekannt, keine Angabe, sonstiges, Bewerbung, Lebenslauf,
    arbeitssuchend, inconnu, non renseigné, autre, divers, candidature spontanée, sans emploi, desconocido,
    otros, sin especificar, varios, candidatura espontánea, sconosciuto, altro, non specificato, candidatura
    spontanea, disoccupato, onbekend, overig, niet opgegeven, nieznany, inne, nie dotyczy, brak danych,
    desconhecido, outro, não informado, okänd, övrigt, ukendt, andet, ukjent, annet, neznámý, jiné, neznámy,
    iné, ismeretlen, egyéb, necunoscut, altele, nepoznato, ostalo, neznano, drugo, teadmata, muu, nezināms,
    cits, nežinoma, kita, неизвестно, друго, безработен
""")
# Sentences that stand in every advertisement and say nothing about the work.
BOILERPLATE = _listed("""
    equal opportunity employer, all qualified applicants will receive consideration, apply now,
    click the link below, competitive benefits package, we value diversity, terms and conditions
    apply, please read our privacy policy, only shortlisted candidates will be contacted, join our
    growing family, great place to work, about us, our values, no agencies please, send us your cv,
    read more, this site uses trackers, copyright notice, sign in to continue, the page you asked
    for was moved, we offer a dynamic environment, generous holiday allowance, free parking and
    snacks, test test test, to be confirmed, not available, untitled document, various, see
    description, do not reply
""")
SHORT = {
    long: short
    for pair in _listed("""
        manager mgr, senior sr, junior jr, assistant asst, engineer eng, executive exec,
        administrator admin, administrative admin, technician tech, developer dev, representative
        rep, accountant acct, accounts a/c, director dir, supervisor supv, operations ops, operator
        oper, coordinator coord, specialist spec, professional prof, development dev, management
        mgmt, department dept, general gen, international intl, maintenance maint, manufacturing
        mfg, marketing mktg, human resources hr, information technology it, registered nurse rn,
        quality assurance qa, service svc, customer cust, secretary sec, analyst anlst, officer
        ofcr, vice president vp, software sw, electrical elec, mechanical mech, business biz,
        production prod, project proj, public relations pr, research and development r&d, user
        experience ux, artificial intelligence ai, machine learning ml, certified cert, teacher
        tchr, and &, chief executive officer ceo, chief financial officer cfo, chief technology
        officer cto
    """)
    for long, _, short in [pair.rpartition(" ")]
}
SYLLABLES = _listed("""
    ba, be, bi, bo, bu, ca, ce, co, cu, da, de, di, do, du, fa, fe, la, le, li, lo, lu, ma, me, mi,
    mo, mu, na, ne, ni, no, nu, per, qua, ra, re, ri, ro, sa, se, si, so, tu, ve, vi
""")
ENDS = _listed("us, um, at, it, is, am, em, ur, tis, que, rem, bus")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def surroundings(rng: random.Random) -> str:
    """A piece that a recruiter adds before or after a title.

    Titles of real vacancies mostly have a specialism or a grade, seldom a place, and almost never a number.
    """
    makers: tuple[Callable[[], str], ...] = (
        lambda: rng.choice(SPECIALISMS),
        lambda: rng.choice(SPECIALISMS),
        lambda: rng.choice(GRADES),
        lambda: rng.choice(GRADES),
        lambda: rng.choice(TERMS),
        lambda: rng.choice((rng.choice(CITIES), f"{rng.choice(CITIES)} {rng.choice(REGIONS)}")),
        lambda: rng.choice(
            (f"REF {rng.randrange(1000, 99999)}", f"{rng.choice('RJQ')}{rng.randrange(10**5, 10**6)}")
        ),
        lambda: rng.choice((rng.choice(REGIONS), f"{rng.randrange(15, 90)}k")),
    )
    return rng.choice(makers)()


def torn(rng: random.Random, words: Sequence[str]) -> str:
    """What a résumé parser leaves among skills: part of a word, a number, a word out of its sentence."""
    word = rng.choice(words)
    cut = rng.randrange(1, len(word)) if len(word) > 1 else 1
    return rng.choice(
        (word, word[:cut], word[cut:], str(rng.randrange(2100)), f"{word[:cut]} {rng.choice(words)[:4]}")
    )


def variant(title: str, rng: random.Random) -> str:
    """The title as someone in a hurry writes it: abbreviated, in the plural, or with a slip."""
    return rng.choice((_abbreviated, _abbreviated, _plural, slip))(title, rng)


def garbage(rng: random.Random, words: Sequence[str]) -> str:
    """A text that is not a title. words: any words; unrelated ones are combined."""
    makers: tuple[Callable[[], str], ...] = (
        lambda: " ".join(_scrambled(rng.choice(words), rng) for _ in range(rng.randrange(1, 5))),
        lambda: " ".join(
            "".join(rng.choices(LETTERS, k=rng.randrange(2, 10))) for _ in range(rng.randrange(1, 5))
        ),
        lambda: " ".join(rng.choice(words) for _ in range(rng.randrange(2, 9))),
        lambda: " ".join(rng.choice(words) for _ in range(rng.randrange(2, 7))),
        lambda: " ".join(rng.choice(words) for _ in range(rng.randrange(2, 6))),
        lambda: " ".join(_latin(rng) for _ in range(rng.randrange(2, 9))),
        lambda: " ".join(rng.sample(BOILERPLATE, k=rng.randrange(1, 3))),
        lambda: " ".join(str(rng.randrange(10 ** rng.randrange(1, 9))) for _ in range(rng.randrange(1, 4))),
        lambda: " ".join(surroundings(rng) for _ in range(rng.randrange(1, 4))),
        lambda: rng.choice(NOTHING),
    )
    return rng.choice(makers)()


def _abbreviated(title: str, rng: random.Random) -> str:
    low = title.lower()
    for long, short in SHORT.items():
        if long in low and rng.random() < 0.7:
            low = low.replace(long, short)
    return low


def _plural(title: str, rng: random.Random) -> str:
    if title.endswith("s"):
        return title.removesuffix("s")
    if title.endswith("y") and title[-2:-1] not in "aeiou":
        return title[:-1] + "ies"
    return title + "s"


def slip(title: str, rng: random.Random) -> str:
    """With two letters swapped, one left out or one doubled. Short titles stay as they are."""
    if len(title) < 5:
        return title
    at = rng.randrange(1, len(title) - 2)
    swapped = title[:at] + title[at + 1] + title[at] + title[at + 2 :]
    return rng.choice((swapped, title[:at] + title[at + 1 :], title[:at] + title[at] + title[at:]))


def _scrambled(word: str, rng: random.Random) -> str:
    return "".join(rng.sample(word, len(word)))


def _latin(rng: random.Random) -> str:
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.randrange(1, 3))) + rng.choice(ENDS)
