"""/docs: a page for people that asks nothing of another server, and clients that paste."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from ml_template.serving import docs
from ml_template.settings.config import Column
from ml_template.testing import served, trained_in

from ..conftest import ROOT
from .conftest import Service

ODD = [
    "it's $HOME `id` \\n %s!",
    'a "quoted" {name}',
    "größe in m² 数",
    "a\u00a0b\u202e",
    "</pre><b>",
    "x",
]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service of a model whose columns and labels have names that shells and pages read."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("odd")
    shutil.copytree(ROOT / "requirements", source / "requirements")
    shutil.copy(ROOT / "gates.yaml", source)
    chance = np.random.default_rng(5)
    table = {name: chance.normal(size=400).round(2) for name in ODD[1:]}
    table[ODD[0]] = chance.choice(["can't!", "ß & <i>", 'say "x"'], 400)
    table["y"] = np.where(table["x"] + chance.normal(size=400) > 0, "it's", "no")
    (source / "data").mkdir()
    pq.write_table(pa.table(table), source / "data/t.parquet")
    columns = {name: {"type": "numeric"} for name in ODD[1:]} | {ODD[0]: {"type": "categorical"}}
    config = yaml.safe_load((ROOT / "model_config.yaml").read_text(encoding="utf-8"))
    data = {"path": "data/t.parquet", "target": "y", "task": "binary", "classes": ["it's", "no"]}
    config |= {"data": data | {"positive": "no"}, "columns": columns, "sensitive": []}
    (source / "model_config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with trained_in(source, folder) as made, served(made.model) as running:
        yield running


def codes(service: Service) -> list[str]:
    """What stands on the page to be copied: curl, Python, the answer."""
    head = {"host": f"127.0.0.1:{service.port}"}
    status, page = service.send("GET", "/docs", headers=head)
    assert status == 200
    return [html.unescape(text) for text in re.findall(r"<pre[^>]*><code>(.*?)</code>", page, re.S)]


def pasted(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return done.stdout


@pytest.mark.parametrize("kind", ["service", "odd"])
def test_the_clients_of_the_page_paste_and_get_the_answer_that_stands_there(
    kind: str, request: pytest.FixtureRequest
) -> None:
    curl, client, answer = codes(request.getfixturevalue(kind))
    shown = json.loads(answer)
    assert json.loads(pasted("sh", "-c", curl)) == shown
    if shutil.which("bash"):
        assert json.loads(pasted("bash", "-c", f"set -o history -o histexpand\n{curl}")) == shown
    assert pasted(sys.executable, "-c", client).strip() == str(shown["predictions"])


def test_a_copy_of_the_command_keeps_letters_that_cannot_be_seen(odd: Service) -> None:
    curl, client, _ = codes(odd)
    for text in (curl, client):
        assert "größe in m² 数" in text
        assert not {letter for letter in text if not letter.isprintable()} - {"\n"}


def test_a_name_that_is_markup_is_text(odd: Service) -> None:
    page = odd.get("/docs")[1]
    assert "<b>" not in page
    assert "<td>&lt;/pre&gt;&lt;b&gt;</td>" in page
    assert "it&#x27;s" in page


def test_it_runs_under_a_strict_policy_and_fetches_nothing(service: Service) -> None:
    page = service.get("/docs")[1]
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = docs.HEADERS["content-security-policy"].split("; ")
    assert policy[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert not re.search(r"<script|<link|<img|\ssrc=|\sstyle=|\son\w+=|@import|url\(", page)


def test_every_column_and_route_of_the_description_is_on_the_page(service: Service) -> None:
    page = service.get("/docs")[1]
    described = json.loads(service.get("/openapi.json")[1])["paths"]
    operation = described["/predict"]["post"]
    record = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    for name in record["records"]["items"]["properties"]:
        assert f"<td>{name}</td>" in page
    for path in described:
        assert f" {path}</td>" in page
    assert re.findall(r"<td>(4\d\d|503)</td>", page) == sorted(operation["responses"])[1:]


def test_limits_of_a_column_and_null_are_said_and_what_is_no_feature_has_no_example(
    service: Service,
) -> None:
    page = service.get("/docs")[1]
    assert "<tr><td>age</td><td>42</td><td>number</td><td>from 18 to 120</td></tr>" in page
    assert "<td>permanent, temporary, unemployed; and others; null</td>" in page
    assert "<td>name</td><td></td><td>text, no feature</td><td>at most 10,000 letters</td>" in page


@pytest.mark.parametrize(
    ("host", "shown"),
    [("[::1]:8000", "http://[::1]:8000/predict"), ("a'$(id)\"<b>", "http://aidb/predict")],
)
def test_the_host_that_was_asked_is_no_order_to_a_shell_or_a_page(host: str, shown: str) -> None:
    page = docs.at(f"<pre>'{docs.ADDRESS}/predict'", host)
    assert page == f"<pre>'{shown}'"


RARE, UNSEEN = "Rosa Rar", "Nobody yet"


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service of a quantile, of short texts, a label of one row, one of none, and huge sums."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("short")
    shutil.copytree(ROOT / "requirements", source / "requirements")
    shutil.copy(ROOT / "gates.yaml", source)
    chance = np.random.default_rng(5)
    who = np.array([RARE, *chance.choice(["Ada", "Zoe"], 399)])
    code = chance.choice(["no", "yes"], 400)
    sums = np.full(400, 2.0**70)
    table = {"who": who, "strict": who, "note": code, "code": code, "sum": sums}
    table["y"] = chance.normal(size=400)
    (source / "data").mkdir()
    pq.write_table(pa.table(table), source / "data/t.parquet")
    labels = {"type": "categorical", "values": ["Ada", UNSEEN, RARE, "Zoe"]}
    columns = {
        "who": labels,
        "strict": labels | {"unseen": "refuse"},
        "note": {"type": "text", "max_length": 3, "feature": False},
        "code": {"type": "text", "max_length": 3, "encoding": "words"},
        "sum": {"type": "numeric"},
    }
    config = yaml.safe_load((ROOT / "model_config.yaml").read_text(encoding="utf-8"))
    data = {"path": "data/t.parquet", "target": "y", "task": "regression"}
    config |= {"data": data, "columns": columns, "sensitive": []}
    config["model"] = {"estimator": "hist_gradient_boosting", "quantile": 0.9}
    (source / "model_config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    with trained_in(source, folder) as made, served(made.model) as running:
        yield running


def test_texts_shorter_than_an_example_are_served_and_the_clients_paste(short: Service) -> None:
    curl, _, answer = codes(short)
    assert '"code": "an "' in curl
    assert json.loads(pasted("sh", "-c", curl)) == json.loads(answer)


def test_a_label_of_few_rows_is_told_only_where_no_other_would_be_taken(short: Service) -> None:
    page = short.get("/docs")[1]
    assert f"<td>Ada, {UNSEEN}, Zoe; and others</td>" in page
    assert f"<td>Ada, {UNSEEN}, {RARE}, Zoe</td>" in page
    described = json.loads(short.get("/openapi.json")[1])["paths"]["/predict"]["post"]
    body = described["requestBody"]["content"]["application/json"]["schema"]["properties"]
    sent = body["records"]["items"]["properties"]
    assert RARE not in json.dumps(sent["who"])
    assert sent["strict"]["enum"] == ["Ada", UNSEEN, RARE, "Zoe"]
    status, _ = short.post({"records": [short.example | {"who": RARE}]})
    assert status == 200  # it is known as before


def test_what_the_answer_means_and_huge_numbers_are_short(short: Service) -> None:
    page = short.get("/docs")[1]
    assert "value: y, as 90 of 100 rows have it or less." in page
    assert "1.1805916207174113e+21" in page


def test_a_threshold_is_told_to_the_last_bit(service: Service) -> None:
    model, least = service.predict.model, 0.1 + 0.2
    model = replace(model, manifest=json.loads(json.dumps(model.manifest)))
    model.manifest["identity"]["threshold"] = {"value": least, "by": "f1"}
    with served(model) as running:
        page = running.get("/docs")[1]
    assert f"{model.identity['target']}, {model.labels[1]} from {least!r} on." in page


def test_many_labels_are_counted() -> None:
    labels = [f"label {at}" for at in range(5000)]
    column = Column.model_validate({"type": "categorical", "values": labels})
    kind, may = docs._accepted(column)
    assert kind == "text"
    assert may.endswith(f"label {docs.FOLD - 1}, {5000 - docs.FOLD:,} more; and others")


def test_many_columns_are_folded() -> None:
    page = "".join(docs._table(("a",), [(str(at),) for at in range(100)]))
    assert f"<summary>{100 - docs.FOLD} more</summary>" in page
    assert page.count("<td>") == 100
