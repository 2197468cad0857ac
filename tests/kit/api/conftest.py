"""What the tests of the service share."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from ml_template.settings.config import Data
from ml_template.testing import JSON as JSON
from ml_template.testing import Service as Service
from ml_template.testing import sent as sent


def write_csv(path: Path, records: list[dict[str, Any]], data: Data) -> None:
    """The records as a data file of this project."""

    def text(value: Any) -> Any:
        if value is None:
            return data.missing[0]
        return repr(value).replace(".", data.decimal) if isinstance(value, float) else value

    with path.open("w", encoding=data.encoding, newline="") as file:
        writer = csv.writer(file, delimiter=data.delimiter)
        writer.writerow(records[0])
        writer.writerows([[text(value) for value in record.values()] for record in records])
