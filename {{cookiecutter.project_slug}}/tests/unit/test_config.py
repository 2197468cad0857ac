from pathlib import Path

import pytest

from {{ cookiecutter.package_name }} import lineage
from {{ cookiecutter.package_name }}.config import InputError, load_config

GOOD = """
data: {path: data/x.csv, target: y, task: binary, classes: ["no", "yes"], positive: "yes"}
columns: {a: {type: numeric, min: 0}, b: {type: categorical}}
split: {test: 0.2}
model: {estimator: linear}
seed: 1
"""


def load(folder: Path, text: str) -> None:
    path = folder / "model_config.yaml"
    path.write_text(text, encoding="utf-8")
    load_config(path)


def test_a_good_file_loads(tmp_path: Path) -> None:
    load(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("seed: 1", "seeds: 1", "seeds: unknown key"),
        ("seed: 1", "seed: '1'", "seed: must be a whole number"),
        ("test: 0.2", "test: lots", "split.test: must be a number"),
        ("test: 0.2", "test: .nan", "split.test"),
        ("min: 0", "min: true", "columns.a.min: must be a number"),
        ("type: numeric", "type: number", "columns.a.type"),
        ("min: 0", "max_length: 5", "max_length belongs to categorical and text columns"),
        ("categorical", "categorical, max_length: 0", "columns.b.max_length"),
        ("target: y", "target: a", "'a' is the target"),
        ('positive: "yes"', 'positive: "si"', "positive must be one of classes"),
        ('["no", "yes"]', "[no, yes]", "data.classes.0: must be text: write it in quotes"),
        ("seed: 1", "seed: 1\nseed: 2", "line 7: the key 'seed' is repeated"),
        ("a: {type", "__row__: {type", "'__row__' is taken"),
        ("seed: 1", "seed: 1\nsensitive: [c]", "sensitive: 'c' is not in columns"),
        ("seed: 1", "seed: [1", "is not valid YAML"),
        ("data: {path: data/x.csv, ", "data: {", "data.path: this key is missing"),
    ],
)
def test_a_fault_names_file_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as refusal:
        load(tmp_path, GOOD.replace(old, new))
    assert "model_config.yaml" in str(refusal.value)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("limit", "same"), [("", True), (", max_length: 10000", True), (", max_length: 20", False)]
)
def test_a_default_that_came_later_is_in_no_digest(tmp_path: Path, limit: str, same: bool) -> None:
    """Champions of before have it without having it: nothing asks to train them again."""
    path = tmp_path / "model_config.yaml"
    path.write_text(GOOD.replace("categorical", f"categorical{limit}"), encoding="utf-8")
    config = load_config(path)
    told = config.model_dump(mode="json")["columns"]["b"]
    assert told.keys() - {"max_length"} == config.model_dump(mode="json")["columns"]["a"].keys()
    assert ("max_length" in told) != same
    digests = lineage.digests(config)
    path.write_text(GOOD, encoding="utf-8")
    assert (digests == lineage.digests(load_config(path))) == same


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model_config\.yaml is missing"):
        load_config(tmp_path / "model_config.yaml")
