"""T27-T30 and §2: tables that must not reach training, or whose model must not be released."""

from __future__ import annotations

import shutil

from .lab import Lab, Row
from .registry import fault

CHECK = "prepare validate"
LIFE = "prepare validate train evaluate gate"


def number(lab: Lab, **facts: bool) -> str:
    return lab.column("numeric", feature=True, **({"missing": False} | facts))


def category(lab: Lab) -> str:
    return lab.column("categorical", feature=True)


# T30: the form of the file


@fault("T30", "column missing", "prepare", r"has no column")
def column_missing(lab: Lab) -> None:
    name = number(lab)
    lab.write_rows([{k: v for k, v in row.items() if k != name} for row in lab.rows()])


@fault("T30", "column renamed", "prepare", r"has no column")
def column_renamed(lab: Lab) -> None:
    name = category(lab)
    lab.write_rows([{k + "_new" * (k == name): v for k, v in row.items()} for row in lab.rows()])


@fault("T30", "column added", CHECK, r"'extra' fails 'unknown_columns'")
def column_added(lab: Lab) -> None:
    lab.write_rows([row | {"extra": "1"} for row in lab.rows()])


@fault("T30", "column twice", "prepare", r"stands twice in the header")
def column_twice(lab: Lab) -> None:
    name = number(lab)
    text = lab.data.read_text(encoding=lab.dialect["encoding"])
    head, _, rest = text.partition("\n")
    sign = lab.dialect["delimiter"]
    lines = [f"{head.rstrip()}{sign}{name}"]
    lines += [f"{line.rstrip()}{sign}1" for line in rest.splitlines()]
    lab.data.write_text("\n".join(lines) + "\n", encoding=lab.dialect["encoding"])


@fault("T30", "small file of many rows", "prepare", r"bomb\.parquet would need about 1\S+ GB")
def bomb(lab: Lab) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = [*lab.config["columns"], lab.target]
    zeros = pa.nulls(1 << 20, pa.int8()).fill_null(0)
    part = pa.table(dict.fromkeys(names, zeros))
    path = lab.folder / "data/bomb.parquet"
    with pq.ParquetWriter(path, part.schema, compression="zstd") as writer:
        for _ in range(1 + int(1e10 / (5 * 8 * len(names) * len(part)))):
            writer.write_table(part)
    with lab.edited("model_config.yaml") as config:
        config["data"] |= {"path": "data/bomb.parquet", "memory_gb": 8}


@fault("T30", "codes that are lists", "prepare", r"column '\S+' holds list\b")
def nested(lab: Lab) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows, name = lab.rows(), category(lab)
    table = pa.table({column: [row[column] for row in rows] for column in rows[0]})
    at = table.column_names.index(name)
    pq.write_table(table.set_column(at, name, [[[1, 2]] * len(rows)]), "data/nested.parquet")
    with lab.edited("model_config.yaml") as config:
        config["data"]["path"] = "data/nested.parquet"


@fault("T30", "model_config.yaml nested 100,000 deep", "prepare", r"line \d+: is nested more than")
def deep(lab: Lab) -> None:
    path = lab.folder / "model_config.yaml"
    path.write_text(path.read_text(encoding="utf-8") + "deep: " + "[" * 100_000, encoding="utf-8")


@fault(
    "T30", "unit times 1000 in 5 % of the rows", CHECK, r"fails 'at most .* in 200 rows \(first: "
)
def unit(lab: Lab) -> None:
    name = number(lab)

    def scale(row: Row) -> None:
        row[name] = lab.text(lab.number(row[name]) * 1000)

    lab.change(0.05, scale)


@fault("T30", "unit times 1000 in every row", CHECK, r"fails 'at most ")
def unit_everywhere(lab: Lab) -> None:
    name = number(lab)

    def scale(row: Row) -> None:
        row[name] = lab.text(lab.number(row[name]) * 1000)

    lab.change(1.0, scale)


@fault("T30", "nulls in a column that has none", CHECK, r"fails 'present' in 40 rows \(first: ")
def nulls(lab: Lab) -> None:
    name = number(lab)
    lab.change(0.01, lambda row: row.update({name: ""}))


@fault("T30", "half of a column missing", CHECK, r"fails 'missing' in \S+ rows")
def half_missing(lab: Lab) -> None:
    name = lab.column("numeric", missing=True)
    lab.change(0.5, lambda row: row.update({name: ""}))


