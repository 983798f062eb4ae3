"""Different spellings of one skill: case, spacing, punctuation, and common other names.

Names are compared, not meanings; docs/rules.md says why.
"""

from collections.abc import Sequence
from functools import lru_cache
from unicodedata import category, normalize

# The name, and what else it goes by. Short forms that mean two things (RN, PM, AD, BI) are left out.
ALIASES = {
    "advanced cardiac life support": ("ACLS",),
    "Adobe Photoshop": ("Photoshop",),
    "Amazon Web Services": ("AWS",),
    "Apache Kafka": ("Kafka",),
    "Apache Spark": ("Spark",),
    "artificial intelligence": ("AI",),
    "basic life support": ("BLS",),
    "cardiopulmonary resuscitation": ("CPR",),
    "C#": ("C sharp",),
    "C++": ("cpp", "C plus plus"),
    "CI/CD": ("continuous integration and continuous delivery",),
    "computer aided design": ("CAD",),
    "customer relationship management": ("CRM",),
    "electronic health records": ("EHR", "electronic medical records", "EMR"),
    "enterprise resource planning": ("ERP",),
    "extract, transform, load": ("ETL",),
    "Go": ("Golang",),
    "Google Cloud Platform": ("GCP", "Google Cloud"),
    "graphical user interface": ("GUI",),
    "HTML": ("HTML5", "hypertext markup language"),
    "CSS": ("CSS3", "cascading style sheets"),
    "human resources": ("HR",),
    "infrastructure as code": ("IaC",),
    "JavaScript": ("JS", "ECMAScript", "ES6"),
    "key performance indicators": ("KPI", "KPIs"),
    "Kubernetes": ("k8s",),
    "large language models": ("LLM", "LLMs"),
    "machine learning": ("ML",),
    "Microsoft Access": ("MS Access",),
    "Microsoft Azure": ("Azure", "MS Azure"),
    "Microsoft Excel": ("Excel", "MS Excel"),
    "Microsoft Office": ("MS Office", "Office 365", "Microsoft Office 365"),
    "Microsoft Outlook": ("Outlook", "MS Outlook"),
    "Microsoft PowerPoint": ("PowerPoint", "MS PowerPoint"),
    "Microsoft SQL Server": ("SQL Server", "MS SQL", "MS SQL Server"),
    "Microsoft Word": ("MS Word",),
    "MongoDB": ("Mongo",),
    "natural language processing": ("NLP",),
    ".NET": ("dotnet", "dot net"),
    "Node.js": ("Node",),
    "object oriented programming": ("OOP",),
    "PostgreSQL": ("Postgres", "psql"),
    "quality assurance": ("QA",),
    "React": ("React.js",),
    "REST": ("REST API", "REST APIs", "RESTful API", "RESTful APIs", "RESTful"),
    "Ruby on Rails": ("Rails", "RoR"),
    "scikit-learn": ("sklearn",),
    "search engine optimization": ("SEO", "search engine optimisation"),
    "software as a service": ("SaaS",),
    "SQL": ("structured query language",),
    "test driven development": ("TDD",),
    "TypeScript": ("TS",),
    "user experience": ("UX", "UX design", "user experience design"),
    "user interface": ("UI", "UI design", "user interface design"),
    "Vue": ("Vue.js",),
}


@lru_cache(maxsize=2**16)
def skill_key(skill: str) -> str:
    """The same for two ways to write one skill."""
    letters = _letters(skill)
    return _CANONICAL.get(letters, letters)


def _letters(skill: str) -> str:
    """Without spacing and punctuation, but C, C++, C# and .NET stay four things."""
    text = normalize("NFKC", skill).casefold()
    return "".join(c for c in text if c in "+#" or category(c)[0] not in "PZCS") or text


_CANONICAL = {_letters(alias): _letters(name) for name, aliases in ALIASES.items() for alias in aliases}


def compare_skills(asked: Sequence[str], offered: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Shared and missing ones, each once, as the vacancy writes it."""
    wanted, known = _by_key(tuple(asked)), _by_key(tuple(offered))
    shared = tuple([skill for key, skill in wanted.items() if key in known])
    missing = tuple([skill for key, skill in wanted.items() if key not in known]) if offered else ()
    return shared, missing


@lru_cache(maxsize=2**12)
def _by_key(skills: tuple[str, ...]) -> dict[str, str]:
    """By key, the first spelling. An entity is compared with each of its matches."""
    spelled: dict[str, str] = {}
    for skill in skills:
        spelled.setdefault(skill_key(skill), skill)
    return spelled
