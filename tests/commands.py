"""Commands that a text names: are they words of a Makefile, and does each take these keys?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

# A block of a named language is an example of a file, with words of its own.
CODE = re.compile(r"^```\w+\n.*?^```$|^```\n(.*?)^```$|`([^`]+)`", re.M | re.S)
# The shell's variables may stand before make; a comment, a pipe or another command ends it.
MAKE = re.compile(r"^(?:[A-Z_]+=\S+ )*make ((?!-)[^#&;]+)")
MODULE = re.compile(r"^(?:\.venv/bin/)?python -m PACKAGE ((?!-|PACKAGE)[^#&;]+)")
Words = Mapping[str, set[str]]  # word: the keys that it takes


def commands(text: str) -> list[str]:
    """Every `make WORD ...` of a Markdown text, once, in order; `python -m` counts as make."""
    found = []
    for block, inline in CODE.findall(text):
        for line in block.splitlines() if block else [" ".join(inline.split())]:
            for part in re.split(r" && | \| ", re.sub(r"<[^<>]+>", "PACKAGE", line)):
                command = MAKE.match(part) or MODULE.match(part)
                if command:
                    found.append(f"make {command[1].strip()}")
    return list(dict.fromkeys(found))


def words(makefile: Path) -> dict[str, set[str]]:
    """Each word of a Makefile, and the keys that its recipe reads."""
    text = makefile.read_text(encoding="utf-8").replace("\\\n", "")
    phony = re.search(r"^\.PHONY:(.*)", text, re.M)
    assert phony
    found: dict[str, set[str]] = {word: set() for word in phony[1].split()}
    rules = re.findall(r"^([a-z./][\w./ -]*):(?![=]).*\n((?:\t.*\n)*)", text, re.M)
    recipes = {name: recipe for names, recipe in rules for name in names.split()}
    fixed = set(re.findall(r"^([A-Z_]+) :=", text, re.M))
    for word, keys in found.items():
        keys |= set(re.findall(r"\$\$?\(?([A-Z_]+)\b", recipes[word])) - fixed
    return found


def faults(text: str, known: Words) -> list[str]:
    """Commands of a text that are no words, or with keys that these words do not take."""
    found = []
    for command in commands(text):
        parts = re.findall(r"(?:[^\s\"]|\"[^\"]*\")+", command)[1:]
        given = {part.partition("=")[0] for part in parts if re.match(r"[A-Z_]+=", part)}
        asked = [part for part in parts if not re.match(r"[A-Z_]+=", part)]
        if not asked or not set(asked) <= set(known):
            found.append(f"{command}: no word of the Makefile")
        elif given - set().union(*(known[word] for word in asked)):
            found.append(f"{command}: it takes no such key")
    return found
