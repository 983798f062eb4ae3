"""Find the most similar titles with the bundled encoder.

    python encode_titles.py "registered nurse"

A vector has length 1. The product of two vectors is their similarity, from 0 to 1.
"""

import sys

from rolecall import Document, Encoder

TITLES = ("night shift nurse", "truck driver", "bookkeeper", "backend developer", "care assistant")


def nearest(title: str) -> list[tuple[float, str]]:
    encoder = Encoder.load()
    known = encoder.encode([Document(each) for each in TITLES])
    asked = encoder.encode([Document(title)])
    scores = known.vectors @ asked.vectors[0]  # (titles,)
    return sorted(zip(scores.tolist(), TITLES, strict=True), reverse=True)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    for score, title in nearest(sys.argv[1]):
        print(f"{score:.2f}  {title}")
