"""What must hold for the rows the model learns from and is judged on."""

import numpy as np

from {{ cookiecutter.package_name }} import schema, table

from ..conftest import Trained


def test_every_row_passes_the_schema(trained: Trained) -> None:
    assert schema.faults(trained.train, trained.config) == []
    assert schema.faults(trained.test, trained.config) == []


def test_a_value_outside_its_range_is_found_with_its_row(trained: Trained) -> None:
    ranged = [n for n, c in trained.config.columns.items() if c.max is not None]
    for name in ranged:
        broken = trained.test | {name: trained.test[name].copy()}
        broken[name][2] = trained.config.columns[name].max + 1
        fault = schema.faults(broken, trained.config)[0]
        assert (fault["column"], fault["rows"]) == (name, 1)
        assert fault["first"] == [int(trained.test[table.ROW][2])]


def test_no_row_is_in_both_parts(trained: Trained) -> None:
    assert not set(trained.train[table.ROW]) & set(trained.test[table.ROW])


def test_both_parts_hold_every_class(trained: Trained) -> None:
    for part in (trained.train, trained.test):
        labels = set(part[trained.config.data.target].tolist())
        if trained.config.data.task == "regression":
            assert np.isfinite(part[trained.config.data.target]).all()
        else:
            assert labels == set(trained.config.data.classes)
