"""Whatever stands in a line, it is counted, named and left out, and the lines after it are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ml_template.operations import lines
from ml_template.operations.lines import Left, objects, records
from ml_template.settings.config import InputError

GARBAGE = {
    "binary": bytes(range(1, 10)) + b"\x80\xff\xfe" + bytes(range(14, 32)),
    "nul": b"\0" * 50,
    "no UTF-8": b'{"id": "Zo\xeb"},yes',
    "half of a letter": '{"id": "Zoë'.encode()[:-1],
    "too long": b"x" * 10_000,
    "an open quote": b'"r9,yes',
    "a quote and more": b'"r9"9,"yes"',
}
ONLY_JSON = {
    "half": b'{"id": "r9", "row',
    "a list": b'["r9"]',
    "a number": b"5",
    "null": b"null",
    "nothing": b"",
    "deep": b"[" * 4500 + b"]" * 4500,
    "a long number": b'{"id": ' + b"9" * 5000 + b"}",
}
ONLY_CSV = {"more fields": b"r9,yes,0,1,2", "a letter of half a pair": b"r9,\xed\xa0\x80"}


@pytest.fixture(autouse=True)
def short(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 10_000)


@pytest.mark.parametrize("name", [*GARBAGE, *ONLY_JSON])
def test_a_line_that_is_no_object_is_left_out_and_named(name: str) -> None:
    bad = (GARBAGE | ONLY_JSON)[name]
    Path("x.jsonl").write_bytes(b'{"id": "r0"}\n' + bad + b'\n{"id": "r1"}\n' + bad + b"\n")
    left = Left()
    found = [(where, entry["id"]) for where, entry in objects(Path("x.jsonl"), left)]
    assert found == [("x.jsonl: line 1", "r0"), ("x.jsonl: line 3", "r1")]
    said = "; 2 of 4 lines were left out, the first is x.jsonl: line 2: it is no JSON object"
    assert str(left) == said


@pytest.mark.parametrize("name", [*GARBAGE, *ONLY_CSV])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_line_that_is_no_record_is_left_out_and_named(name: str, end: bytes) -> None:
    bad = (GARBAGE | ONLY_CSV)[name]
    content = [b"id,label", b"r0,yes", bad, b"r1,no", b'r2,"no"', bad, b'"r3",yes', b""]
    Path("x.csv").write_bytes(end.join(content))
    left = Left()
    found = [line["id"] for _, line in records(Path("x.csv"), ["id", "label"], left)]
    assert [name for name in found if name.startswith("r")] == ["r0", "r1", "r2", "r3"]
    if name != "nul":  # which is a text, and no id of anything
        assert "2 of 6 lines were left out, the first is x.csv: line 3: " in str(left)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("id,label\nr0,yes\n", ["r0", "yes"]),
        ("\ufeffid,label\r\nr0,yes", ["r0", "yes"]),
        ('id,label\n"r0","ye""s"\n', ["r0", 'ye"s']),
        ('id,label\nr0,"two\nlines, ""and"" more\n\n"\n', ["r0", 'two\nlines, "and" more\n\n']),
        ('id,label\nr0,12" wide\n', ["r0", '12" wide']),
        ("id,label,row\nr0,yes\n", ["r0", "yes"]),
        ("id,label\nr0,yes,,\n", ["r0", "yes"]),
        ("id,label\n\nr0,yes\n\n", ["r0", "yes"]),
        ("label,id\nZoë,\U0001f40d\n", ["\U0001f40d", "Zoë"]),
        ("sep=;\nid;label\nr0;1,5\n", ["r0", "1,5"]),
        ("sep=;;; \nid;label\nr0;1,5\n", ["r0", "1,5"]),
        ("sep=\\t\nid\tlabel\nr0\t1,5\n", ["r0", "1,5"]),
        ('\ufeffsep=\t\r\nid\tlabel\r\n"r\n0"\tyes\r\n', ["r\n0", "yes"]),
    ],
)
def test_a_record_as_programs_write_it_is_read(content: str, wanted: list[str]) -> None:
    Path("x.csv").write_text(content, encoding="utf-8", newline="")
    left = Left()
    (found,) = [line for _, line in records(Path("x.csv"), ["id", "label"], left)]
    assert [found["id"], found["label"]] == wanted
    assert str(left) == ""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "has no column 'id'"),
        (b"\nid,label\nr0,yes\n", "its first line is empty"),
        (b"\xef\xbb\xbf\r\n", "is empty: give it a header and rows"),
        (b"name,label\nr0,yes\n", "has no column 'id': add it"),
        (b"id;label\nr0;yes\n", "has no column 'id': its fields end with ';': save it with commas"),
        (b"sep=;\nid,label\nr0,yes\n", "has no column 'id': add it"),
        ("id,label\nr0,yes\n".encode("utf-16"), "is not UTF-8 text"),
        (b"id,label\xff\n", "is not UTF-8 text"),
    ],
)
def test_a_file_without_its_header_is_refused(content: bytes, message: str) -> None:
    Path("x.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(records(Path("x.csv"), ["id", "label"], Left()))


def test_a_file_that_cannot_be_opened_is_named() -> None:
    Path("x.csv").mkdir()
    with pytest.raises(InputError, match=r"x\.csv cannot be read: Is a directory"):
        list(records(Path("x.csv"), ["id"], Left()))


def test_a_log_that_goes_while_it_is_read_has_no_lines() -> None:
    os.mkfifo("pipe.jsonl")
    for name in ("gone.jsonl", "pipe.jsonl"):
        assert list(objects(Path(name), Left())) == []


def test_many_open_quotes_cost_what_their_lines_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is looked at by those before it that may go on in it, and by no more of them."""
    monkeypatch.setattr(lines, "MOST_LINES", 10)
    parsed: list[str] = []
    kept = lines._parsed
    monkeypatch.setattr(
        lines, "_parsed", lambda text, comma: parsed.append(text) or kept(text, comma)
    )
    Path("x.csv").write_text("id,label\n" + '"r,yes\n' * 2000)
    left = Left()
    assert list(records(Path("x.csv"), ["id"], left)) == []
    assert left.out == 2000
    assert sum(map(len, parsed)) < 50 * 7 * 2000
