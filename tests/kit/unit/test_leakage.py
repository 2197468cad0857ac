"""Columns that give the target away are found; strong honest ones stay."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from ml_template.pipeline.data import leakage
from ml_template.tables.table import Columns
from sklearn import datasets

N = 1000
RANDOM = np.random.default_rng(5)
NOISE = RANDOM.normal(size=N)
LABELS = np.where(RANDOM.random(N) < 0.3, "yes", "no").astype(object)
IS_YES = (LABELS == "yes").astype(float)
AMOUNT = RANDOM.gamma(2, 10, size=N)
FLIPPED = np.where(RANDOM.random(N) < 0.02, 1 - IS_YES, IS_YES)


def leaking(columns: Columns, target: np.ndarray, task: leakage.Task) -> set[str]:
    honest = {"noise": NOISE, "steps": np.arange(N) % 7.0}
    found = leakage.find(honest | columns, target, task)
    return {name for leak in found for name in leak.columns}


@pytest.mark.parametrize(
    "copy",
    [
        IS_YES,
        np.where(IS_YES == 1, "A", "B").astype(object),
        FLIPPED,
        IS_YES + RANDOM.normal(0, 0.25, N),
        np.where(IS_YES == 1, AMOUNT, 0.0),
        np.where(IS_YES == 1, AMOUNT, np.nan),
    ],
    ids=["copy", "other words", "2 % noise", "close numbers", "known afterwards", "filled in"],
)
def test_a_column_that_names_the_class_is_a_leak(copy: np.ndarray) -> None:
    assert leaking({"copy": copy}, LABELS, "binary") == {"copy"}


DAYS = np.datetime64("2026-01-01", "us") + (AMOUNT * 24).astype("m8[h]")
LATER = RANDOM.random(N) < 0.8  # filled in late for the others


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        (np.where(IS_YES == 1, DAYS, np.datetime64("9999-12-31", "us")), "9999-12-31"),
        (DAYS + IS_YES.astype("m8[D]") * 300, "AUC"),
        (np.where((IS_YES == 1) & LATER, DAYS, np.datetime64("NaT")), "is filled in only where"),
        (np.where((IS_YES == 1) & LATER, DAYS, np.datetime64("1970-01-01", "us")), "only where"),
    ],
    ids=["never", "later", "mostly filled in", "mostly filled in, or long ago"],
)
def test_a_date_that_names_the_class_is_a_leak(dates: np.ndarray, reason: str) -> None:
    assert reason in leakage.find({"date": dates}, LABELS, "binary")[0].reason


@pytest.mark.parametrize("label", ["yes", "no"])
def test_words_filled_in_for_one_class_only_are_a_leak(label: str) -> None:
    words = RANDOM.choice(["price", "service", "moved"], N)
    reason = np.where((label == LABELS) & LATER, words, None)
    found = leakage.find({"reason": reason}, LABELS, "binary")
    assert found[0].reason == f"it is filled in only where the target is {label!r}"


def test_a_copy_with_another_text_in_some_cells_is_a_leak() -> None:
    copy = np.where(RANDOM.random(N) < 0.05, "zz", LABELS.astype(str)).astype(object)
    assert leaking({"copy": copy}, LABELS, "binary") == {"copy"}


def test_gaps_and_dates_that_only_hint_at_the_class_stay() -> None:
    often = np.where(RANDOM.random(N) < np.where(IS_YES == 1, 0.8, 0.1), AMOUNT, np.nan)
    days = {"often": often, "day": DAYS + IS_YES.astype("m8[D]") * 40}
    assert leaking(days, LABELS, "binary") == set()
    rare = np.where(np.arange(N) < 15, "yes", "no").astype(object)  # half of "no" says nothing
    assert leaking({"half": np.where(LATER, AMOUNT, np.nan)}, rare, "binary") == set()


@pytest.mark.parametrize(
    "copy",
    [
        AMOUNT * 3 - 1,
        np.log(AMOUNT),
        AMOUNT + RANDOM.normal(0, 0.5, N),
        np.digitize(AMOUNT, [10, 20, 30]).astype(float),
        (AMOUNT / 4).round(),
    ],
    ids=["scaled", "logarithm", "noise", "cut into groups", "rounded"],
)
def test_another_form_of_a_number_is_a_leak(copy: np.ndarray) -> None:
    assert leaking({"copy": copy}, AMOUNT, "regression") == {"copy"}


def test_the_logarithm_of_a_heavy_tail_is_a_leak() -> None:
    logarithm = RANDOM.normal(0, 4, size=N)
    assert leaking({"copy": logarithm}, np.exp(logarithm), "regression") == {"copy"}


def test_words_that_stand_for_a_number_are_a_leak() -> None:
    amount = RANDOM.uniform(0, 100, N)
    words = np.array([f"near {value:.0f}" for value in amount], dtype=object)
    assert leaking({"words": words}, amount, "regression") == {"words"}


def test_more_values_than_classes_can_name_the_class() -> None:
    within = np.where(IS_YES == 1, RANDOM.uniform(40, 60, N), RANDOM.choice([10, 90], N) + NOISE)
    assert leaking({"within": within}, LABELS, "binary") == {"within"}


def test_strong_honest_columns_stay() -> None:
    wrong = RANDOM.random(N) < 0.2
    strong = {"score": 1.8 * IS_YES + RANDOM.normal(size=N), "flag": np.where(wrong, 0, IS_YES)}
    three = np.where(RANDOM.random(N) < 0.1, 1 - IS_YES, IS_YES)
    strong["three"] = np.where(RANDOM.random(N) < 0.1, 2, three)
    assert leaking(strong, LABELS, "binary") == set()
    assert leaking({"strong": AMOUNT + 3 * RANDOM.normal(size=N)}, AMOUNT, "regression") == set()


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_known_tables_hold_no_leak(name: str) -> None:
    table = getattr(datasets, f"load_{name}")()
    columns = {str(key): table.data[:, at] for at, key in enumerate(table.feature_names)}
    classes = len(np.unique(table.target))
    task: leakage.Task = "regression" if classes > 10 else "multiclass" if classes > 2 else "binary"
    target = table.target if task == "regression" else table.target.astype(str).astype(object)
    assert leakage.find(columns, target, task) == []


OTHER = RANDOM.gamma(3, 5, size=N)
FORMULAS = {
    "sum": AMOUNT + OTHER,
    "difference": AMOUNT - OTHER,
    "product": AMOUNT * OTHER,
    "ratio": AMOUNT / OTHER,
    "weighted sum": (0.4 * AMOUNT + 0.6 * OTHER).round(2),
}
PAIR = {"left": AMOUNT, "right": OTHER}


@pytest.mark.parametrize("formula", FORMULAS)
def test_two_columns_that_add_up_to_the_target_are_a_leak(formula: str) -> None:
    assert leaking(PAIR, FORMULAS[formula], "regression") == {"left", "right"}


def test_a_product_of_signed_numbers_is_a_leak() -> None:
    signed = {"left": RANDOM.normal(size=N), "right": RANDOM.integers(-3, 4, N).astype(float)}
    assert leaking(signed, signed["left"] * signed["right"], "regression") == set(signed)


@pytest.mark.parametrize("formula", ["sum", "difference", "product", "ratio"])
def test_a_class_that_follows_from_two_columns_is_a_leak(formula: str) -> None:
    values = FORMULAS[formula]
    labels = np.where(values > np.median(values), "high", "low").astype(object)
    assert leaking(PAIR, labels, "binary") == {"left", "right"}


def test_a_total_is_made_of_all_its_parts_even_if_one_is_nearly_all_of_it() -> None:
    parts = {f"month {at}": RANDOM.gamma(2, 10, size=N) for at in range(12)}
    assert leaking(parts, np.sum(list(parts.values()), axis=0), "regression") == set(parts)
    large = {"casual": AMOUNT, "registered": 20 * OTHER}
    assert leaking(large, AMOUNT + 20 * OTHER, "regression") == set(large)


def test_a_duration_is_the_difference_of_two_times() -> None:
    start = np.datetime64("2026-01-01") + np.arange(N) * np.timedelta64(17, "m").astype("m8[us]")
    end = start + AMOUNT.astype("m8[s]")
    times = {"start": start.astype("M8[us]"), "end": end.astype("M8[us]")}
    assert leaking(times, np.floor(AMOUNT), "regression") == {"start", "end"}


def test_one_hot_copies_and_reasons_are_leaks() -> None:
    labels = RANDOM.choice(list("ABC"), N).astype(object)
    copies = {f"is {label}": (labels == label).astype(float) for label in "ABC"}
    assert leaking(copies, labels, "multiclass") == set(copies)
    reasons = {f"reason {at}": (RANDOM.random(N) < 0.05).astype(float) for at in range(4)}
    failed = np.where(np.any(list(reasons.values()), axis=0), "fail", "ok").astype(object)
    assert leaking(reasons, failed, "binary") == set(reasons)


def test_a_sum_with_honest_noise_or_unround_weights_is_learnable() -> None:
    noisy = AMOUNT + OTHER + RANDOM.normal(size=N)
    assert leaking(PAIR, noisy, "regression") == set()
    assert leaking(PAIR, 0.31847 * AMOUNT + 0.72913 * OTHER, "regression") == set()


def test_many_columns_and_few_rows_are_no_leak_by_chance() -> None:
    columns = {str(at): RANDOM.normal(size=100) for at in range(300)}
    labels = np.where(np.arange(100) < 3, "yes", "no").astype(object)
    assert leakage.find(columns, labels, "binary") == []
    assert leakage.find(columns, RANDOM.normal(size=100), "regression") == []


def test_one_long_text_does_not_take_room_in_every_row() -> None:
    words = np.array(["short"] * (N - 1) + ["x" * 100_000], dtype=object)
    tracemalloc.start()
    assert leaking({"words": words}, LABELS, "binary") == set()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < N * 100_000  # an array of fixed width takes four times as much


def test_a_number_swamped_by_another_that_says_it_all_stays() -> None:
    counter = DAYS + (AMOUNT * 100_000).astype("m8[s]")  # AMOUNT again: no leak for a time
    assert leaking({"counter": counter, "small": NOISE}, AMOUNT, "regression") == set()
    closed = np.where(LABELS == "yes", DAYS + np.timedelta64(900, "D"), DAYS)
    assert leaking({"closed": closed, "small": NOISE}, LABELS, "binary") == {"closed"}


def test_an_honest_number_that_orders_three_rare_rows_stays() -> None:
    labels = np.where(np.arange(60) % 20 == 3, "yes", "no").astype(object)
    score = np.where(labels == "yes", 2.5, RANDOM.permutation(60) / 30)
    assert leakage.find({"score": score + np.arange(60) / 1000}, labels, "binary") == []
