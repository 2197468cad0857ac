"""Users of the service for `make load`; locust runs it in its own process."""

from __future__ import annotations

import os

from locust import FastHttpUser, LoadTestShape, constant, task

USERS = int(os.environ["LOAD_USERS"])
DURATION = float(os.environ["LOAD_DURATION"])
# Share of the time that has passed -> share of the users.
SHAPES = {
    "steady": [(1.0, 1.0)],
    "ramp": [(0.25, 0.25), (0.5, 0.5), (0.75, 0.75), (1.0, 1.0)],
    "spike": [(0.4, 0.25), (0.6, 1.0), (1.0, 0.25)],
}
STEPS = SHAPES[os.environ["LOAD_SHAPE"]]
BODY = os.environ["LOAD_BODY"]
JSON = {"content-type": "application/json"}


class Client(FastHttpUser):
    """Asks again as soon as it has its answer."""

    wait_time = constant(0)

    @task
    def predict(self) -> None:
        self.client.post("/predict", data=BODY, headers=JSON)


class Shape(LoadTestShape):
    """As many users as LOAD_SHAPE says for this moment."""

    def tick(self) -> tuple[int, float] | None:
        passed = self.get_run_time() / DURATION
        for until, share in STEPS:
            if passed < until:
                return max(1, round(USERS * share)), USERS
        return None
