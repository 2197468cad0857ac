"""Text that we did not write - names, reasons, answers of servers - on its way to people.

A screen, a page, a message and a table each read some signs as orders. Here they become text again.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence

# Controls except tab and line feed, halves of letters, signs that turn the direction of a line or
# take no room. A joiner stays between letters that are joined: emoji, and scripts beyond Latin.
_JOINED = "[\u0600-\u1fff\u2070-\ud7ff\ue000-\U0010ffff]"
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b"
    "\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
    f"|\r(?!\n)|(?<!{_JOINED})[\u200c\u200d]|[\u200c\u200d](?!{_JOINED})"
)
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d+)*|[.,]\d+)([eE][+-]?\d+)?%?")
# Of a mail address @ has letters or digits on both sides, and no word for many people alone.
_CALL = re.compile(r"(?i)(?<![^\W_])@(?=\S)|@(?=(all|channel|everyone|here)\b(?!-|\.\w))")
_FORMULA = re.compile("[\\s\u200b\ufeff]*[=+\\-@\uff1d\uff0b\uff0d\uff20\t\r]")


def shown(text: str) -> str:
    r"""`text` with what cannot be seen written out, such as \x1b; a byte that was no text: \xf6."""
    return _HIDDEN.sub(_written_out, text)


def _written_out(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is not UTF-8
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def letters(content: str) -> str:
    r"""JSON `content` as its reader sees it: letters as they are, what cannot be seen as \u001b."""
    return _HIDDEN.sub(lambda found: json.dumps(found[0])[1:-1], content)


def line(text: str) -> str:
    """`text` on one line."""
    return shown(" ".join(text.split()))


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """A line of each row, its cells under one another."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    cells = ([f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in cells)


def escape(text: str) -> str:
    """`text` in HTML, between tags or in an attribute in quotes."""
    return html.escape(shown(text))


def markdown(text: str) -> str:
    """`text` on one line of Markdown: no markup, link, image or mention."""
    plain = re.sub(r"([\\`*{}\[\]<>#|~&$!]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", line(text))
    plain = re.sub(r"(?i)(:)(?=//)|(www)(?=\.)", r"\1\2\\", plain)
    return plain.replace("@", "@<!-- -->")  # GitHub looks for a mention in what is drawn


def message(text: str) -> str:
    """`text` on one line of a message to Slack, or to who reads the same: no link, no mention."""
    plain = re.sub(r"(?i)(://|(?<![^\W_])www\.)(?=\S)", r"\1 ", line(text))
    plain = _CALL.sub("@ ", plain)
    return html.escape(plain, quote=False).replace("](", "] (")


def cell(text: str) -> str:
    """`text` in a table for people: a spreadsheet reads no formula in it."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text.strip()) else text
