"""A packed table and the first sheet of a workbook are adopted; a bomb or a puzzle is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ml_template.pipeline.adoption import adopt
from ml_template.registry import versioning
from ml_template.settings.config import InputError, load_config
from ml_template.tables import table

CHANCE = np.random.default_rng(6)
LINES = [f"{CHANCE.normal():.3f},{CHANCE.choice(['n', 'y'])}" for _ in range(80)]
CSV = ("size,y\n" + "\n".join(LINES) + "\n").encode()


@pytest.fixture(autouse=True)
def _untracked(in_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versioning, "add", lambda path: None)


def zipped(**files: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def adopted(name: str, content: bytes, **more: object) -> table.Columns:
    Path(name).write_bytes(content)
    adopt.run({"DATA": name, "TARGET": "y", **more})
    return table.columns_of(table.read_raw(load_config()))


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("t.csv.gz", gzip.compress),
        ("t.csv", gzip.compress),
        ("t.bz2", bz2.compress),
        ("t.csv.xz", lzma.compress),
        ("t.zip", lambda content: zipped(**{"in/t.csv": content, "__MACOSX/._t.csv": b"x"})),
        ("t.xlsx", lambda content: content),
        ("t.parquet.gz", lambda content: gzip.compress(parquet())),
    ],
)
def test_a_packed_table_is_adopted_as_a_plain_one(
    name: str, pack: Callable[[bytes], bytes]
) -> None:
    found = adopted(name, pack(CSV))
    assert found["size"].tolist() == [float(line.split(",")[0]) for line in LINES]
    kept = Path(load_config().data.path)
    assert kept.parent == Path("data")
    assert kept.read_bytes() == (parquet() if "parquet" in name else CSV)


def parquet() -> bytes:
    held = io.BytesIO()
    sizes, labels = zip(*(line.split(",") for line in LINES), strict=True)
    pq.write_table(pa.table({"size": list(map(float, sizes)), "y": list(labels)}), held)
    return held.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (zipped(**{"a.csv": CSV, "b.csv": CSV}), r"zip file of 2 files \('a.csv', 'b.csv'\)"),
        (zipped(**{"__MACOSX/a": b""}), r"zip file of 0 files \(none\)"),
        (zipped(**{"content.xml": b""}), "an OpenDocument file: save its table as CSV"),
        (zipped(**{"xl/workbook.bin": b""}), "a binary Excel workbook: save its table as CSV"),
        (gzip.compress(CSV)[:-20], "cannot be unpacked .*restore it"),
        (gzip.compress(gzip.compress(CSV)), r"t\.packed is a gzip file in another one"),
        (gzip.compress(b"size,y\n"), r"t\.packed has a header and no rows"),
    ],
    ids=range(7),
)
def test_what_cannot_be_unpacked_is_refused_and_nothing_is_written(
    content: bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        adopted("t.packed", content)
    assert not Path("model_config.yaml").exists()
    assert not Path("data").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = b"size,y\n" + b"1,y\n" * 5_000_000
    for name, content in {
        "t.gz": gzip.compress(bomb, 1),
        "t.zip": zipped(**{"t.csv": bomb}),
        "t.xlsx": workbook(sheet=bomb),
    }.items():
        with pytest.raises(InputError, match=rf"{name} would need about .* GB of memory"):
            adopted(name, content, MEMORY_GB=0.01)


HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def workbook(sheet: bytes | str, dates: str = "", shared: str = "") -> bytes:
    """A workbook as Excel writes it: a hidden sheet first, then `sheet`, then another one."""
    book = (
        f'{HEAD}<workbook {MAIN} xmlns:r="{LINK}"><workbookPr {dates}/><sheets>'
        '<sheet name="secret" sheetId="1" state="hidden" r:id="rId1"/>'
        '<sheet name="Q1" sheetId="2" r:id="rId2"/><sheet name="Q2" sheetId="3" r:id="rId1"/>'
        "</sheets></workbook>"
    )
    links = (
        f'{HEAD}<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
        '<Relationship Id="rId2" Target="worksheets/sheet2.xml"/></Relationships>'
    )
    styles = (
        f"{HEAD}<styleSheet {MAIN}><numFmts>"
        '<numFmt numFmtId="164" formatCode="[Red]0.00&quot;d&quot;"/>'
        '<numFmt numFmtId="165" formatCode="dd/mm/yyyy\\ hh:mm"/></numFmts>'
        '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/>'
        '<xf numFmtId="165"/></cellXfs></styleSheet>'
    )
    inner = sheet if isinstance(sheet, bytes) else (
        f"{HEAD}<worksheet {MAIN}><sheetData>{sheet}</sheetData></worksheet>".encode()
    )  # fmt: skip
    files = {"xl/workbook.xml": book, "xl/_rels/workbook.xml.rels": links, "xl/styles.xml": styles}
    files["xl/sharedStrings.xml"] = f"{HEAD}<sst {MAIN}>{shared}</sst>"
    files["xl/worksheets/sheet1.xml"] = f"{HEAD}<worksheet {MAIN}><sheetData/></worksheet>"
    held = {name: text.encode() for name, text in files.items()}
    return zipped(**held, **{"xl/worksheets/sheet2.xml": inner})


CELL = "<c><v>1</v></c>"
SHARED = (
    "<si><t>size</t></si><si><r><t>wh</t></r><r><t>en</t></r></si><si><t>seen</t></si>"
    "<si><t>東京</t><rPh><t>トウキョウ</t></rPh></si><si><t>大阪</t></si>"
)


def rows_of_cells() -> str:
    """80 rows: a number, a day, a moment, a city, a truth and a text, with a gap here and there."""
    head = (
        '<row r="3"><c r="A3" t="s"><v>0</v></c><c r="B3" t="s"><v>1</v></c>'
        '<c r="C3" t="s"><v>2</v></c>'
        '<c r="D3" t="inlineStr"><is><t>city</t></is></c><c r="E3" t="str"><v>ok</v></c>'
        '<c r="F3" t="inlineStr"><is><t>y</t></is></c></row>'
    )
    rows = []
    for at, line in enumerate(LINES, 4):
        size, label = line.split(",")
        number = "" if at == 9 else f'<c r="A{at}" s="2"><v>{size}</v></c>'
        rows.append(
            f'<row r="{at}">{number}<c r="B{at}" s="1"><v>{45_000 + at % 50}</v></c>'
            f'<c r="C{at}" s="3"><v>{45_000.25 + at % 50}</v></c>'
            f'<c r="D{at}" t="s"><v>{3 + at % 2}</v></c><c r="E{at}" t="b"><v>{at % 2}</v></c>'
            f'<c r="F{at}" t="inlineStr"><is><t>{label}</t></is></c><c r="G{at}" s="1"/></row>'
        )
    title = '<row r="1"><c r="A1" t="inlineStr"><is><t>Report 2026</t></is></c></row>'
    return title + '<row r="2"/>' + head + "".join(rows)


@pytest.mark.parametrize(("dates", "first"), [("", "2023-03-15"), ('date1904="1"', "2027-03-16")])
def test_the_first_sheet_that_is_shown_is_read(
    dates: str, first: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # 45,000 days after 1899-12-30 is 2023-03-15, after 1904-01-01 it is 2027-03-16
    found = adopted("t.xlsx", workbook(rows_of_cells(), dates, SHARED))
    sizes = [float(line.split(",")[0]) for line in LINES]
    assert np.isnan(found["size"][5])
    assert [*found["size"][:5], *found["size"][6:]] == sizes[:5] + sizes[6:]
    days = [np.datetime64(first) + at % 50 for at in range(4, 84)]
    assert found["when"].astype("M8[D]").tolist() == [day.item() for day in days]
    assert found["seen"].tolist() == [(day + np.timedelta64(6, "h")).item() for day in days]
    assert found["city"].tolist() == [("東京", "大阪")[at % 2] for at in range(4, 84)]
    assert found["ok"].tolist() == [at % 2 for at in range(4, 84)]
    said = capsys.readouterr().out
    assert "sheet 'Q1', the first of 2; 1 of its rows, above the header, left out" in said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (workbook(""), "its sheet 'Q1' is empty"),
        (workbook("<row><c><v>1</v>"), "is no whole Excel workbook"),
        (workbook('<row><c t="s"><v>7</v></c></row>'), "is no whole Excel workbook"),
        (workbook('<row><c r="B1"><v>1</v></c><c r="A1"><v>1</v></c></row>'), "out of order"),
        (workbook(b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'), "is not what Excel writes"),
        (
            workbook(f"<row>{2 * CELL}</row><row>{3 * CELL}</row>"),
            "row 2 of sheet 'Q1' .* right of the last column name",
        ),
        (zipped(**{"xl/workbook.xml": b"<a/>"}), "is no whole Excel workbook"),
    ],
    ids=range(7),
)
def test_a_workbook_that_is_none_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        adopted("t.xlsx", content)
    assert not Path("model_config.yaml").exists()


def test_packings_that_do_not_say_what_they_unpack_to_are_refused() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("t.csv", "x,y\n1,2\n")
    with pytest.raises(InputError, match="not usual in zip files: unpack it"):
        adopted("t.zip", content.getvalue())


def test_an_entry_without_a_name_is_no_table() -> None:
    with pytest.raises(InputError, match="a zip file of 0 files"):
        adopted("t.zip", zipped(**{".": b"x"}))
