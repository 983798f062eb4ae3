"""Which city a name means, so that `München` and `Munich` are one. Data of GeoNames, CC BY 4.0.

`city_names.npz` covers cities of at least 50,000 people. It has a row for each name of each city: a hash of
the name, and GeoNames' number of the city. Every worker loads it, in milliseconds.
`python -m bench.rig.city_names` builds it.
"""

from functools import cache, lru_cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

TABLE = Path(__file__).with_name("city_names.npz")
MOST_MEANINGS = 8  # of a name; the largest cities


@cache
def _table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint32], dict[int, str]]:
    """Sorted hashes of names, the city of each, and the country of each city."""
    with np.load(TABLE) as table:
        pairs = zip(table["cities"].tolist(), table["countries"].tolist(), strict=True)
        return table["names"], table["meanings"], dict(pairs)


@lru_cache(65_536)
def cities_named(key: str, country: str | None) -> frozenset[int]:
    """GeoNames' numbers of the cities with this name, in one country if it is known. `key`: of `city_key`."""
    names, meanings, countries = _table()
    wanted = name_hash(key)
    first, last = np.searchsorted(names, wanted, "left"), np.searchsorted(names, wanted, "right")
    inside = [city for city in meanings[first:last].tolist() if country in (None, countries[city])]
    return frozenset(inside[:MOST_MEANINGS])


def name_hash(key: str) -> np.uint64:
    return np.uint64(int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "little"))
