"""What a terminal gets to see of texts that anybody may have written, and since when matches are known."""

import io
import os
import pty
import subprocess
import sys

import pytest

from rolecall.streams.cli.console import Guarded, visible
from rolecall.streams.cli.matches import Known


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;owned\x07", "\\u001b]0;owned\\u0007"),  # sets the window's title
        ("\x1b[2J", "\\u001b[2J"),  # clears the screen
        ("\x1b[8mhidden", "\\u001b[8mhidden"),
        ("\x9b2J", "\\u009b2J"),  # the same in one character
        ("good\rbad", "good\\u000dbad"),
        ("a\x7fb\x00", "a\\u007fb\\u0000"),
        ("nurse\u202etfel", "nurse\\u202etfel"),  # writes from right to left
    ],
)
def test_control_characters_are_shown_as_escapes(text, seen):
    assert visible(text) == seen


@pytest.mark.parametrize("text", ["\x1b[1mbold\x1b[0m", "\x1b[32mgreen\x1b[0m", "a\tb\n", "Köln 東京 🧑‍🍳"])
def test_colours_tabs_lines_and_letters_stay(text):
    assert visible(text) == text


def test_a_guarded_stream_writes_what_is_visible():
    written = io.BytesIO()
    stream = Guarded(written, "utf-8", write_through=True)
    print("\x1b[2Jx", file=stream)
    assert written.getvalue() == b"\\u001b[2Jx\n"


def said_on_a_terminal(command, **options):
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, **options):
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 4096):
                said += piece
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    return said


def test_a_drawing_moves_the_cursor_of_a_guarded_terminal():
    script = (
        "from rolecall.streams.cli import console, drawing\n"
        "console.guard_terminal()\n"
        "with drawing.drawing_console().status('working'): print('x')\n"
    )
    environment = os.environ | {"TERM": "xterm"}
    said = said_on_a_terminal([sys.executable, "-c", script], env=environment)
    assert b"\x1b[?25l" in said  # hides the cursor
    assert b"\\u001b" not in said


def test_progress_bars_do_not_erase_the_table_of_matches(tmp_path):
    at = "2026-01-01T00:00:00Z"
    (tmp_path / "jobs.jsonl").write_text(f'{{"id": "v", "occurred_at": "{at}", "title": "Truck driver"}}\n')
    (tmp_path / "people.jsonl").write_text(
        f'{{"id": "c", "occurred_at": "{at}", "titles": ["Truck driver"]}}\n'
    )
    command = [sys.executable, "-m", "rolecall.streams.cli", "match", "jobs.jsonl", "people.jsonl"]
    said = said_on_a_terminal(command, env=os.environ | {"TERM": "xterm"}, cwd=tmp_path)
    _, moved_up, after = said.rpartition(b"\x1b[1A")
    assert moved_up  # the bars were drawn again
    assert b"Truck driver" in after


@pytest.mark.parametrize("terminal", [True, False])
def test_commands_guard_a_terminal_and_no_pipe(terminal, tmp_path):
    command = [sys.executable, "-m", "rolecall.streams.cli", "settings"]
    environment = os.environ | {"ROLECALL_CONSUMER_GROUP": "a\x07b"}
    if not terminal:
        said = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=True).stdout
        assert b"a\x07b" in said
        return
    said = said_on_a_terminal(command, env=environment, cwd=tmp_path)
    assert b"\x07" not in said
    assert b"a\\u0007b" in said


class TestKnownSince:
    def test_while_nothing_was_deleted_everything_is_known(self):
        known = Known({0: 0, 1: 0})
        known.take(0, 1_000)
        assert known.since() is None

    def test_it_is_known_from_the_first_record_of_the_partition_that_was_cut_last(self):
        known = Known({0: 0, 1: 7, 2: 9})
        for partition, at in ((0, 9_000), (1, 60_000), (2, 61_000), (2, 99_000)):
            known.take(partition, at)
        assert known.since() == "1970-01-01T00:01:01+00:00"

    def test_nothing_is_known_of_a_partition_without_records(self):
        known = Known({0: 3})
        assert known.since() == "now"
