import json

from click.testing import CliRunner

from bench.qdrant import main


def test_the_last_line_has_the_processor_time_of_both_directions() -> None:
    result = CliRunner().invoke(main, ["--rounds", "1"], catch_exceptions=False)
    figures = json.loads(result.stdout.splitlines()[-1])
    assert figures.keys() == {"upsert_cpu_ms", "search_cpu_ms"}
    assert all(value > 0 for value in figures.values())
