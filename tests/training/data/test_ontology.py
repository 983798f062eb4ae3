import gzip
from dataclasses import replace
from pathlib import Path

import pytest

from rolecall.training.data import labels, ontology, sources
from rolecall.training.data.ontology import Occupation
from rolecall.training.data.sources import SourceError

ONET = {
    "Occupation Data.txt": (
        "O*NET-SOC Code\tTitle\tDescription\n"
        "11-1011.00\tChief Executives\tLead a firm.\n"
        '29-1141.00\tRegistered Nurses\tCare for "patients.\n'
    ),
    "Alternate Titles.txt": (
        "O*NET-SOC Code\tAlternate Title\tShort Title\tSource(s)\n"
        "11-1011.00\tChief Executive Officer (CEO)\tCEO\t08\n"
        "11-1011.00\tchief  executive officer\tn/a\t08\n"
        "29-1141.00\tStaff Nurse\tn/a\t08\n"
    ),
    "Sample of Reported Titles.txt": (
        "O*NET-SOC Code\tReported Job Title\tShown in My Next Move\n11-1011.00\tPresident\tY\n"
    ),
    "Task Statements.txt": "O*NET-SOC Code\tTask ID\tTask\n29-1141.00\t1\tRecord vital signs.\n",
    "Technology Skills.txt": "O*NET-SOC Code\tExample\n29-1141.00\tMedical records software\n",
}
ESCO = (
    "conceptType,conceptUri,iscoGroup,preferredLabel,altLabels,description\n"
    'Occupation,http://x/occupation/abc,2221,nurse,"ward nurse\nstaff nurse",Nurses care.\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "onet").mkdir()
    for name, content in ONET.items():
        (tmp_path / "onet" / name).write_text(content)
    (tmp_path / "esco").mkdir()
    (tmp_path / "esco" / "occupations_en.v1.2.csv").write_text(ESCO)
    (tmp_path / "trades.csv").write_text("concept,text\nw,welder\nw,arc welder\n")
    return tmp_path


def by_id(folder: Path) -> dict[str, Occupation]:
    return {o.id: o for o in sources.read(folder).occupations}


def test_onet_brings_titles_tasks_and_technologies(folder: Path) -> None:
    nurse = by_id(folder)["onet:29-1141.00"]
    assert nurse.titles == ("Registered Nurses", "Staff Nurse")
    assert nurse.texts == ('Care for "patients.',)
    assert nurse.tasks == ("Record vital signs.",)
    assert nurse.skills == ("Medical records software",)


def test_abbreviations_duplicates_and_placeholders_are_cleaned_away(folder: Path) -> None:
    executive = by_id(folder)["onet:11-1011.00"]
    assert executive.titles == ("Chief Executives", "Chief Executive Officer", "CEO", "President")


def test_occupations_that_share_a_title_stay_apart(folder: Path) -> None:
    found = by_id(folder)
    assert "Staff Nurse" in found["onet:29-1141.00"].titles
    assert found["esco:abc"].titles == ("nurse", "ward nurse", "staff nurse")


def test_any_table_of_concepts_joins(folder: Path) -> None:
    assert by_id(folder)["trades:w"].titles == ("welder", "arc welder")


LABELS = {
    "concepts.tsv": "n\tconceptUri\n0\tisco/C2221\n1\toccupation/abc\n",
    "de.tsv": "n\tlabel\n0\tPflegefachkräfte\n1\tPflegefachfrau//fmn\n1\tKranken\u00adpfleger\n1\t-\n",
    "sv.tsv": "n\tlabel\n1\tsjuksköterska /sm\n",
}
SKILLS = {
    "skills_en.v1.tsv": (
        "n\tconceptUri\tskillType\treuseLevel\tpreferredLabel\taltLabels(|)\n"
        "0\ts1\tskill\tx\ttake blood\tdraw blood|staff nurse\n"
        "1\ts2\tskill\tx\twrite reports\t\n"
    ),
    "occupation_skills.v1.tsv": "occupation\tessential(skill n)\toptional(skill n)\nabc\t1\t0\n",
    "skills_fr.csv": "conceptUri,preferredLabel,altLabels\nhttp://x/skill/s1,prélever du sang,\n",
}


def written(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")


def test_names_in_other_languages_are_cleaned_and_join_their_occupation(folder: Path) -> None:
    written(folder / "esco_labels", LABELS)
    read = sources.read(folder)
    nurse = {o.id: o for o in read.occupations}["esco:abc"]
    assert nurse.translations == (("de", ("Pflegefachfrau", "Krankenpfleger")), ("sv", ("sjuksköterska",)))
    groups = {o.id: o.translations for o in read.aside}
    assert groups["isco:C2221"] == (("de", ("Pflegefachkräfte",)),)


@pytest.mark.parametrize(
    ("label", "clean"),
    [
        ("kock//fmn", "kock"),
        ("kock /m", "kock"),
        ("/Montador/", "Montador"),
        ("Diretor técnico/Diretora técnica", "Diretor técnico/Diretora técnica"),
        ("TCP/IP engineer", "TCP/IP engineer"),
        ("-", ""),
    ],
)
def test_labels_lose_what_is_no_title(label: str, clean: str) -> None:
    assert labels.clean(label) == clean


def test_occupations_have_the_skills_that_they_need_essential_ones_first(folder: Path) -> None:
    written(folder / "esco_skills", SKILLS)
    (folder / "esco_skills" / "skill_descriptions_en.tsv.gz").write_bytes(
        gzip.compress(b"0\tTaking it from a vein.\n")
    )
    read = sources.read(folder)
    assert {o.id: o for o in read.occupations}["esco:abc"].skills == ("write reports", "take blood")
    blood = {o.id: o for o in read.aside}["skill:s1"]
    assert blood.titles == ("take blood", "draw blood", "staff nurse")
    assert blood.texts == ("Taking it from a vein.",)
    assert blood.translations == (("fr", ("prélever du sang",)),)


def test_titles_of_a_newer_onet_are_learned_from_and_not_judged(folder: Path) -> None:
    written(
        folder / "onet_newer", {sources.NEWER: "O*NET-SOC Code\tAlternate Title\n11-1011.00\tHead of Firm\n"}
    )
    read = sources.read(folder)
    executive = {o.id: o for o in read.occupations}["onet:11-1011.00"]
    assert "Head of Firm" not in executive.titles
    assert read.more == {"onet:11-1011.00": ["Head of Firm"]}
    several = occupations(400)
    split = ontology.split(several, more={o.id: ["more"] for o in several})
    assert all("more" in o.titles for o in split.train)
    assert not any("more" in o.titles for o in [*split.validation, *split.test])


def test_a_held_out_skill_is_not_learned_from() -> None:
    skills = [Occupation(f"skill:{n}", "", (f"skill {n}", f"ability {n}")) for n in range(400)]
    jobs = [
        Occupation(f"t:{n}", "", (f"job {n}",), skills=tuple(s.titles[0] for s in skills)) for n in range(50)
    ]
    split = ontology.split(jobs, skills)
    hidden = {o.id for o in skills if ontology.split_of(o) != "train"}
    assert {o.id for o in split.aside} == {o.id for o in skills} - hidden
    assert {o.id for o in split.skills} < hidden
    assert not {f"skill {name.partition(':')[2]}" for name in hidden} & set(split.train[0].skills)


def test_no_title_of_a_held_out_occupation_is_left_in_another_language() -> None:
    known = occupations(400)
    held_out = ontology.split(known).test[0]
    train = replace(ontology.split(known).train[0], translations=(("de", (held_out.titles[0], "Titel")),))
    split = ontology.split([train, *(o for o in known if o.id != train.id)])
    assert {o.id: o for o in split.train}[train.id].translations == (("de", ("Titel",)),)


def test_no_title_of_a_held_out_occupation_is_left_as_the_name_of_a_skill() -> None:
    held_out = ontology.split(occupations(400)).test[0]
    skill = Occupation(trained("skill"), "", ("add", held_out.titles[0]))
    (kept,) = ontology.split(occupations(400), [skill]).aside
    assert kept.titles == ("add",)


def test_an_unlabelled_title_that_an_occupation_has_is_left_out_held_out_or_not() -> None:
    known = occupations(400)
    held_out = ontology.split(known).test[0]
    titles = ["Pilots", held_out.titles[0].upper(), known[0].titles[1], "pilot", ""]
    assert ontology.split(known, unlabelled=titles).unlabelled == ["Pilots"]


def test_an_unlabelled_title_that_is_a_query_is_left_out(folder: Path) -> None:
    (folder / "melo_x").mkdir()
    (folder / "melo_x" / "queries.tsv").write_text("Q1\tRoad Mender\n")
    (folder / "vacancies").mkdir()
    (folder / "vacancies" / "open.csv").write_text("title\nroad menders\nBaker (BKR)\n")
    assert sources.read(folder).split().unlabelled == ["Baker"]


def test_benchmark_queries_are_left_out(folder: Path) -> None:
    (folder / "melo_x").mkdir()
    (folder / "melo_x" / "queries.tsv").write_text("Q1\tRegistered Nurse\n")
    read = sources.read(folder)
    assert {o.id: o for o in read.occupations}["onet:29-1141.00"].titles == ("Staff Nurse",)
    assert "melo_x/queries.tsv" in read.fingerprints


def test_an_empty_folder_says_what_to_put_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"has no ontology. Put the O\*NET text files in"):
        sources.read(tmp_path)


def trained(source: str) -> str:
    """An id that is not held out."""
    names = (f"{source}:{n}" for n in range(100))
    return next(name for name in names if ontology.split_of(Occupation(name, "", ())) == "train")


def occupations(count: int) -> list[Occupation]:
    return [Occupation(f"t:{n}", "", (f"title {n}", f"name {n}", "shared name")) for n in range(count)]


def test_splits_depend_on_the_id_alone() -> None:
    everything = ontology.split(occupations(400))
    few = ontology.split(occupations(200))
    assert {o.id for o in few.test} == {o.id for o in everything.test if int(o.id[2:]) < 200}


def test_splits_have_the_shares_they_promise() -> None:
    split = ontology.split(occupations(4000))
    assert len(split.validation) == pytest.approx(120, abs=40)
    assert len(split.test) == pytest.approx(200, abs=50)


def test_no_title_of_a_held_out_occupation_is_left_in_training() -> None:
    split = ontology.split(occupations(400))
    held_out = {ontology.key(t) for o in [*split.test, *split.validation] for t in o.titles}
    assert "name shared" in held_out
    assert not held_out & {ontology.key(t) for o in split.train for t in o.titles}


def test_keys_ignore_case_punctuation_order_and_plurals() -> None:
    assert ontology.key("Managers, Sales") == ontology.key("sales manager")


def test_ancestors_are_the_groups_of_its_own_tree() -> None:
    nurse = Occupation("onet:29-1141.01", "29114101", ("nurse",))
    assert ontology.ancestors(nurse) == ("onet:29", "onet:291", "onet:29114", "onet:291141")
    assert ontology.ancestors(Occupation("esco:x", "2512", ("developer",)))[-1] == "esco:2512"
    assert ontology.ancestors(Occupation("list:x", "", ("cook",))) == ()
