"""reports/validation.json: what was validated, against what, and how long it is fresh."""

from __future__ import annotations

from datetime import UTC, datetime

from ...config import Config, InputError
from ...files import digest, digest_json, read_json
from ...places import PREPARED, VALIDATION

PARTS = ("train", "test")
_AGAIN = "run `make run`"


def of(config: Config) -> dict[str, str]:
    """What is validated, by digest: both parts, and what they are held against."""
    against = config.model_dump(mode="json", include={"columns", "checks", "split", "data"})
    files = {part: digest(PREPARED / f"{part}.parquet") for part in PARTS}
    return files | {"config": digest_json(against)}


def require(config: Config) -> None:
    """Raise InputError unless the prepared rows of today were validated and are fresh."""
    record = read_json(VALIDATION, _AGAIN)
    if not isinstance(record, dict) or record.get("of") != of(config):
        raise InputError(f"{VALIDATION} is of other rows, columns or checks: {_AGAIN}")
    limit = record.get("fresh_until")
    if limit and limit < today():
        raise InputError(f"{config.data.path} was fresh until {limit}: bring newer rows: {_AGAIN}")


def today() -> str:
    """ISO day in UTC."""
    return datetime.now(UTC).date().isoformat()
