"""The command line: `rolecall`. A command's module is imported when the command is run."""

import difflib
import os
import sys
from importlib import import_module
from typing import Any

import click

from rolecall.streams.cli.console import UNUSABLE, guard_terminal, tell_unknown_variables

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
TRAINING = "training"  # a package of its own, which `streams` never imports

# Section -> command -> (module, summary). The order is the order of use.
SECTIONS = {
    "Try it": {
        "demo": ("demo", "Match a made-up sample live, then stop."),
        "up": ("up", "Start broker, index and one worker; Ctrl-C stops all."),
        "match": ("match", "Match two files without broker or index server."),
    },
    "Run it": {
        "topics": ("worker", "Create the topics on the broker."),
        "index": ("index", "Serve the embedded index for workers; Ctrl-C stops it."),
        "worker": ("worker", "Run one worker until SIGTERM or Ctrl-C."),
        "rollout": ("rollout", "Replace the model without a gap."),
        "rebuild": ("rollout", "Build the live model's index again from the topics."),
        "doctor": ("doctor", "Check every part, and say how to fix what is wrong."),
        "dead-letters": ("dead_letters", "List, show and replay records that could not be processed."),
        "settings": ("worker", "Print the effective settings, secrets hidden."),
    },
    "Use it": {
        "publish": ("publish", "Publish vacancies and candidates from files."),
        "tail": ("matches", "Show matches and withdrawals as they are published."),
        "matches": ("matches", "Print the matches that hold now."),
        "explain": ("explain", "Say why a vacancy and a candidate match, or what prevents it."),
        "rules": ("rules", "Add, remove, list and test exclusion rules."),
        "occupations": ("rules", "Load reference occupations."),
    },
    "Improve it": {
        "drift": ("drift", "Compare the newest events with the model's training texts."),
        "train": (TRAINING, "Train a model from occupation data."),
        "evaluate": (TRAINING, "Judge a model on held-out data."),
        "retrain": (TRAINING, "Train a model further from feedback."),
        "feedback": (TRAINING, "Publish and export feedback on matches."),
        "audit": (TRAINING, "Compare groups of people and gendered titles."),
    },
}
COMMANDS = {name: row for section in SECTIONS.values() for name, row in section.items()}


class Sections(click.Group):
    """Commands in the order of use. Help lists them without importing one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, summary = COMMANDS[cmd_name]
        if module == TRAINING:
            return forward(cmd_name, summary)
        command = getattr(import_module(f"rolecall.streams.cli.{module}"), cmd_name.replace("-", "_"))
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and near:
            ctx.fail(f"there is no command {args[0]!r}; did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `| head` closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, summary) for name, (_, summary) in commands.items()])


def forward(name: str, summary: str) -> click.Command:
    """Run `rolecall.training` in place of this process."""

    def run() -> None:
        tell_unknown_variables()
        arguments = click.get_current_context().args
        os.execv(sys.executable, [sys.executable, "-P", "-m", "rolecall.training", name, *arguments])

    return click.Command(
        name,
        callback=run,
        help=summary,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )


@click.group(cls=Sections, context_settings=CONTEXT)
@click.version_option(package_name="rolecall", message="%(prog)s %(version)s")
def group() -> None:
    """Match vacancies and candidates as they are published.

    Vacancies and candidates come in on Kafka topics. rolecall publishes every pair that fits on another
    topic, with a confidence and the reasons.

    \b
    First:       rolecall demo               15 seconds, leaves nothing behind
    Then:        rolecall up                 a stack to try things on
                 rolecall publish jobs.jsonl people.jsonl
                 rolecall tail
    Production:  rolecall topics create      once
                 rolecall worker             up to one per partition of a topic

    Settings are environment variables, ROLECALL_…, or lines in .env; `rolecall settings` lists them.

    \b
    Exit codes:  0    done
                 1    tried, and failed
                 2    wrong usage, settings or model, or the broker is not there
                 130  interrupted with Ctrl-C
    """


def rolecall() -> int:
    """Run the command of `sys.argv`; the exit code."""
    guard_terminal()
    try:
        return int(group.main(prog_name="rolecall", standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return UNUSABLE
