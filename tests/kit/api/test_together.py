"""Requests of the same moment share one call of the model and nothing else."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from ml_template.serving.records import Record
from ml_template.serving.together import Together


class Doubling:
    """A model that doubles `x`, fails for x = 13, and keeps the size of each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def __call__(self, records: list[Record]) -> np.ndarray:
        self.calls.append(len(records))
        if any(record["x"] == 13 for record in records):
            raise ValueError("13")
        return np.array([2.0 * record["x"] for record in records])


def ask(model: Doubling, *requests: list[int]) -> list[np.ndarray | BaseException]:
    async def together() -> list[np.ndarray | BaseException]:
        turn = Together(model)
        asked = [turn.outputs([{"x": x} for x in xs]) for xs in requests]
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(together())


def test_requests_of_one_turn_are_one_call_and_each_gets_its_own_rows() -> None:
    model = Doubling()
    answers = ask(model, [1], [2, 3], [4])
    assert [list(answer) for answer in answers if isinstance(answer, np.ndarray)] == [
        [2],
        [4, 6],
        [8],
    ]
    assert model.calls == [4]


def test_a_request_that_makes_the_model_fail_fails_alone() -> None:
    first, second, third = ask(Doubling(), [1], [13, 2], [3])
    assert isinstance(second, ValueError)
    assert list(first) == [2]  # type: ignore[call-overload]
    assert list(third) == [6]  # type: ignore[call-overload]


def test_a_request_whose_client_has_gone_does_not_hurt_the_others() -> None:
    async def leave() -> float:
        turn = Together(Doubling())
        turn.outputs([{"x": 1}]).cancel()
        return float((await turn.outputs([{"x": 2}]))[0])

    assert asyncio.run(leave()) == 4


def test_nothing_is_computed_for_clients_that_have_gone() -> None:
    model = Doubling()

    async def leave() -> None:
        turn = Together(model)
        turn.outputs([{"x": 1}] * 2000).cancel()
        turn.outputs([{"x": 1}]).cancel()
        await turn.outputs([{"x": 2}])

    asyncio.run(leave())
    assert model.calls == [1]


def test_a_client_that_has_gone_is_passed_over_where_the_model_fails_too() -> None:
    async def leave() -> float:
        turn = Together(Doubling())
        turn.outputs([{"x": 13}]).cancel()
        return float((await turn.outputs([{"x": 2}]))[0])

    assert asyncio.run(leave()) == 4


def test_a_call_has_a_bounded_number_of_rows() -> None:
    model = Doubling()
    answers = ask(model, *([[1] * 400] * 6))
    assert [len(answer) for answer in answers if isinstance(answer, np.ndarray)] == [400] * 6
    assert model.calls == [1200, 1200]


def test_later_requests_are_later_calls() -> None:
    model = Doubling()

    async def twice() -> None:
        turn = Together(model)
        await turn.outputs([{"x": 1}])
        with pytest.raises(ValueError, match="13"):
            await turn.outputs([{"x": 13}])

    asyncio.run(twice())
    assert model.calls == [1, 1, 1]


def test_a_call_takes_bodies_of_so_many_bytes() -> None:
    model = Doubling()

    async def together() -> list[np.ndarray]:
        turn = Together(model, most_bytes=100)
        return await asyncio.gather(*(turn.outputs([{"x": x}], 60) for x in range(5)))

    assert [answer.tolist() for answer in asyncio.run(together())] == [[0], [2], [4], [6], [8]]
    assert model.calls == [2, 2, 1]
