"""What is printed moves no cursor and gives no order, and a console that ends or lacks a letter

stops nothing.
"""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ml_template.outside import screen

SOURCE = Path(screen.__file__).parents[2]


def printed(*texts: str) -> str:
    stream = io.StringIO()
    console = screen.Screen(stream)
    for text in texts:
        console.write(text)
    return stream.getvalue()


@pytest.mark.parametrize(
    "texts",
    [
        ("::error::x\n",),
        ("a\n  ::set-output name=x::y\n",),
        ("\u00a0\t::add-mask::passed",),
        ("a", "\n", "::", "stop-commands::x"),
        ("a\n", "  ", ":", ":error::x"),
        ("ok ##[error]x",),
        ("#", "#", "[add-path]x"),
        ("##vso[task.setvariable variable=x]y",),
        ("x" * 500, "##[group]x"),
    ],
)
def test_a_line_is_no_order_to_ci(texts: tuple[str, ...]) -> None:
    seen = printed(*texts)
    assert not any(line.lstrip().startswith("::") for line in seen.split("\n"))
    assert "##[" not in seen
    assert "##vso[" not in seen
    assert seen.replace("\\", "") == "".join(texts)  # nothing else has changed


@pytest.mark.parametrize(
    "text",
    ["a::b\n", "std::vector and C::D", "## title\n", "[1] ##\n", ": :\n", "url http://[::1]:80\n"],
)
def test_other_signs_of_the_same_kind_stay(text: str) -> None:
    assert printed(text) == text
    assert printed(*text) == text


def run(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A process that prints through a screen."""
    code = f"from ml_template.outside import screen; screen.install(); {code}"
    known = os.environ | {"PYTHONPATH": str(SOURCE)} | environment
    return subprocess.run([sys.executable, "-c", code], env=known, capture_output=True)


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp1252"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_console_that_lacks_a_letter_is_told_which(environment: dict[str, str]) -> None:
    said = "'\\u6570 \\udcf6 ok'"
    done = run(f"print({said}, file=screen.sys.stderr); print({said})", **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip() == done.stderr.rstrip() == rb"\u6570 \xf6 ok"


def test_a_traceback_is_text_too() -> None:
    done = run("raise ValueError('a\\n::error::b\\x1b[2J\\u202e')")
    assert done.returncode == 1
    assert b"Traceback" in done.stderr
    assert rb":\:error::b\x1b[2J\u202e" in done.stderr


@pytest.mark.parametrize("size", [1, 100_000])
def test_who_stops_reading_stops_nothing(size: int, tmp_path: Path) -> None:
    end = tmp_path / "end"
    code = (
        f"print('x' * {size}, flush=True); screen.sys.stderr.write('y'); "
        f"print('x' * {size}); open({str(end)!r}, 'w').close()"
    )
    command = f"from ml_template.outside import screen; screen.install(); {code}"
    reader, writer = os.pipe()
    os.close(reader)
    known = os.environ | {"PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", command], env=known, stdout=writer, stderr=writer)
    os.close(writer)
    assert done.returncode == 0
    assert end.exists()


@pytest.mark.parametrize("closed", ["none", "stdout", "both"])
def test_a_line_that_no_disk_takes_changes_no_exit_code(closed: str, tmp_path: Path) -> None:
    said = tmp_path / "said"
    code = "from ml_template.outside import screen; screen.install(); screen.say('ended'); "
    code += "screen.say('why', screen.sys.stderr); screen.sys.exit(3)"
    known = os.environ | {"PYTHONPATH": str(SOURCE)}
    with said.open("wb") as good, Path("/dev/full").open("wb") as full:
        out, err = full if closed != "none" else good, full if closed == "both" else good
        done = subprocess.run([sys.executable, "-c", code], env=known, stdout=out, stderr=err)
    assert done.returncode == 3
    assert said.read_text() == ("" if closed == "both" else "ended\nwhy\n")


def test_a_command_whose_reader_went_away_ends_well() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    known = os.environ | {"PYTHONPATH": str(SOURCE)}
    words = "from ml_template import Project, main; main(['--help'], Project('x'))"
    command = [sys.executable, "-c", words]
    done = subprocess.run(command, env=known, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_dvc_puts_nothing_before_what_is_printed() -> None:
    done = run(
        "from ml_template.registry import versioning; versioning.dvc(); "
        "print('\\x1b]0;owned\\x07 \\x1b[2J')"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip() == rb"\x1b]0;owned\x07 \x1b[2J"


def test_a_program_it_starts_passes_the_screen_too() -> None:
    code = (
        "code = screen.run([screen.sys.executable, '-c', 'import sys; "
        'sys.stderr.buffer.write(b"::error::x\\\\x1b\\\\xf6\\\\n"); sys.exit(3)\'], 60); '
        "screen.sys.exit(code)"
    )
    done = run(code)
    assert done.returncode == 3
    assert done.stdout.rstrip() == rb":\:error::x\x1b\xf6"


def test_a_program_that_does_not_end_is_ended_and_one_that_was_killed_only_failed() -> None:
    hangs = [sys.executable, "-c", "import time; time.sleep(600)"]
    with pytest.raises(subprocess.TimeoutExpired):
        screen.run(hangs, 0.2)
    killed = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"]
    assert screen.run(killed, 600) == -signal.SIGKILL


def test_libraries_see_no_terminal_and_the_sign_that_moves_finds_it() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    console = screen.Screen(stream)
    assert not console.isatty()
    assert screen.bare(console) is stream
    assert screen.bare(stream) is stream
