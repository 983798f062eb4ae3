"""The first worker writes the first rollout record. If a record was lost, nobody may write a first one again:
it could make an index live that was replaced since."""

from rolecall.schemas.match import Side
from rolecall.schemas.rollout import Deployment, Rollout
from rolecall.schemas.topics import ROLLOUTS
from rolecall.streams.connect import connect_index
from rolecall.streams.errors import NotDeployed
from rolecall.streams.kafka.lag import groups_with_commits
from rolecall.streams.rollout import steps
from rolecall.streams.rollout.switch import RolloutSession
from rolecall.streams.rollout.topic import write
from rolecall.streams.settings import Settings


async def check_unfounded(settings: Settings, model_version: str, dims: int, *, found: bool) -> None:
    """Raises `NotDeployed` if a group has committed offsets or the index holds points: a record was lost.

    `found`: points in the index are allowed.
    """
    if groups := await groups_with_commits(settings, settings.consumer_group):
        raise NotDeployed(_lost(f"group {', '.join(groups)} has committed offsets"))
    if found:
        return
    index = connect_index(settings, model_version, dims)
    try:
        gone = await index.missing()
        held = sum([await index.count(side) for side in Side if side not in gone])
    finally:
        await index.close()
    if held:
        raise NotDeployed(_lost(f"the index holds {held:,} points of model {model_version}"))


def _lost(but: str) -> str:
    return (
        f"topic {ROLLOUTS.name} has no record, but {but}: the record was lost. Write it again with the"
        " generation that is live (0 if there never was a rebuild or rollout): rolecall rollout found"
        " --generation N"
    )


async def found(at: RolloutSession, model_version: str, generation: int) -> Rollout:
    """Write the lost record again."""
    if (there := await at.rollouts.newest()) is not None:
        raise NotDeployed(f"{steps.collections(there.live)} is live: nothing is lost")
    live = Deployment(model_version=model_version, generation=generation)
    record = steps.founded(model_version)
    return await write(at.publisher, record.model_copy(update={"live": live, "generations": generation + 1}))
