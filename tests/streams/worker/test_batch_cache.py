"""The batch runner with a cache. The cache must never change the results."""

import pytest

from rolecall.encoder.document import Document, content_hash
from rolecall.schemas.match import Side
from tests.streams.fakes import DictCache, Killed


class NoCache(DictCache):
    """Behaves like a dead Redis."""

    async def get(self, hashes):
        return {}

    async def put(self, rows):
        pass


class TestCache:
    @pytest.fixture
    def cache(self):
        return DictCache()

    @pytest.fixture
    def cached(self, new_world, cache):
        return new_world(cache=cache)

    @pytest.fixture
    def rows(self, cache):
        """The titles whose embeddings are cached."""

        def titles():
            known = {content_hash(Document(title)): title for title in ("nurse", "cook")}
            return {known[key] for key in cache.rows}

        return titles

    async def test_the_same_text_is_encoded_once(self, cached, make):
        tally = await cached.vacancies(make.vacancy("v1"), make.vacancy("v2"), make.vacancy("v3"))
        assert (cached.encoder.encoded, tally.cache_hits) == (1, 0)
        tally = await cached.candidates(make.candidate("c1", title="nurse"))
        assert (cached.encoder.encoded, tally.cache_hits) == (1, 1)

    @pytest.mark.parametrize("cache", [DictCache, NoCache])
    async def test_with_or_without_it_the_points_are_bit_equal(self, new_world, make, cache):
        plain, other = new_world(), new_world(cache=cache())
        batch = [make.vacancy(f"v{number}", title=f"job {number % 3}") for number in range(6)]
        for world in (plain, other, other):
            await world.vacancies(*batch)
            await world.vacancies(
                *(make.vacancy(f"w{number}", title=f"job {number % 3}") for number in range(6))
            )
        for id, point in plain.index.points[Side.VACANCY].items():
            twin = other.index.points[Side.VACANCY][id]
            assert point.vector.tobytes() == twin.vector.tobytes()
            assert point.payload == {key: value for key, value in twin.payload.items() if key != "content"}

    async def test_a_new_text_takes_the_place_of_the_old(self, cached, make, rows):
        await cached.vacancies(make.vacancy("v1", 1, title="nurse"))
        await cached.vacancies(make.vacancy("v1", 2, title="cook"))
        assert rows() == {"cook"}

    async def test_the_same_text_stays_with_a_new_revision(self, cached, make, rows):
        await cached.vacancies(make.vacancy("v1", 1, title="nurse"))
        await cached.vacancies(make.vacancy("v1", 2, title="nurse"))
        assert rows() == {"nurse"}

    async def test_an_erased_text_is_forgotten(self, cached, make, rows):
        await cached.candidates(make.candidate("c1", 1, title="nurse"), make.candidate("c2", 1, title="cook"))
        await cached.candidates(make.erasure("c1", at=2))
        assert rows() == {"cook"}

    async def test_a_closed_text_is_forgotten(self, cached, make, rows):
        await cached.candidates(make.candidate("c1", 1, title="nurse"))
        await cached.candidates(make.candidate("c1", 2, title="nurse", status="closed"))
        assert rows() == set()

    async def test_a_late_older_event_leaves_nothing(self, cached, make, rows):
        await cached.candidates(make.erasure("c1", at=5))
        await cached.candidates(make.candidate("c1", 4, title="nurse"))
        assert rows() == set()

    async def test_nor_does_one_that_dies_and_comes_again(self, cached, make, rows):
        await cached.candidates(make.erasure("c1", at=5))
        cached.index.fail("upsert", Killed())
        with pytest.raises(Killed):
            await cached.candidates(make.candidate("c1", 4, title="nurse"))
        await cached.candidates(make.candidate("c1", 4, title="nurse"))
        assert rows() == set()

    async def test_it_is_forgotten_however_the_process_dies(self, cached, make, rows):
        """The row is deleted before the index changes, because after a crash its hash would be unknown."""
        await cached.candidates(make.candidate("c1", 1, title="nurse"))
        cached.index.fail("upsert", Killed())
        with pytest.raises(Killed):
            await cached.candidates(make.erasure("c1", at=2))
        assert rows() == set()

    @pytest.mark.parametrize("cache", [DictCache, NoCache])
    async def test_with_or_without_it_the_matches_are_the_same(self, new_world, make, cache):
        plain, other = new_world(), new_world(cache=cache())
        for world in (plain, other):
            await world.vacancies(make.vacancy("v1", title="nurse"), make.vacancy("v2", title="cook"))
            await world.candidates(make.candidate("c1", title="nurse"), make.candidate("c2", title="cook"))
        assert plain.matches == other.matches
