from pathlib import Path

import pytest
from ml_template.model import lineage
from ml_template.settings.config import InputError, load_config

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
        (
            "seed: 1",
            "seed: 1\nchecks: {freshness: {column: y, max_days: 3}}",
            "checks.freshness: 'y' must be a datetime column",
        ),
        ("seed: 1", "seed: [1", "is not valid YAML"),
        ("seed: 1", "seed: " + "[" * 100_000, "line 6: is nested more than 50 deep"),
        ("seed: 1", "seed: " + "{a: " * 60 + "1" + "}" * 60, "line 6: is nested more"),
        ("seed: 1", "seed: &a [*a]", "line 6: *a stands before &a is whole"),
        ("seed: 1", "seed: *b", "line 6: *b stands before &b is whole"),
        ("seed: 1", "? [a]\n: 1", "line 6: a key must be a word"),
        ("seed: 1", "{a: 1}: b", "line 6: a key must be a word"),
        ("seed: 1", f"seed: {'9' * 10_000}", "line 6: 9999"),
        ("seed: 1", f"seed: 0x{'f' * 10_000}", "line 6: 0xff"),
        ("seed: 1", f"seed: {'9' * 20}", f"line 6: {'9' * 20} is beyond 64 bits: write a smaller"),
        ("linear", "linear, params: {max_iter: " + "9" * 300 + "}", "line 5: 9999"),
        ("linear", "linear, params: {max_iter: -0xffffffffffffffff}", "is beyond 64 bits"),
        ("target: y", "target: y, memory_gb: .inf", "data.memory_gb: must be a finite number"),
        ("target: y", "target: y, memory_gb: 1.0e+400", "data.memory_gb: must be a finite number"),
        ("target: y", "target: y, memory_gb: .nan", "data.memory_gb"),
        ("seed: 1", "seed: 1\ncompute: {threads: 1025}", "compute.threads"),
        ("seed: 1", "seed: 1\nsample: {rows: 100_000_001}", "sample.rows"),
        ("min: 0", "min: 1:30", "line 3: 1:30 would be read as 90"),
        ("min: 0", "min: 017", "line 3: 017 would be read as 15"),
        ("min: 0", "min: 2024-13-45", "line 3: 2024-13-45 is no timestamp"),
        ("min: 0", "min: 2024-12-31", "line 3: 2024-12-31 is read as date: write it in quotes"),
        ("min: 0", "min: !!int ten", "line 3: ten is no int"),
        ("min: 0", "min: !!bool ''", "is no bool"),
        ("min: 0", "min: !!timestamp soon", "soon is no timestamp"),
        ("min: 0", "min: !!binary aGk=", "is read as bytes"),
        ("min: 0", "min: !!python/object/apply:os.getcwd []", "line 3: tag:yaml.org,2002:python"),
        ("min: 0", "min: !mine 1", "'!mine'"),
        ('["no", "yes"]', "!!set {a, b}", "line 2: tag:yaml.org,2002:set"),
        ("test: 0.2}", "on: 0.2}", "split.1: the key must be text"),
        ("seed: 1", "1: 2", "1: the key must be text"),
        ("seed: 1", "seed: 1\n---\nseed: 2", "expected a single document"),
        ("seed: 1", "seed:\n\t1", "line 7"),
        ("seed: 1", "seed: 1 # \0", "control characters are not allowed"),
        ("seed: 1", "seed: \x1b", "control characters are not allowed"),
        ("seed: 1", f"seed: 1 # {'x' * (17 << 20)}", "is larger than 16 MB"),
        ("data: {path: data/x.csv, ", "data: {", "data.path: this key is missing"),
    ],
)
def test_a_fault_names_file_and_key(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as refusal:
        load(tmp_path, GOOD.replace(old, new))
    assert "model_config.yaml" in str(refusal.value)
    assert says in str(refusal.value)


def test_aliases_that_grow_without_end_are_refused_before_they_are_followed(tmp_path: Path) -> None:
    lines = [f"  - &n{at} [{', '.join([f'*n{at - 1}'] * 10)}]" for at in range(1, 12)]
    with pytest.raises(
        InputError, match=r"model_config\.yaml: line 1\d: more than 1,000,000 values"
    ):
        load(tmp_path, GOOD + "\n".join(["left_out:", "  - &n0 [1]", *lines]))
    merged = [f"m{at}: &m{at}\n  <<: [{', '.join([f'*m{at - 1}'] * 10)}]" for at in range(1, 12)]
    with pytest.raises(InputError, match="more than 1,000,000 values"):
        load(tmp_path, "\n".join(["m0: &m0 {a: 1}", *merged]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{type: numeric, min: 0}", "&a {type: numeric, min: 0}, c: *a"),
        ("{type: numeric, min: 0}", "&a {type: numeric, min: 0}, c: {<<: *a, min: 1}"),
        ("{type: numeric, min: 0}", "{type: numeric, min: 1_000, max: 1.0e+300}"),
        (
            "{type: categorical}",
            "{type: categorical, values: [=, <<, '1:30', '2024-01-01', '017']}",
        ),
        ("{type: categorical}", "{type: categorical, values: [!!str 1, !!str yes]}"),
        ("{estimator: linear}", "{params: {class_weight: {0: 1.0, 1: 3.0}}}"),
        ("{type: numeric, min: 0}", "{type: numeric, min: -9223372036854775807, max: 1.0e+20}"),
        ("seed: 1", "seed: 1\nsample: {rows: 100_000_000}\ncompute: {threads: 1024}"),
        ("target: y", "target: y, memory_gb: 1.0e+300"),
        ("{estimator: linear}", "{params: " + "{a: " * 40 + "1" + "}" * 41),
        ("seed: 1", "seed: 1\nleft_out: {'on': a, '1': b}"),
        ("\ndata", "\ufeffdata"),
        ("\n", "\r\n"),
        ("seed: 1", f"seed: 1 # {'x' * (1 << 20)}"),
    ],
)
def test_what_is_unusual_but_clear_is_read(tmp_path: Path, old: str, new: str) -> None:
    assert old in GOOD
    load(tmp_path, GOOD.replace(old, new))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"[1]", "must hold keys and values, not list"),
        (GOOD.encode("utf-16"), "is not UTF-8 text"),
        (b"\xff", "is not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_yaml_of_keys_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "model_config.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"model_config.yaml {says}"):
        load_config(path)


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        load_config(tmp_path)


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
