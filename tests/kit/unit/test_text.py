"""Text from tables, people and servers is text on every way out, and stays whole."""

from __future__ import annotations

import pytest
from ml_template.outside.text import aligned, cell, escape, line, markdown, message, shown


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b2J", r"\x9b2J"),
        ("gone\b\b\rback", r"gone\x08\x08\x0dback"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2067b\u2069", r"a\u2067b\u2069"),
        ("two\u2028lines\u2029or\x85more\x0b", r"two\u2028lines\u2029or\x85more\x0b"),
        ("ad\u200bmin\ufeff\u2060", r"ad\u200bmin\ufeff\u2060"),
        ("ad\u200dmin", r"ad\u200dmin"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("St\udcf6rung", r"St\xf6rung"),
        ("half \ud83d", r"half \ud83d"),
    ],
)
def test_what_cannot_be_seen_is_written_out(given: str, seen: str) -> None:
    assert shown(given) == seen
    assert shown(shown(given)) == seen


@pytest.mark.parametrize(
    "text",
    [
        "Größe, Straße, naïve, Łódź",
        "👍 👩‍💻 ❤️‍🔥 🏳️‍🌈",
        "数据 データ 데이터",
        "می‌خواهم",
        "one\ttwo\nthree\r\n",
        r"C:\data\new.csv",
        "a::b ##c [1, 2) 100 %",
    ],
)
def test_what_can_be_seen_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


def test_a_line_has_no_second_one() -> None:
    assert line("  a\nb\r\n\u2028c\td ") == "a b c d"


def test_html_keeps_text_between_tags_and_in_attributes() -> None:
    seen = escape("<img src=x onerror='y'> \"q\" & \u202e")
    assert seen == "&lt;img src=x onerror=&#x27;y&#x27;&gt; &quot;q&quot; &amp; \\u202e"


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("a|b\n# *c* <d>", r"a\|b \# \*c\* \<d\>"),
        ("[x](javascript:y) ![i](u)", r"\[x\](javascript:y) \!\[i\](u)"),
        ("https://example.com", r"https:\//example.com"),
        ("www.example.com WWW.example.com", r"www\.example.com WWW\.example.com"),
        ("@org/team", "@<!-- -->org/team"),
        ("_a_ __b__ snake_case", r"\_a\_ \_\_b\_\_ snake_case"),
        ("1:30, a: b, 5 - 3 = 2", "1:30, a: b, 5 - 3 = 2"),
    ],
)
def test_markdown_has_no_markup_link_or_mention(given: str, seen: str) -> None:
    assert markdown(given) == seen


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("<!channel> <@U1>", "&lt;!channel&gt; &lt;@U1&gt;".replace("@U1", "@ U1")),
        ("<https://e.example|approve>", "&lt;https:// e.example|approve&gt;"),
        ("@here and (@all)", "@ here and (@ all)"),
        ("_@channel_ *@here* ~@Ann~ `@U1`", "_@ channel_ *@ here* ~@ Ann~ `@ U1`"),
        (":@here .@here. x@everyone 1@HERE", ":@ here .@ here. x@ everyone 1@ HERE"),
        ("@_here_ @*all*", "@ _here_ @ *all*"),
        ("[approve](https://e.example)", "[approve] (https:// e.example)"),
        ("see http://e.example, www.e.example", "see http:// e.example, www. e.example"),
        ("one\n::two\x1b", r"one ::two\x1b"),
        ("ann@example.com, Größe 3 < 4 & 5", "ann@example.com, Größe 3 &lt; 4 &amp; 5"),
        ("write to <ann.o_b@all.example>", "write to &lt;ann.o_b@all.example&gt;"),
        ("50 @ 3, registry/x@sha256:1a, 1://", "50 @ 3, registry/x@sha256:1a, 1://"),
        ("champion 1a2b, by Ann: `make promote`", "champion 1a2b, by Ann: `make promote`"),
    ],
)
def test_a_message_calls_nobody_and_links_nothing(given: str, seen: str) -> None:
    assert message(given) == seen


@pytest.mark.parametrize(
    "text",
    ["=1+1", "=cmd|' /C calc'!A0", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1+1"],
)
def test_a_formula_is_a_text_in_a_table_for_people(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["-1.5", "+3", "-1,234.5", "-1e-5", "5", "", "a=b", "x-y", "ann@example.com", "-50%"]
)
def test_numbers_and_words_stay_as_they_are(text: str) -> None:
    assert cell(text) == text


def test_cells_stand_under_one_another_and_no_line_ends_in_space() -> None:
    assert aligned([("a", "long", ""), ("wide", "b", "c")]) == "a     long\nwide  b     c"
    with pytest.raises(ValueError, match="longer"):
        aligned([("a",), ("b", "c")])
