"""One log line for each batch, without payload text."""

import json
import logging
import subprocess
import sys

import pytest
from structlog.testing import capture_logs

from rolecall.streams.monitor.logs import Repeated

MARK = "jane.doe@example.org"


def logged(form, level, code):
    """The stderr of a fresh process, because the logging configuration is global."""
    script = (
        f"from rolecall.streams.monitor.logs import configure; configure({form!r}, {level!r})\n"
        "import logging, structlog\n"
    )
    done = subprocess.run([sys.executable, "-c", script + code], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_json_logs_are_one_object_a_line():
    [line] = logged("json", "info", "structlog.get_logger().info('batch', events=3, side='vacancy')")
    entry = json.loads(line)
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "batch", "events": 3, "side": "vacancy", "level": "info"}


def test_an_exception_is_one_line_too():
    code = "try: 1 / 0\nexcept ZeroDivisionError as e: structlog.get_logger().critical('failed', exc_info=e)"
    [line] = logged("json", "info", code)
    assert "ZeroDivisionError" in json.loads(line)["exception"]


def test_libraries_log_in_the_same_form():
    [line] = logged("json", "info", "logging.getLogger('aiokafka').error('no %s', 'broker')")
    assert json.loads(line)["event"] == "no broker"


def test_libraries_are_quiet_below_a_warning():
    assert logged("json", "debug", "logging.getLogger('faust').info('hello')") == []


def test_below_the_level_nothing_is_logged():
    assert logged("json", "warning", "structlog.get_logger().info('batch')") == []


def test_console_logs_are_for_people():
    [line] = logged("console", "info", "structlog.get_logger().info('batch', events=3)")
    assert "batch" in line
    assert "events" in line


class TestNoPayload:
    """The logs never hold the text of an event."""

    @pytest.fixture
    def lines(self):
        with capture_logs() as captured:
            yield captured

    async def test_of_a_record_that_breaks_the_contract(self, world, make, lines):
        await world.candidates(make.raw(b'{"titles": ["%s"], "id": 1' % MARK.encode(), MARK.encode()))
        await world.candidates(make.json(id="c1", titles=MARK, occurred_at=MARK))
        await world.candidates(make.raw(None, b"\xff" + MARK.encode()))
        assert [line["event"] for line in lines] == ["dead_letter"] * 3
        assert "jane" not in str(lines)

    async def test_of_an_event_that_no_attempt_can_process(self, world, make, lines):
        def quotes_the_text(document):
            raise ValueError(f"cannot encode {document.title!r}")

        world.encoder.fail_on("encode", quotes_the_text)
        await world.candidates(make.candidate(title=MARK))
        assert [(line["event"], line["stage"], line["reason"]) for line in lines] == [
            ("dead_letter", "encode", "ValueError")
        ]

    async def test_a_dead_letter_line_says_where_to_find_the_record(self, world, make, lines):
        record = make.raw(b"{")
        await world.vacancies(record)
        [line] = lines
        assert (line["topic"], line["partition"], line["offset"]) == ("vacancies", 0, record.offset)


def test_a_line_that_a_library_repeats_is_dropped_for_10_seconds():
    clock = [100.0]
    repeated = Repeated(now=lambda: clock[0])

    def passes(name, line):
        return repeated.filter(logging.LogRecord(name, logging.WARNING, "conn.py", line, "away", (), None))

    said = []
    for _ in range(21):
        said.append(passes("aiokafka.conn", 7))
        clock[0] += 1
    assert [second for second, is_said in enumerate(said) if is_said] == [0, 10, 20]
    assert passes("aiokafka.conn", 8)
    assert all(passes("rolecall.worker", 7) for _ in range(3))
