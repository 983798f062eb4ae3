"""The steps of a rollout. Pure. docs/rollout.md gives the reasons.

started    live blue, next green        green builds; its matches go to its rehearsal topic
promoted   live blue, standby green     both publish, blue counts
swapped    live green, standby blue     both publish, green counts; swapping again rolls back
leaving    live green, leaving blue     blue's workers stop
left       live green
"""

from datetime import UTC, datetime
from enum import Enum, auto

from rolecall.schemas.common import milliseconds
from rolecall.schemas.rollout import Deployment, Rollout
from rolecall.streams.errors import NotDeployed, RolloutRefused

FOUNDING = 0  # generation 0 has names without a number


def collections(deployment: Deployment) -> str:
    """Name of the deployment's collections in the index."""
    return _numbered(deployment.model_version, deployment)


def group(deployment: Deployment, base: str) -> str:
    return _numbered(base, deployment)


def rehearsal(deployment: Deployment) -> str:
    """The topic that takes the matches of a deployment before it publishes."""
    return f"matches-g{deployment.generation}"


def _numbered(name: str, deployment: Deployment) -> str:
    return name if deployment.generation == FOUNDING else f"{name}-g{deployment.generation}"


def founded(model_version: str) -> Rollout:
    now = datetime.now(UTC)
    first = Deployment(model_version=model_version, generation=FOUNDING)
    return Rollout(occurred_at=now, revision=milliseconds(now), live=first)


def served(rollout: Rollout, model_version: str, *, newest: bool) -> Deployment:
    """The deployment that a worker with this model serves: the live one if it fits, else the newest."""
    there = [rollout.live, rollout.standby, rollout.next]
    fitting = [each for each in there if each is not None and each.model_version == model_version]
    if not fitting:
        raise NotDeployed(
            f"model {model_version} has no index; live is {rollout.live.model_version}."
            " Build one beside it (`rolecall rollout start MODEL`), or set ROLECALL_MODEL to the live model"
        )
    if newest:
        return max(fitting, key=lambda each: each.generation)
    return fitting[0]


def publishes(rollout: Rollout, deployment: Deployment) -> bool:
    return deployment in (rollout.live, rollout.standby)


def stays(rollout: Rollout, deployment: Deployment) -> bool:
    return deployment == rollout.next or publishes(rollout, deployment)


def started(rollout: Rollout, model_version: str, despite_gate: str | None = None) -> Rollout:
    for there, what in ((rollout.next, "is being built"), (rollout.standby, "stands by")):
        if there is not None:
            raise RolloutRefused(f"{collections(there)} {what}: `rolecall rollout drop` removes it")
    _check_nothing_leaves(rollout)
    fresh = Deployment(model_version=model_version, generation=rollout.generations, despite_gate=despite_gate)
    return _after(rollout, next=fresh, generations=rollout.generations + 1)


class Rebuild(Enum):
    """How far a rebuild has come."""

    NOT_BEGUN = auto()
    BUILDS = auto()  # its index is being built, or its matches are not all published yet
    SWITCHED = auto()  # what it replaces is to be dropped


def rebuild_of(rollout: Rollout) -> Rebuild:
    """An interrupted rebuild goes on from here. A rollout has another model beside the live one."""
    live = rollout.live
    for other in (rollout.next, rollout.standby, rollout.leaving):
        if other is not None and other.model_version == live.model_version:
            return Rebuild.BUILDS if other.generation > live.generation else Rebuild.SWITCHED
    return Rebuild.NOT_BEGUN


def promoted(rollout: Rollout) -> Rollout:
    return _after(rollout, next=None, standby=rollout.next)


def newer_standby(rollout: Rollout) -> Deployment:
    standby = rollout.standby
    if standby is None or standby.generation < rollout.live.generation:
        raise RolloutRefused(
            f"there is nothing to switch to beside {collections(rollout.live)}, which is live:"
            " run `rolecall rollout start` first"
        )
    return standby


def swapped(rollout: Rollout) -> Rollout:
    return _after(rollout, live=rollout.standby, standby=rollout.live)


def rolled_back(rollout: Rollout) -> Rollout:
    if rollout.standby is None or rollout.standby.generation > rollout.live.generation:
        raise RolloutRefused(
            f"there is nothing to roll back to beside {collections(rollout.live)}, which is live"
        )
    return swapped(rollout)


def leaving(rollout: Rollout) -> Rollout:
    """Removes the deployment that is not live. If its removal had begun, the result is the same."""
    if rollout.leaving is not None:
        return rollout
    gone = rollout.next or rollout.standby
    if gone is None:
        raise RolloutRefused(f"there is nothing to drop beside {collections(rollout.live)}, which is live")
    return _after(rollout, next=None, standby=None, leaving=gone)


def left(rollout: Rollout) -> Rollout:
    return _after(rollout, leaving=None)


def _check_nothing_leaves(rollout: Rollout) -> None:
    if rollout.leaving is not None:
        raise RolloutRefused(
            f"{collections(rollout.leaving)} is not completely removed yet: run `rolecall rollout drop` again"
        )


def _after(rollout: Rollout, **changes: object) -> Rollout:
    now = datetime.now(UTC)
    revision = max(milliseconds(now), rollout.revision + 1)
    return rollout.model_copy(update={"occurred_at": now, "revision": revision, **changes})
