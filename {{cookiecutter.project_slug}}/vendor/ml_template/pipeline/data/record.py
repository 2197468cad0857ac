"""reports/validation.json: what was validated, against what, and how long it is fresh."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from ...settings.config import Config, InputError
from ...storage.files import digest, digest_json, read_json
from ...storage.places import PREPARED, VALIDATION

PARTS = ("train", "test")
_AGAIN = "run `make run`"


def of(config: Config) -> dict[str, str]:
    """What is validated, by digest: both parts, and what they are held against."""
    against = config.model_dump(mode="json", include={"columns", "checks", "split", "data"})
    return files(PREPARED) | {"config": digest_json(against)}


def files(folder: Path) -> dict[str, str]:
    """The digests of both parts in `folder`."""
    return {part: digest(folder / f"{part}.parquet") for part in PARTS}


def require(config: Config) -> None:
    """Raise InputError unless the prepared rows of today were validated and are fresh."""
    record = read_json(VALIDATION, _AGAIN)
    held, now = (record.get("of") if isinstance(record, dict) else None), of(config)
    if not isinstance(held, dict) or any(held.get(part) != now[part] for part in PARTS):
        raise InputError(f"{VALIDATION} is of other rows: {_AGAIN}")
    if held != now:
        raise InputError(
            f"{VALIDATION} is of other columns or checks (of model_config.yaml, or an update of "
            f"the template reads more in it): {_AGAIN}"
        )
    limit = record.get("fresh_until")
    if limit and limit < today():
        raise InputError(f"{config.data.path} was fresh until {limit}: bring newer rows: {_AGAIN}")


def today() -> str:
    """ISO day in UTC."""
    return datetime.now(UTC).date().isoformat()
