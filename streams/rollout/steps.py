"""What a rollout goes through, step by step. Pure; docs/rollout.md has the reasons.

started    live blue, next green        green builds; its matches go to a topic that nobody counts
promoted   live blue, standby green     both publish, blue counts
swapped    live green, standby blue     both publish, green counts; swapped again: rolled back
leaving    live green, leaving blue     blue's workers stop
left       live green
"""

from datetime import UTC, datetime

from rolecall.schemas.common import milliseconds
from rolecall.schemas.rollout import Deployment, Rollout
from rolecall.streams.errors import NotDeployed, RolloutRefused

FOUNDING = 0  # keeps the plain names, as if there were no generations


def collections(deployment: Deployment) -> str:
    """What names the deployment's collections in the index."""
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
    """What a worker with this model serves: the live one before others, or else the newest."""
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


def started(rollout: Rollout, model_version: str) -> Rollout:
    for there, what in ((rollout.next, "is being built"), (rollout.standby, "stands by")):
        if there is not None:
            raise RolloutRefused(f"{collections(there)} {what}: `rolecall rollout drop` removes it")
    _check_nothing_leaves(rollout)
    fresh = Deployment(model_version=model_version, generation=rollout.generations)
    return _after(rollout, next=fresh, generations=rollout.generations + 1)


def promoted(rollout: Rollout) -> Rollout:
    return _after(rollout, next=None, standby=rollout.next)


def newer_standby(rollout: Rollout) -> Deployment:
    standby = rollout.standby
    if standby is None or standby.generation < rollout.live.generation:
        raise RolloutRefused(
            f"nothing to switch to, {collections(rollout.live)} is live: begin with `rolecall rollout start`"
        )
    return standby


def swapped(rollout: Rollout) -> Rollout:
    return _after(rollout, live=rollout.standby, standby=rollout.live)


def rolled_back(rollout: Rollout) -> Rollout:
    if rollout.standby is None or rollout.standby.generation > rollout.live.generation:
        raise RolloutRefused(f"nothing to roll back to, {collections(rollout.live)} is live")
    return swapped(rollout)


def leaving(rollout: Rollout) -> Rollout:
    """Of whatever is not live; again the same where it had begun."""
    if rollout.leaving is not None:
        return rollout
    gone = rollout.next or rollout.standby
    if gone is None:
        raise RolloutRefused(f"nothing to drop beside {collections(rollout.live)}, which is live")
    return _after(rollout, next=None, standby=None, leaving=gone)


def left(rollout: Rollout) -> Rollout:
    return _after(rollout, leaving=None)


def _check_nothing_leaves(rollout: Rollout) -> None:
    if rollout.leaving is not None:
        raise RolloutRefused(
            f"{collections(rollout.leaving)} is not wholly removed yet: run `rolecall rollout drop` again"
        )


def _after(rollout: Rollout, **changes: object) -> Rollout:
    now = datetime.now(UTC)
    revision = max(milliseconds(now), rollout.revision + 1)
    return rollout.model_copy(update={"occurred_at": now, "revision": revision, **changes})
