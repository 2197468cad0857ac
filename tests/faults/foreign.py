"""A SYNTHETIC table nobody has described yet: semicolons, decimal commas, German names, latin-1.

Each row is a parcel; `verspaetet` (late) is drawn from a logistic model of distance, weight, stops
and weather. `schicht` (shift) has no influence.
"""

from __future__ import annotations

import csv
import math
import random
from pathlib import Path

TARGET = "verspaetet"
GROUP = "schicht"
NAMES = ("paket", "schicht", "strecke_km", "gewicht", "stopps", "wetter", "zustellung", TARGET)


def write(path: Path, rows: int, seed: int = 11) -> None:
    """Write `rows` rows; equal for equal arguments."""
    draw = random.Random(seed)
    with path.open("w", encoding="latin-1", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(NAMES)
        for at in range(rows):
            distance = round(draw.lognormvariate(3.2, 0.6), 2)
            weight = round(draw.gammavariate(2.0, 1.7), 3)
            stops = draw.randrange(1, 40)
            weather = draw.choices(("klar", "Regen", "Schnee", "Nebel dünn"), (6, 3, 1, 1))[0]
            margin = -2.4 + 0.03 * distance + 0.12 * weight + 0.05 * (stops - 20)
            margin += {"Schnee": 1.6, "Regen": 0.5}.get(weather, 0.0)
            late = draw.random() < 1 / (1 + math.exp(-margin))
            number = "" if draw.random() < 0.04 else f"{weight:.3f}".replace(".", ",")
            writer.writerow(
                (
                    f"P-{100000 + at * 7}",
                    draw.choice(("früh", "spät")),
                    f"{distance:.2f}".replace(".", ","),
                    number,
                    stops,
                    weather,
                    f"{1 + at % 28:02d}.{1 + at % 12:02d}.2025",
                    "ja" if late else "nein",
                )
            )
