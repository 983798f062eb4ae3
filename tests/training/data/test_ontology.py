from pathlib import Path

import pytest

from rolecall.training.data import ontology, sources
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


SKILLS = (
    "conceptType,conceptUri,preferredLabel,altLabels,description\n"
    'KnowledgeSkillCompetence,http://x/skill/7,take blood,"draw blood\nstaff nurse",Taking it.\n'
)


def test_names_of_a_skill_are_learned_from_and_split_no_way(folder: Path) -> None:
    (folder / "esco" / "skills_en.csv").write_text(SKILLS)
    read = sources.read(folder)
    assert [(o.id, o.titles) for o in read.aside] == [
        ("skill:7", ("take blood", "draw blood", "staff nurse"))
    ]
    assert "skill:7" not in {o.id for o in read.occupations}
    assert [o.id for o in read.split().aside] == ["skill:7"]


def test_the_uk_index_groups_titles_by_three_editions_and_turns_them_round(folder: Path) -> None:
    (folder / "uk_soc").mkdir()
    (folder / "uk_soc" / "index.csv").write_text(
        "SOC90,SOC 2000,SOC 2010,INDEXOCC,IND\n"
        '312.0,2433.0,2433.0,"Assistant, surveyor\'s, quantity",\n'
        "312.0,2433.0,2433.0,Estimator,(building)\n"
        "312.0,2433.0,3531.0,Estimator,\n"
        ",,,see Bricklayer,\n"
    )
    groups = {o.id: o.titles for o in sources.read(folder).aside}
    assert groups == {
        "uksoc:312-2433-2433": ("quantity surveyor's Assistant", "Estimator"),
        "uksoc:312-2433-3531": ("Estimator",),
    }


def test_no_title_of_a_held_out_occupation_is_left_as_the_name_of_a_skill() -> None:
    held_out = ontology.split(occupations(400)).test[0]
    skill = Occupation("skill:1", "", ("add", held_out.titles[0]))
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
