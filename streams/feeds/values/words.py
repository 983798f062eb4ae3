"""Workplaces, employment types, levels and periods, in eight languages. Whole texts only: see `phrases`."""

import re
from functools import lru_cache

from rolecall.schemas.common import EmploymentType, Period, Seniority, Status, Workplace
from rolecall.streams.feeds.values.phrases import conjunctions, only, table, understood, words

_EMPLOYMENT_TYPES = table(
    {
        EmploymentType.FULL_TIME: "full time|fulltime|ft|vollzeit|in vollzeit|temps plein|temps complet|"
        "à temps plein|"
        "à temps complet|a temps plein|a temps complet|tiempo completo|a tiempo completo|jornada completa|"
        "tempo pieno|a tempo pieno|full time equivalent|voltijd|voltijds|fulltijd|pełny etat|pełen etat|"
        "cały etat|tempo integral|a tempo inteiro|tempo inteiro|período integral",
        EmploymentType.PART_TIME: "part time|parttime|pt|teilzeit|in teilzeit|temps partiel|à temps partiel|"
        "a temps partiel|tiempo parcial|a tiempo parcial|media jornada|jornada parcial|tempo parziale|"
        "a tempo parziale|deeltijd|deeltijds|część etatu|niepełny etat|pół etatu|tempo parcial|"
        "a tempo parcial|"
        "meio período",
        EmploymentType.CONTRACT: "contract|contractor|contract to hire|independent contractor|freelance|"
        "freelancer|"
        "freiberuflich|freie mitarbeit|indépendant|autónomo|libero professionista|zzp|b2b|umowa b2b|"
        "kontrakt b2b|"
        "prestador de serviços",
        EmploymentType.TEMPORARY: "temporary|temp|fixed term|fixed term contract|seasonal|per diem|casual|"
        "befristet|"
        "zeitarbeit|cdd|intérim|interim|saisonnier|temporal|contrato temporal|tempo determinato|"
        "a tempo determinato|stagionale|tijdelijk|tijdelijk contract|praca tymczasowa|czas określony|"
        "umowa na czas określony|temporário|contrato a termo|termo certo",
        EmploymentType.INTERNSHIP: "intern|interns|internship|internships|trainee|traineeship|apprentice|"
        "apprenticeship|praktikum|praktikant|praktikantin|ausbildung|stage|stagiaire|alternance|"
        "apprentissage|prácticas|becario|tirocinio|stagista|stagiair|staż|praktyka|praktyki|estágio|"
        "estagiário",
        EmploymentType.VOLUNTEER: "volunteer|volunteers|volunteering|ehrenamt|ehrenamtlich|bénévolat|"
        "bénévole|"
        "voluntariado|voluntario|volontariato|volontario|vrijwilliger|vrijwilligerswerk|wolontariat|"
        "voluntário",
    }
)
# Says nothing beside full or part time. `Permanent or contract` is a choice that no type of ours tells.
_PERMANENT = frozenset(
    [
        "permanent",
        "regular",
        "unbefristet",
        "festanstellung",
        "cdi",
        "vast",
        "indefinido",
        "indeterminato",
        "employee",
    ]
)
_HOURS = frozenset([EmploymentType.FULL_TIME, EmploymentType.PART_TIME])
_ABOUT_EMPLOYMENT = conjunctions() | frozenset(
    [
        "employment",
        "position",
        "job",
        "role",
        "work",
        "type",
        "staff",
        "anstellung",
        "beschäftigung",
        "only",
    ]
)
_BOTH_TIMES = re.compile(
    r"\bfull[- ](?:or|and|/)[- ]part[- ]?time\b|\bvoll-?\s?(?:oder|und|/|bzw\.?)\s?teilzeit\b|"
    r"\btemps plein ou partiel\b|\btiempo completo o parcial\b|\btempo pieno o parziale\b",
    re.I,
)
_SENIORITIES = table(
    {
        Seniority.INTERN: "intern|internship|trainee|apprentice|student|praktikant|praktikum|werkstudent|"
        "stagiaire|becario|prácticas|tirocinante|stagista|stagiair|stażysta|praktykant|estagiário|estágio",
        Seniority.JUNIOR: "junior|jr|entry|graduate|new grad|berufseinsteiger|einsteiger|débutant|"
        "principiante|"
        "starter|młodszy|iniciante|júnior",
        Seniority.MID: "mid|middle|mid level|intermediate|mid career|confirmé|intermedio|intermediário|"
        "medior|pleno",
        Seniority.SENIOR: "senior|sr|sénior|sênior|starszy",
        Seniority.LEAD: "lead|principal|head|manager|team lead|teamleiter|team leader|head of|"
        "chef d équipe|jefe de equipo|kierownik|gerente",
        Seniority.EXECUTIVE: "chief|c level|c suite|vp|svp|evp|vice president|executive|director|"
        "geschäftsführer|"
        "geschäftsführung|direktor|directeur|direttore|dyrektor|diretor",
    }
)
_WORKPLACES = table(
    {
        Workplace.REMOTE: "remote|remotely|fully remote|full remote|100 remote|remote only|remote first|"
        "telecommute|telecommuting|work from home|working from home|wfh|home office|homeoffice|home based|"
        "distributed|anywhere|work from anywhere|virtual|télétravail|100 télétravail|"
        "full télétravail|à distance|a distance|en remoto|remoto|teletrabajo|100 remoto|da remoto|telelavoro|"
        "thuiswerk|thuiswerken|volledig remote|zdalna|zdalnie|praca zdalna|100 zdalnie|"
        "remoto total|teletrabalho|trabalho remoto|ortsunabhängig",
        Workplace.HYBRID: "hybrid|hybrid remote|remote hybrid work|partially remote|partly remote|"
        "teilweise remote|"
        "hybride|télétravail partiel|híbrido|híbrida|ibrido|ibrida|hybrydowa|hybrydowo|praca hybrydowa|"
        "hybrydowy",
        Workplace.ONSITE: "onsite|on site|in office|in person|in the office|on premises|office based|vor ort|"
        "im büro|präsenz|sur site|sur place|présentiel|en présentiel|presencial|presenziale|in sede|"
        "in presenza|"
        "op locatie|op kantoor|stacjonarna|stacjonarnie|praca stacjonarna|na miejscu|w biurze",
    }
)
_ABOUT_WORKPLACES = frozenset(["work", "working", "job", "position", "role", "workplace"])
_PERIODS = table(
    {
        Period.HOUR: "hour|hours|hourly|hr|hrs|h|hur|an hour|stunde|stündlich|std|heure|horaire|hora|horas|"
        "ora|"
        "orario|uur|godzina|godzinę|godz|por hora|all ora",
        Period.DAY: "day|days|daily|a day|tag|täglich|jour|journalier|quotidien|día|diario|giorno|"
        "giornaliero|"
        "al giorno|dag|dagelijks|dzień|dziennie|dia|diária|diário",
        Period.WEEK: "week|weekly|wk|wee|a week|woche|wöchentlich|semaine|hebdomadaire|semana|semanal|"
        "settimana|"
        "settimanale|wekelijks|tydzień|tygodniowo",
        Period.MONTH: "month|months|monthly|mon|mo|mth|a month|p m|pm|monat|monatlich|mtl|mois|mensuel|"
        "mensuelle|mensuels|"
        "mensuales|mensili|"
        "mes|"
        "mensual|mese|mensile|maand|maandelijks|miesiąc|miesięcznie|mies|mc|mês|mensal",
        Period.YEAR: "year|years|yearly|yr|a year|annum|annual|annually|ann|p a|pa|jahr|jährlich|"
        "jahresgehalt|"
        "an|année|annuel|annuelle|annuels|annui|año|anual|anno|annuo|annua|annuale|jaar|jaarlijks|rok|rocznie|ano|anuais",
    }
)
_ABOUT_PERIODS = frozenset(
    [
        "per",
        "pro",
        "par",
        "por",
        "al",
        "all",
        "all'",
        "je",
        "na",
        "za",
        "im",
        "der",
        "die",
        "le",
        "la",
        "los",
        "el",
        "l",
        "à",
        "à'",
        "brutto",
        "gross",
        "brut",
        "bruto",
        "lordi",
        "lordo",
        "bruts",
        "brutos",
        "salary",
        "wage",
        "rate",
        "1",
        "am",
    ]
)
_YES = table(
    {
        True: "true|yes|y|1|ja|oui|sí|si|sì|tak|sim|j|wahr|vrai",
        False: "false|no|n|0|nein|non|nee|nie|não",
    }
)
_STATUSES = table(
    {
        Status.OPEN: "open|active|published|live|posted|offen|aktiv|veröffentlicht|ouvert|ouverte|publié|"
        "publiée|abierto|abierta|activo|activa|aperto|aperta|attivo|attiva|actief|gepubliceerd|otwarta|"
        "aktywna|aberto|aberta|ativo|ativa",
        Status.CLOSED: "closed|filled|inactive|archived|expired|geschlossen|besetzt|inaktiv|abgelaufen|fermé|"
        "fermée|pourvu|pourvue|cerrado|cerrada|inactivo|inactiva|chiuso|chiusa|gesloten|vervuld|zamknięta|"
        "nieaktywna|fechado|fechada|inativo|inativa",
    }
)


