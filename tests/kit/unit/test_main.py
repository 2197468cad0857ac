import errno
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ml_template import command_line as command
from ml_template import words
from ml_template.operations import abtest
from ml_template.pipeline.adoption import adopt
from ml_template.pipeline.judgement import register
from ml_template.pipeline.reporting import summary
from ml_template.registry import reproduce
from ml_template.settings.config import InputError

from ..conftest import ROOT


def ends_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    """Exit code of a stage that raises `error`."""

    def stage() -> None:
        raise error

    monkeypatch.setattr(summary, "run", stage)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return command.run(["summary"])


def made_of_an_interrupt() -> ValueError:
    """What numpy makes of an interrupt that comes while it reads a buffer."""
    error = ValueError("not a valid buffer")
    error.__cause__ = KeyboardInterrupt()
    return error


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (InputError("a.csv: column b is missing: add it"), 1, "ERROR: a.csv: column b is missing"),
        (OSError(errno.ENOSPC, "No space left", "x"), 1, "no space left on the disk (x)"),
        (PermissionError(errno.EACCES, "denied", "x"), 1, "x: permission denied"),
        (OSError(errno.EROFS, "read-only", "x"), 1, "x: permission denied"),
        (PermissionError(errno.EACCES, "denied", "a/.x.97qh"), 1, "ERROR: a: permission denied"),
        (PermissionError(errno.EACCES, "denied", "/dev/null"), 1, "/dev/null: permission denied"),
        (SyntaxError("'(' was never closed", ("f.py", 3, 1, "f(", 3, 2)), 1, "f.py: line 3: '('"),
        (ModuleNotFoundError("No module named 'x'"), 1, "'x': packages of yours go to"),
        (KeyboardInterrupt(), 130, "interrupted: no half-written result was kept"),
        (made_of_an_interrupt(), 130, "interrupted: no half-written result was kept"),
    ],
)
def test_a_fault_is_one_message_without_a_traceback(
    error: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ends_with(error, monkeypatch) == code
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_whoever_ends_a_word_interrupts_it_unless_it_was_told_not_to_hear(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(summary, "run", lambda: signal.raise_signal(number))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)}
    signal.signal(number, signal.SIG_DFL)  # a run in the background may hear none
    try:
        assert command.run(["summary"]) == 130
        signal.signal(number, signal.SIG_IGN)
        assert command.run(["summary"]) == 0
    finally:
        for each, heard in before.items():
            signal.signal(each, heard)
    assert "interrupted" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")  # of DVC's own dependencies
@pytest.mark.parametrize(
    ("end", "code"), [("exit 130", 130), ("kill -INT $$", 130), ("exit 1", 1), ("exit 2", 1)]
)
def test_a_run_whose_stage_was_interrupted_ends_as_interrupted(
    end: str, code: int, in_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (in_folder / ".dvc").mkdir()
    (in_folder / ".dvc/config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    stage = {"stages": {"train": {"cmd": end}}}
    (in_folder / "dvc.yaml").write_text(json.dumps(stage), encoding="utf-8")
    shutil.copy(ROOT / "model_config.yaml", in_folder)
    monkeypatch.setenv("SHELL", "/bin/sh")
    with pytest.raises(SystemExit) as ended:
        reproduce.run({"STAGE": "train"})
    assert ended.value.code == code


@pytest.mark.parametrize("variable", ["DVC_STAGE", "OTHER"])
def test_a_stage_ends_when_the_run_that_started_it_is_gone(variable: str, tmp_path: Path) -> None:
    """A word that people started themselves goes on, as with nohup."""
    waits = "from ml_template import Project, main; import time; "
    waits += "from ml_template.pipeline.reporting import summary; "
    waits += "summary.run = lambda: print('begins', flush=True) or time.sleep(3)"
    word = [sys.executable, "-c", f"{waits}; raise SystemExit(main(['summary'], Project('x')))"]
    run = f"import subprocess, os; subprocess.Popen({word!r}); os.read(0, 1); os._exit(9)"
    process = subprocess.Popen(
        [sys.executable, "-c", run],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", variable: "x"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begins\n"
    _, said = process.communicate(b"1", timeout=60)  # until the stage has ended too
    assert (b"interrupted" in said) == (variable == "DVC_STAGE")


def test_a_fault_of_the_code_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError):
        ends_with(ZeroDivisionError(), monkeypatch)


def test_a_stage_that_refuses_ends_with_1_after_the_others_ran(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = []
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr(summary, "run", lambda: ran.append("summary") or False)  # type: ignore[func-returns-value]
    assert command.run(["summary", "summary"]) == 1
    assert ran == ["summary", "summary"]


def test_an_unknown_stage_is_named_with_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(["trian"]) == 2
    assert "there is no stage 'trian'" in capsys.readouterr().err


@pytest.mark.parametrize("names", [["adopt"], ["abtest"], ["register", "adopt"], ["register"]])
def test_a_word_is_given_the_keys_it_takes_and_nothing_else(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []
    monkeypatch.setattr(adopt, "run", lambda arguments: given.append(arguments))
    monkeypatch.setattr(abtest, "run", lambda settings: given.append(settings))
    monkeypatch.setattr(register, "run", lambda alone: given.append(alone))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    typed = [] if names == ["register"] else ["DATA=x.csv", "TARGET="]
    assert command.run([*names, *typed]) == 0
    expected = [len(names) == 1 if name == "register" else {"DATA": "x.csv"} for name in names]
    assert given == expected


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["serve", "PROT=8001"], "serve: PROT= is not known: did you mean PORT=?"),
        (["serve", "port=8001"], "serve: port= is not known: did you mean PORT=?"),
        (["register", "DATA=x.csv"], "register: DATA= is not known: what it takes: no key"),
        (["rollback", "IMAGE=a@sha256:1"], "rollback: IMAGE= is not known"),
        (["promote", "APPLY=yes"], "promote: APPLY= is not known"),
        (["decide", "WHY=late"], "decide: WHY= is not known"),
        (["verify", "ZZZ=1"], "verify: ZZZ= is not known: what it takes: IMAGE="),
        (["run", "DATA=x.csv"], "run: DATA= is not known"),
        (["summary", "--fast"], "No such option"),
    ],
)
def test_what_a_word_does_not_take_is_refused_before_it_begins(
    words: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    begun: list[str] = []
    monkeypatch.setattr(command, "_run", lambda name, *_: begun.append(name) or 0)
    assert (command.run(words), begun) == (2, [])
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("PORT", "8001", 8001),
        ("WAIT", "0", 0),
        ("MEMORY_GB", "2.5", 2.5),
        ("EFFECT", "-0.02", -0.02),
        ("BAD", "skip", "skip"),
        ("LOG", "a folder/log", "a folder/log"),
        ("WHY", "12", "12"),
    ],
)
def test_a_key_is_read_as_its_kind(key: str, text: str, value: object) -> None:
    assert words.typed(key, text) == value
    assert type(words.typed(key, text)) is type(value)


