"""Limits and log of the service, from environment variables that begin with SERVE_."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..settings.config import InputError

PREFIX = "SERVE_"
Positive = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Settings(BaseModel):
    """`SERVE_MAX_ROWS=100` sets `max_rows`, and so on; an unknown SERVE_ variable is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    max_rows: Positive = 1000  # of one request
    max_bytes: Positive = 1 << 20  # of one body
    max_in_flight: Positive = 512  # requests that have come and are not answered
    max_slow: Positive = 64  # bodies that have not come at once
    request_seconds: Seconds = 5.0  # for a request to come in whole, or an answer to be read
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 0.0  # from SIGTERM to the last request
    log: str = ""  # folder of the prediction log; empty = no log
    log_share: Annotated[float, Field(gt=0, le=1)] = 1.0  # of the requests
    log_features: bool = False  # whether values of the records may be kept
    log_bytes: Positive = 100_000_000  # of all files of the folder, those of earlier starts too
    log_writers: Positive = 1  # processes that share them; WORKERS= counts its own


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from `environ`; raises InputError naming each variable that is wrong."""
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX)
    }
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        known = ", ".join(PREFIX + field.upper() for field in Settings.model_fields)
        said = {"extra_forbidden": f"unknown: choose from {known}"}
        lines = [
            f"{PREFIX}{str(fault['loc'][0]).upper()}: {said.get(fault['type'], fault['msg'])}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise InputError("\n".join(lines)) from None