@lru_cache(4096)
def employment_types(text: str) -> tuple[EmploymentType, ...] | None:
    """Every type that the text names; None unless every word is understood: `no part-time`."""
    text = _BOTH_TIMES.sub("full time part time", text)
    found = understood(text, _EMPLOYMENT_TYPES, _ABOUT_EMPLOYMENT | _PERMANENT)
    if not found or (not _PERMANENT.isdisjoint(words(text)) and not _HOURS.issuperset(found)):
        return None
    return tuple(sorted(found))


@lru_cache(4096)
def seniority(text: str) -> Seniority | None:
    """Not `Senior+`, which is several levels."""
    if "+" in text:
        return None
    return only(understood(text, _SENIORITIES, ("level", "career", "niveau", "nivel", "livello", "poziom")))


@lru_cache(4096)
def workplaces(text: str) -> tuple[Workplace, ...] | None:
    """Every workplace that the text names: `On-site or remote`."""
    found = understood(text, _WORKPLACES, _ABOUT_WORKPLACES | conjunctions())
    return tuple(found) if found else None


@lru_cache(4096)
def workplace(text: str) -> Workplace | None:
    """`true` and `1` too: columns such as isRemote."""
    return Workplace.REMOTE if yes(text) else only(understood(text, _WORKPLACES, _ABOUT_WORKPLACES))


@lru_cache(4096)
def period(text: str) -> Period | None:
    """`per hour`, `p.a.`, `monatlich`; not `bi-weekly` or `semi-monthly`: no period of ours is one."""
    return only(understood(text, _PERIODS, _ABOUT_PERIODS))


@lru_cache(4096)
def yes(text: str) -> bool | None:
    """`ja`, `N`, `1.0`."""
    return only(understood(re.sub(r"\A\s*([01])\.0+\s*\Z", r"\1", text), _YES))


@lru_cache(4096)
def status(text: str) -> Status | None:
    return only(understood(text, _STATUSES))