@pytest.mark.parametrize(
    ("key", "text", "must"),
    [
        ("PORT", "abc", "a whole number, 1 to 65535"),
        ("PORT", "0", "a whole number, 1 to 65535"),
        ("PORT", "65536", "a whole number, 1 to 65535"),
        ("PORT", "80.5", "a whole number, 1 to 65535"),
        ("USERS", "0", "a whole number, 1 or more"),
        ("WAIT", "-1", "a whole number, 0 or more"),
        ("WAIT", "soon", "a whole number, 0 or more"),
        ("MEMORY_GB", "0", "a number above 0"),
        ("MEMORY_GB", "inf", "a number above 0"),
        ("MEMORY_GB", "nan", "a number above 0"),
        ("SHARE", "half", "a number"),
        ("BAD", "drop", "refuse or skip"),
        ("FOR", "train", "service or work"),
        ("ENV", "Production", "staging or production"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_what_it_must_be(
    key: str, text: str, must: str
) -> None:
    with pytest.raises(InputError, match=f"^{key}={text}: must be {must}$"):
        words.typed(key, text)


@pytest.mark.parametrize("word", words.WORDS)
def test_a_word_is_the_function_run_of_the_module_of_its_name(word: str) -> None:
    module = importlib.import_module(f"ml_template.{words.WORDS[word].room}.{word}")
    assert callable(module.run)


def test_the_makefile_gives_each_word_the_keys_that_it_takes() -> None:
    """A key of one that the other does not know is refused, or cannot be given by `make`."""
    makefile = Path(words.__file__).parents[2] / "Makefile"
    text = makefile.read_text(encoding="utf-8").replace("\\\n", " ")
    recipes = re.findall(
        r"(?m)^([a-z][a-z ]*):[^\n]*##[^\n]*\n\t@(?:exec )?\$\(STAGE\)([^\n]*)", text
    )
    assert len(recipes) > 20
    given = {
        word: set(re.findall(r'"([A-Z_]+)=', recipe))
        for names, recipe in recipes
        for word in names.split()
        if word in words.WORDS and "reproduce" not in recipe
    }
    inner = {"MODEL_DIGEST"}  # between processes
    assert given == {word: set(words.WORDS[word].keys.split()) - inner for word in given}


def test_the_help_of_a_word_shows_its_keys_and_no_other_word(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command.run(["score", "--help"]) == 0
    said = capsys.readouterr().out
    assert re.findall(r"(?m)^    ([A-Z]+)= +(.+)$", said) == [
        ("DATA", "a path"), ("OUT", "a path"), ("BAD", "refuse or skip"),
        ("IDS", "text"), ("MODEL", "text"),
    ]  # fmt: skip
    assert "serve" not in said


def test_help_imports_no_package_that_takes_long() -> None:
    code = (
        "import sys; from ml_template import Project, main; main(['--help'], Project('x')); "
        "print([name for name in ('numpy', 'pandas', 'yaml', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
