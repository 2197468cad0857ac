"""What must hold for the rows the model learns from and is judged on."""

import numpy as np
from ml_template.testing import Trained


def test_every_row_is_as_model_config_says(trained: Trained) -> None:
    assert trained.faults(trained.train) == []
    assert trained.faults(trained.test) == []


def test_a_value_outside_its_range_is_found_with_its_row(trained: Trained) -> None:
    ranged = [n for n, c in trained.config.columns.items() if c.max is not None]
    for name in ranged:
        broken = trained.test | {name: trained.test[name].copy()}
        broken[name][2] = trained.config.columns[name].max + 1
        fault = trained.faults(broken)[0]
        assert (fault["column"], fault["rows"]) == (name, 1)
        assert fault["first"] == [int(trained.test["__row__"][2])]


def test_no_row_is_in_both_parts(trained: Trained) -> None:
    assert not set(trained.train["__row__"]) & set(trained.test["__row__"])


def test_both_parts_hold_every_class(trained: Trained) -> None:
    for part in (trained.train, trained.test):
        labels = set(part[trained.config.data.target].tolist())
        if trained.config.data.task == "regression":
            assert np.isfinite(part[trained.config.data.target]).all()
        else:
            assert labels == set(trained.config.data.classes)