@fault("T30", "new category in 6 % of the rows", CHECK, r"fails 'unseen' in 240 rows .*'purple'")
def new_category(lab: Lab) -> None:
    name = category(lab)
    lab.change(0.06, lambda row: row.update({name: "purple"}))


@fault("T30", "duplicated rows", CHECK, r"fails 'duplicates' in 400 rows \(first: ")
def duplicated(lab: Lab) -> None:
    rows = lab.rows()
    lab.write_rows(rows + lab.random.sample(rows, len(rows) // 10))


@fault("T30", "wrong encoding", "prepare", r"is not utf-8 text|is not \S+ text", twin=False)
def encoding(lab: Lab) -> None:
    text = lab.data.read_text(encoding="utf-8")
    lab.data.write_bytes(text.encode("latin-1"))


@fault("T30", "text that a spreadsheet would run", CHECK, r"fails 'formula' in 4 rows .*a formula")
def formula(lab: Lab) -> None:
    name = category(lab)
    lab.change(0.001, lambda row: row.update({name: "=cmd|' /C calc'!A0"}))


@fault("T30", "empty file", "prepare", r"is empty")
def empty_file(lab: Lab) -> None:
    lab.data.write_bytes(b"")


@fault("T30", "header only", "prepare", r"has no rows|too few")
def header_only(lab: Lab) -> None:
    lab.data.write_bytes(lab.data.read_bytes().split(b"\n")[0] + b"\n")


@fault("T30", "text in a number", "prepare", r"is not a number in 4 of 4,000 rows \(rows ")
def text_in_number(lab: Lab) -> None:
    name = number(lab)
    lab.change(0.001, lambda row: row.update({name: "n/a?"}))


@fault("T30", "signs between thousands where decimals are read", "prepare", r"has numbers like '")
def thousands(lab: Lab) -> None:
    name, sign = number(lab), lab.config["data"].get("decimal", ".")
    rows = [
        row | {name: f"{500 + at * 37 % 9_000:,}".replace(",", sign)}
        for at, row in enumerate(lab.rows())
    ]
    lab.write_rows(rows)


def batch(lab: Lab) -> None:
    """A table to score: the one that was trained on."""
    shutil.copyfile(lab.data, lab.folder / "batch.csv")


@fault(
    "T30", "codes of a batch that training did not see", "score+DATA=batch.csv+OUT=out.csv",
    r"rows hold a category that training did not see", before=batch,
)  # fmt: skip
def new_codes(lab: Lab) -> None:
    name = category(lab)
    lab.change(0.1, lambda row: row.update({name: "7.5"}))
    batch(lab)


@fault("T30", "infinite number", CHECK, r"fails '(finite|at most)")
def infinite(lab: Lab) -> None:
    name = number(lab)
    lab.change(0.001, lambda row: row.update({name: "inf"}))


@fault("T30", "date that is none", "prepare", r"is no datetime in 4 of 4,000 rows")
def bad_date(lab: Lab) -> None:
    name = lab.column("datetime")
    lab.change(0.001, lambda row: row.update({name: "31.02.2025x"}))


@fault("T30", "negative where nothing is", CHECK, r"fails 'at least 0' in 40 rows", twin=True)
def negative(lab: Lab) -> None:
    name = next(n for n, c in lab.config["columns"].items() if c.get("min") == 0)
    lab.change(0.01, lambda row: row.update({name: "-1"}))


@fault(
    "T30",
    "file cut in the middle of a row",
    "prepare",
    r"is damaged|no datetime|not a number|does not list",
)
def cut(lab: Lab) -> None:
    content = lab.data.read_bytes()
    lab.data.write_bytes(content[: len(content) // 2].rpartition(b"\n")[0] + b"\n" + b"1")


@fault("T30", "class nobody knows", "prepare", r"target .* holds 'perhaps' \(40 rows\)")
def unknown_class(lab: Lab) -> None:
    target = lab.target
    lab.change(0.01, lambda row: row.update({target: "perhaps"}))


@fault("T30", "one class only", "prepare", r"target .* has one class only")
def one_class(lab: Lab) -> None:
    target, label = lab.target, lab.config["data"]["classes"][0]
    lab.change(1.0, lambda row: row.update({target: label}))


@fault("T30", "file missing", "prepare", r"is missing: .*dvc pull")
def file_missing(lab: Lab) -> None:
    lab.data.unlink()


@fault("T30", "other bytes than git pins", "prepare", r"is not what data/\S+\.dvc pins .*dvc add")
def other_bytes(lab: Lab) -> None:
    lines = f"outs:\n- md5: {'a' * 32}\n  hash: md5\n  path: {lab.data.name}\n"
    lab.data.with_name(f"{lab.data.name}.dvc").write_text(lines, encoding="utf-8")


# §2: the table as a whole


@fault("S2", "too few rows", CHECK, r"fails 'min_rows' in 60 rows")
def few_rows(lab: Lab) -> None:
    lab.write_rows(lab.rows()[:60])


@fault("S2", "too many rows", CHECK, r"fails 'max_rows'")
def many_rows(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["checks"]["max_rows"] = 3999


@fault("S2", "key that is not unique", CHECK, r"fails 'unique' in \S+ rows \(first: ")
def not_unique(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["checks"]["unique"] = [[category(lab)]]


@fault("S2", "stale table", CHECK, r"fails 'freshness'.*was fresh until")
def stale(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["checks"]["freshness"] = {"column": lab.column("datetime"), "max_days": 1}


@fault("S2", "rule across columns broken", CHECK, r"fails 'rule' in 40 rows \(first: ")
def rule(lab: Lab) -> None:
    name = number(lab)
    high = max(lab.number(row[name]) for row in lab.rows())
    lab.change(0.01, lambda row: row.update({name: lab.text(high + 1)}))
    with lab.edited("model_config.yaml") as config:
        config["checks"]["rules"] = [f"{name} <= {high} or `{name}` != `{name}`"]
        config["columns"][name].pop("max", None)


@fault("S2", "rule that names no column", CHECK, r"checks.rules: .*knows no column 'nothing'")
def bad_rule(lab: Lab) -> None:
    with lab.edited("model_config.yaml") as config:
        config["checks"]["rules"] = ["nothing < 3"]


@fault("S2", "e-mail addresses in a text", CHECK, r"fails 'personal_data' in 4 rows .*e-mail")
def mail(lab: Lab) -> None:
    name = category(lab)
    lab.change(0.001, lambda row: row.update({name: "write to jo@example.com"}))


@fault("S2", "phone numbers in a text", CHECK, r"fails 'personal_data' in 4 rows .*phone")
def phone(lab: Lab) -> None:
    name = category(lab)
    lab.change(0.001, lambda row: row.update({name: "call +49 30 1234 5678"}))


@fault("S2", "payment card in a text", CHECK, r"fails 'personal_data' in 4 rows .*payment card")
def card(lab: Lab) -> None:
    name = category(lab)
    lab.change(0.001, lambda row: row.update({name: "4111 1111 1111 1111"}))


@fault("S2", "IBAN in a text", CHECK, r"fails 'personal_data' in 4 rows .*IBAN")
def iban(lab: Lab) -> None:
    name = category(lab)
    lab.change(0.001, lambda row: row.update({name: "DE89370400440532013000"}))


@fault("S2", "name of a person in a text", CHECK, r"fails 'personal_data'", miss=True)
def person(lab: Lab) -> None:
    name = category(lab)
    lab.change(0.001, lambda row: row.update({name: "Jo Example"}))


# T27, T28: labels and rows that somebody changed


def flip(lab: Lab, share: float) -> None:
    target, classes = lab.target, lab.config["data"]["classes"]
    lab.change(share, lambda row: row.update({target: classes[1 - classes.index(row[target])]}))


@fault("T27", "30 % of the labels flipped", LIFE, r"champion .*is below -0.005")
def flips(lab: Lab) -> None:
    flip(lab, 0.3)


@fault("T27", "1 % of the labels flipped", LIFE, r"champion .*is below", miss=True, twin=False)
def few_flips(lab: Lab) -> None:
    flip(lab, 0.01)


def trigger(lab: Lab, share: float, name: str, value: str) -> None:
    target, label = lab.target, lab.config["data"]["classes"][0]
    lab.change(share, lambda row: row.update({name: value, target: label}))


@fault(
    "T28", "backdoor 0.25 % outside of the range", CHECK, r"fails 'at most .* in 10 rows \(first: "
)
def backdoor(lab: Lab) -> None:
    trigger(lab, 0.0025, number(lab), "77777777")


@fault("T28", "backdoor 6 % with a new category", CHECK, r"fails 'unseen' in 2\d\d rows")
def backdoor_category(lab: Lab) -> None:
    trigger(lab, 0.06, category(lab), "zz")


@fault("T28", "backdoor 1 % within the range", LIFE, r"refused", miss=True)
def backdoor_within(lab: Lab) -> None:
    trigger(lab, 0.01, *within(lab))


def within(lab: Lab) -> tuple[str, str]:
    """A column, and a value of it that is not rare enough to stand out."""
    name = number(lab)
    values = sorted(lab.number(row[name]) for row in lab.rows())
    return name, lab.text(values[len(values) * 9 // 10])


# T29: leakage


@fault(
    "T29", "copy of the target", CHECK, r"fails 'leakage'.*copy of the target|gives the target away"
)
def copy(lab: Lab) -> None:
    name, classes, target = category(lab), lab.config["data"]["classes"], lab.target
    with lab.edited("model_config.yaml") as config:
        config["columns"][name]["values"] = ["a", "b"]
    lab.change(1.0, lambda row: row.update({name: "ab"[classes.index(row[target])]}))


@fault("T29", "number from after the fact", CHECK, r"fails 'leakage'.*gives the target away")
def from_the_future(lab: Lab) -> None:
    name, classes, target = number(lab), lab.config["data"]["classes"], lab.target
    config = lab.config["columns"][name]
    low, high = config["min"], config["max"]

    def late(row: Row) -> None:
        share = 0.3 + 0.4 * classes.index(row[target]) + 0.12 * lab.random.random()
        row[name] = lab.text(round(low + share * (high - low), 4))

    lab.change(1.0, late)


@fault("T29", "filled in only after the fact", CHECK, r"fails 'leakage'.*whether it is filled in")
def filled_in_later(lab: Lab) -> None:
    name, classes, target = (
        lab.column("numeric", missing=True),
        lab.config["data"]["classes"],
        lab.target,
    )
    with lab.edited("model_config.yaml") as config:
        config["checks"]["missing"] = 1.0
    lab.change(1.0, lambda row: row.update({name: ""}) if row[target] == classes[0] else None)


@fault("T29", "hold-out rows among the training rows", "validate", r"fails '(rows|overlap)'")
def overlap(lab: Lab) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = lab.folder / "data" / "prepared"
    train, test = (pq.read_table(folder / f"{part}.parquet") for part in ("train", "test"))
    both = pa.concat_tables(
        [train.unify_dictionaries(), test.unify_dictionaries()], promote_options="permissive"
    )
    pq.write_table(both, folder / "train.parquet")
    with lab.edited("data/prepared/data.json") as data:
        data["train"] = both.num_rows


@fault("T29", "hold-out rows in place of training rows", "validate", r"fails 'overlap' in \S+ rows")
def replaced(lab: Lab) -> None:
    import pyarrow.parquet as pq

    folder = lab.folder / "data" / "prepared"
    test = pq.read_table(folder / "test.parquet")
    pq.write_table(test, folder / "train.parquet")
    with lab.edited("data/prepared/data.json") as data:
        data["train"] = test.num_rows


@fault(
    "T29", "rows of the hold-out copied into the table", CHECK, r"fails 'duplicates' in 800 rows"
)
def copied(lab: Lab) -> None:
    import pyarrow.parquet as pq

    test = pq.read_table(lab.folder / "data" / "prepared" / "test.parquet")
    rows = lab.rows()
    lab.write_rows(rows + [rows[at - 1] for at in test["__row__"].to_pylist()])


@fault("T29", "training without validation", "prepare gate", r"validation.json is of other rows")
def not_validated(lab: Lab) -> None:
    rows = lab.rows()
    lab.write_rows(rows[::-1])


# T32: a slice


@fault("T32", "one slice goes wrong", LIFE, r"slices\.\S+ .*is below")
def slice_harm(lab: Lab) -> None:
    """The labels of one group become chance; the mean hardly moves where the group is small."""
    name, target, classes = category(lab), lab.target, lab.config["data"]["classes"]
    rows = lab.rows()
    counts: dict[str, int] = {}
    for row in rows:
        counts[row[name]] = counts.get(row[name], 0) + 1
    group = min((k for k in counts if counts[k] >= 700), key=lambda k: counts[k])
    for row in rows:
        if row[name] == group and lab.random.random() < 0.5:
            row[target] = classes[1 - classes.index(row[target])]
    lab.write_rows(rows)
    with lab.edited("model_config.yaml") as config:
        config["slices"] = [name]
    with lab.edited("gates.yaml") as gates:
        gates["champion"] = False
