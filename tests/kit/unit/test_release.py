from __future__ import annotations

import errno
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ml_template.kubernetes import releases, stable
from ml_template.operations import history, monitor, offer, promote, rollback, signatures
from ml_template.operations import image as build
from ml_template.pipeline.judgement import gate, register
from ml_template.registry import champion, tracking, withdrawn
from ml_template.registry.champion import CHALLENGER, CHAMPION, HISTORY
from ml_template.settings.config import InputError, load_config

from .conftest import LOOSE, write_gates

Make = Callable[[int], str]


@pytest.fixture
def models(project: Path, new_candidate: Make) -> list[str]:
    """Digests of a champion and of a challenger."""
    gate.run()
    register.run()
    first = current()
    second = new_candidate(2)
    gate.run()
    register.run()
    return [first, second]


def current() -> str:
    return str((champion.read(CHAMPION) or {})["digest"])


def test_promote_makes_the_challenger_champion_and_says_why(models: list[str]) -> None:
    assert promote.run({"WHY": "more data"})
    assert current() == models[1]
    assert [record["why"] for record in champion.history()] == ["the first model", "more data"]


def test_rollback_brings_back_model_configuration_and_image(
    models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    images = [f"registry.example.com/model@sha256:{sign * 64}" for sign in "ab"]
    first = json.loads(CHAMPION.read_text())
    CHAMPION.write_text(json.dumps(first | {"image": images[0]}))
    promote.run({"IMAGE": images[1]})
    assert (champion.read(CHAMPION) or {})["image"] == images[1]
    assert rollback.run({})
    record = champion.read(CHAMPION) or {}
    assert (record["digest"], record["image"]) == (models[0], images[0])
    said = capsys.readouterr().out
    assert f"{record['model']}/config.json" in said
    assert images[0] in said


def test_the_image_of_the_champion_can_be_named_later(models: list[str]) -> None:
    promote.run({})
    image = f"registry.example.com/model@sha256:{'c' * 64}"
    promote.run({"IMAGE": image})
    assert (champion.read(CHAMPION) or {})["image"] == image
    assert rollback.run({})
    assert current() == models[0]


@pytest.mark.parametrize("image", ["model:latest", "model", f"model@sha256:{'c' * 63}"])
def test_an_image_without_a_digest_is_refused(models: list[str], image: str) -> None:
    with pytest.raises(InputError, match="by digest"):
        promote.run({"IMAGE": image})
    assert current() == models[0]


def test_a_pointer_from_before_images_is_read(models: list[str]) -> None:
    old = json.loads(CHAMPION.read_text())
    del old["image"]
    CHAMPION.write_text(json.dumps(old))
    HISTORY.write_text(json.dumps(old) + "\n")
    assert current() == models[0]
    assert len(champion.history()) == 1


def test_promote_refuses_a_challenger_whose_champion_was_not_here_to_compare(
    project: Path, models: list[str]
) -> None:
    shutil.rmtree(project / (champion.read(CHAMPION) or {})["model"])
    gate.VERDICT.unlink()
    assert gate.run()
    assert register.run()
    with pytest.raises(InputError, match="dvc pull"):
        promote.run({})


def test_promoting_the_champion_again_changes_nothing(models: list[str]) -> None:
    promote.run({})
    before = CHAMPION.read_bytes()
    assert promote.run({})
    assert CHAMPION.read_bytes() == before


def test_promote_without_a_challenger_says_what_to_do(project: Path) -> None:
    with pytest.raises(InputError, match="make run"):
        promote.run({})


def test_promote_refuses_a_verdict_by_other_gates(models: list[str]) -> None:
    write_gates(**LOOSE | {"determinism": "{max_difference: 0.1}"})
    with pytest.raises(InputError, match=r"gates\.yaml changed after"):
        promote.run({})
    assert current() == models[0]


def test_promote_refuses_a_challenger_not_compared_with_the_champion(
    models: list[str], new_candidate: Make
) -> None:
    challenger = CHALLENGER.read_bytes()
    third = new_candidate(3)
    gate.run()
    register.run()
    promote.run({})
    CHALLENGER.write_bytes(challenger)
    with pytest.raises(InputError, match="was not compared with the champion"):
        promote.run({})
    assert current() == third


@pytest.mark.parametrize("name", ["encoder.json", "model.json"])
def test_promote_refuses_a_version_that_was_changed(models: list[str], name: str) -> None:
    path = champion.folder(models[1]) / name
    path.write_bytes(path.read_bytes().replace(b'"', b" ", 1))
    with pytest.raises(InputError, match=name):
        promote.run({})
    assert current() == models[0]


def test_promote_refuses_a_verdict_that_was_changed(models: list[str]) -> None:
    path = champion.VERDICTS / f"{(champion.read(CHALLENGER) or {})['verdict'][:16]}.json"
    verdict = json.loads(path.read_text())
    verdict["metrics"] = {}
    path.write_text(json.dumps(verdict))
    with pytest.raises(InputError, match="was changed"):
        promote.run({})
    path.write_text(
        json.dumps(champion.sealed({k: v for k, v in verdict.items() if k != "digest"}))
    )
    with pytest.raises(InputError, match="was swapped"):
        promote.run({})


def test_promote_refuses_an_older_version_put_in_place_of_the_challenger(models: list[str]) -> None:
    for file in champion.folder(models[0]).iterdir():
        (champion.folder(models[1]) / file.name).write_bytes(file.read_bytes())
    with pytest.raises(InputError, match="is model"):
        promote.run({})


def test_rollback_goes_back_and_does_not_return_to_what_was_left(models: list[str]) -> None:
    promote.run({})
    assert rollback.run({"WHY": "wrong answers"})
    assert current() == models[0]
    with pytest.raises(InputError, match="no earlier champion"):
        rollback.run({"APPLY": "yes"})
    assert current() == models[0]


def third(new_candidate: Make) -> str:
    """Digest of one champion more."""
    digest = new_candidate(3)
    gate.run()
    register.run()
    promote.run({})
    return digest


def test_a_rollback_begun_again_goes_no_further_until_told_so(
    models: list[str], new_candidate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise InputError("MLflow does not answer")

    promote.run({})
    third(new_candidate)
    monkeypatch.setattr(tracking, "mirror", refuse)
    assert rollback.run({})  # it was done: that MLflow did not take it is only said
    with pytest.raises(InputError, match="one release further back"):
        rollback.run({})
    assert current() == models[1]
    assert rollback.run({"APPLY": "yes"})
    assert current() == models[0]


def test_the_stable_of_another_environment_follows_the_champion_that_went_back(
    models: list[str], new_candidate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: dict[str, str] = {}

    def restore(settings: dict[str, str], record: champion.Record) -> None:
        served[settings["ENV"]] = record["digest"]

    def image(settings: dict[str, str], record: champion.Record) -> str | None:
        return "image" if served.get(settings["ENV"]) == record["digest"] else None

    monkeypatch.setattr(stable, "withdraw", lambda settings: None)
    monkeypatch.setattr(stable, "restore", restore)
    monkeypatch.setattr(stable, "image", image)
    promote.run({})
    third(new_candidate)
    assert rollback.run({"ENV": "production"})
    assert rollback.run({"ENV": "staging"})
    assert served == dict.fromkeys(("production", "staging"), models[1])
    assert current() == models[1]
    with pytest.raises(InputError, match="one release further back"):
        rollback.run({"ENV": "staging"})


def test_a_rollback_on_a_full_disk_goes_no_further_than_the_last_champion(
    models: list[str], new_candidate: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    promote.run({})
    third(new_candidate)
    moved: list[str] = []
    monkeypatch.setattr(stable, "withdraw", lambda settings: None)
    monkeypatch.setattr(stable.cluster, "namespace", lambda settings: "credit-staging")
    monkeypatch.setattr(stable.releases, "running", lambda space: {"stable": None})
    monkeypatch.setattr(stable.signatures, "serves", lambda image, model: None)
    monkeypatch.setattr(stable, "move", lambda space, to, seconds: moved.append(to.model))
    past = champion.history()
    image = f"registry.example.com/model@sha256:{'c' * 64}"
    monkeypatch.setattr(champion, "history", lambda: [each | {"image": image} for each in past])
    monkeypatch.setattr(sys, "stdout", Full())
    monkeypatch.setattr(sys, "stderr", Full())
    assert rollback.run({"ENV": "staging"})
    assert moved == [models[1]] == [current()]


def test_rollback_goes_to_a_champion_of_another_table_only_when_told_so(
    models: list[str],
    new_candidate: Make,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    promote.run({})
    data = load_config().data
    asked = {"target": data.target, "task": data.task, "labels": list(data.labels)}
    for digest in models:
        assert rollback._identity({"digest": digest}).items() >= asked.items()
    third(new_candidate)
    other = asked | {"target": "late"}
    monkeypatch.setattr(
        rollback, "_identity", lambda record: other if record["digest"] == models[1] else asked
    )
    assert rollback.run({})
    assert current() == models[0]
    said = capsys.readouterr().err
    assert f"{models[1][:16]} passed over: is of another table than the champion: target" in said
    assert "APPLY=yes" in said


def test_rollback_to_another_table_is_done_with_a_warning_when_told_so(
    models: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    promote.run({})
    question = {"target": "default", "task": "binary", "labels": []}
    monkeypatch.setattr(
        rollback, "_identity", lambda record: question | {"target": record["digest"]}
    )
    with pytest.raises(InputError, match="no earlier champion"):
        rollback.run({})
    assert current() == models[1]
    assert rollback.run({"APPLY": "yes"})
    assert current() == models[0]
    assert f"rollback: warning: {models[0][:16]} is of another table" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["gone", "changed"])
def test_rollback_passes_over_a_version_that_does_not_verify(
    models: list[str], new_candidate: Make, damage: str
) -> None:
    promote.run({})
    third(new_candidate)
    file = champion.folder(models[1]) / "encoder.json"
    file.unlink() if damage == "gone" else file.write_text("{}")
    assert rollback.run({})
    assert current() == models[0]


def test_a_champion_written_before_a_crash_gets_its_line_in_the_history(models: list[str]) -> None:
    lines = HISTORY.read_text()
    promote.run({})
    HISTORY.write_text(lines)
    rollback.run({})
    digests = [record["digest"] for record in champion.history()]
    assert digests == [models[0], models[1], models[0]]


@pytest.mark.parametrize(
    ("why", "kept"),
    [
        ("St\udcf6rung", r"St\xf6rung"),
        ("\x1b[31mred\x07", r"\x1b[31mred\x07"),
        ("\u202eback", r"\u202eback"),
        ("half a letter \ud83d", r"half a letter \ud83d"),
        ("Störung 👍\ttoday\n", "Störung 👍 today"),
    ],
)
def test_a_reason_that_is_no_text_hinders_no_rollback(
    models: list[str], why: str, kept: str, capsys: pytest.CaptureFixture[str]
) -> None:
    promote.run({})
    assert rollback.run({"WHY": why})
    history.run()
    assert capsys.readouterr().out.splitlines()[-1].endswith(kept)


def test_history_prints_who_when_and_why(
    models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    promote.run({"WHY": "more\ndata"})
    capsys.readouterr()
    history.run()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["since", "model", "how", "by", "commit", "why"]
    assert [models[at][:16] in lines[at + 1] for at in (0, 1)] == [True, True]
    assert lines[2].endswith("more data")


@pytest.mark.parametrize("line", ["[" * 100_000, "9" * 5000, "\udcff", '{"digest": "x"}', "{"])
def test_a_damaged_history_is_named(models: list[str], line: str) -> None:
    with HISTORY.open("a", errors="surrogateescape") as file:
        file.write(line + "\n")
    with pytest.raises(InputError, match=r"history\.jsonl"):
        history.run()


def test_promote_repeats_the_warnings_of_the_verdict(
    project: Path, new_candidate: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    write_gates(**LOOSE, lineage="{require_commit: false}")
    for number in (1, 2):
        new_candidate(number)
        gate.run()
        register.run()
    promote.run({})
    assert "promote: warning: lineage.commit" in capsys.readouterr().out


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in HISTORY.read_text(encoding="utf-8").splitlines()]


def rewrite(records: list[dict[str, Any]]) -> None:
    HISTORY.write_text("".join(f"{json.dumps(record)}\n" for record in records), encoding="utf-8")


OTHER = f"registry.example.com/other@sha256:{'6' * 64}"
EDITS: list[Callable[[list[dict[str, Any]]], object]] = [
    lambda known: known[0].update(image=OTHER),
    lambda known: known[1].update(why="another reason"),
    lambda known: known[0].update(more=1),
    lambda known: known[0].update(seal="0" * 64),
    lambda known: known[0].update(seal=None, image=OTHER),
    lambda known: known[2].pop("seal"),
    lambda known: known.pop(1),
    lambda known: known.reverse(),
    lambda known: known.insert(1, known[1]),
    lambda known: known[0].update(seal=[known[0]["seal"]]),
]


@pytest.mark.parametrize("edit", EDITS)
def test_a_history_with_an_edited_line_is_refused_and_nothing_moves(
    edit: Callable[[list[dict[str, Any]]], object], models: list[str]
) -> None:
    promote.run({})
    rollback.run({})
    known = lines()
    edit(known)
    rewrite(known)
    before = CHAMPION.read_bytes()
    for word in (rollback.run, promote.run):
        with pytest.raises(InputError, match=r"line \d, or one above it, was edited: restore it"):
            word({"APPLY": "yes"})
    assert CHAMPION.read_bytes() == before


def test_a_history_written_anew_in_another_layout_is_the_same(models: list[str]) -> None:
    promote.run({})
    rewrite([dict(sorted(record.items())) for record in lines()])
    assert rollback.run({})
    assert current() == models[0]


def judge_and_register() -> None:
    gate.run()
    register.run()


def offered(**settings: str) -> str:
    """Digest of the model that may go out, empty where none may."""
    offer.run(settings)
    facts = dict(line.split("=", 1) for line in offer.OFFER.read_text().splitlines())
    assert facts["release"] == ("yes" if facts["model"] else "no")
    assert offer.JUDGED.read_text() == facts["model"]
    return facts["model"]


def test_after_a_rollback_and_a_revert_the_bad_model_goes_out_for_a_reason_only(
    models: list[str], new_candidate: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = models
    assert offered() == second
    promote.run({})
    rollback.run({"WHY": "wrong answers"})
    assert 'make promote WHY="..."' in capsys.readouterr().out
    path = gate.CANDIDATE / "model.json"  # the commit is reverted
    path.write_text((champion.folder(first) / "model.json").read_text())
    report = json.loads(Path("reports/evaluation.json").read_text())
    Path("reports/evaluation.json").write_text(json.dumps(report | {"model": first}))
    judge_and_register()
    assert offered() == ""
    assert f"nothing to release: model {first[:16]} is the champion" in capsys.readouterr().out
    assert (champion.read(CHALLENGER) or {})["digest"] == first
    assert new_candidate(2) == second  # trained again, by a schedule say
    judge_and_register()
    assert "but was rolled back" in capsys.readouterr().out
    assert offered(WHY="  ") == ""
    assert "wrong answers" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"was rolled back .*: wrong answers: nothing was done"):
        promote.run({})
    assert current() == first
    assert offered(WHY="the table was wrong, not the model") == second
    promote.run({"WHY": "the table was wrong, not the model"})
    assert current() == second
    assert champion.history()[-1]["why"] == "the table was wrong, not the model"
    assert withdrawn.how(second) == ""


@pytest.mark.parametrize(("service", "goes_out"), [("yes", True), ("no", False), ("", False)])
def test_the_champion_goes_out_again_where_what_its_image_is_made_of_changed(
    service: str, goes_out: bool, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    promote.run({})
    monkeypatch.setenv("SERVICE", service)
    assert offered() == (models[1] if goes_out else "")


def test_another_image_is_no_reason_to_let_out_what_was_taken_back(
    models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVICE", "yes")
    withdrawn.abort(models[1], "errors")
    assert offered() == ""


def test_a_model_whose_rollout_was_ended_goes_out_for_a_reason_only(
    models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    withdrawn.abort(models[1], "errors: 3.1 % of the answers\nfail")
    assert offered() == ""
    assert "errors: 3.1 % of the answers fail" in capsys.readouterr().out
    with pytest.raises(InputError, match="was ended in its rollout"):
        promote.run({})
    withdrawn.abort("f" * 64, "another model")
    promote.run({"WHY": "the network was at fault"})
    assert current() == models[1]


@pytest.mark.parametrize(("judged", "refused"), [("a", True), ("b", False), ("", True)])
@pytest.mark.parametrize("how", ["ended", "rolled back"])
def test_a_corrected_image_of_a_model_that_was_taken_back_is_promoted_without_a_reason(
    how: str, judged: str, refused: bool, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    images = {sign: f"registry.example.com/model@sha256:{sign * 64}" for sign in "ab"}
    if how == "ended":
        withdrawn.abort(models[1], "failed: 5 %", images["a"])
    else:
        promote.run({"IMAGE": images["a"]})
        rollback.run({"WHY": "failed: 5 %"})
    passed = images.get(judged, "")
    monkeypatch.setattr(stable, "passed", lambda *_: passed)
    monkeypatch.setattr(stable, "image", lambda *_: None)
    monkeypatch.setattr(stable, "finish", lambda *_: passed)
    if refused:
        with pytest.raises(InputError, match="nothing was done; say why it is good now"):
            promote.run({"ENV": "production"})
    else:
        promote.run({"ENV": "production"})
    assert current() == models[not refused]


def test_a_run_offers_the_model_it_judged_and_no_other(
    models: list[str], new_candidate: Make
) -> None:
    new_candidate(3)
    gate.run()  # and another run registered meanwhile
    with pytest.raises(InputError, match=f"the challenger is {models[1][:16]}: nothing goes out"):
        offer.run({})


@pytest.mark.parametrize(("limit", "refused"), [("900.0", False), ("0.001", True)])
def test_a_challenger_that_this_run_refused_is_not_offered(
    limit: str, refused: bool, models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_gates(size=LOOSE["size"].replace("1000.0", limit))
    assert gate.run() != refused
    assert offered(WHY="asked") == ("" if refused else models[1])
    assert ("was refused by the gate" in capsys.readouterr().out) == refused


def test_words_that_release_refuse_another_model_than_the_one_judged(
    models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = f"registry.example.com/model@sha256:{'c' * 64}"
    by_image: tuple[Callable[[], object], ...] = (
        lambda: promote.run({}),
        lambda: build.run({"MODEL": "challenger"}),
        lambda: build.run({}),
        lambda: releases.wanted({"IMAGE": image, "MODEL": f"models/{models[1][:16]}"}),
        lambda: signatures.judged(models[1], image),
    )
    monkeypatch.setenv("JUDGED", "d" * 64)
    for word in by_image:
        with pytest.raises(InputError, match=f"not the one that this run judged, {'d' * 16}"):
            word()
    assert current() == models[0]
    monkeypatch.setenv("JUDGED", models[1])
    assert signatures.judged(models[1], image)["digest"] == models[1]
    assert releases.wanted({"IMAGE": image, "MODEL": models[1][:16]}).model == models[1]
    promote.run({})
    assert current() == models[1]


def test_a_reason_given_to_the_champion_is_noted_once(models: list[str]) -> None:
    promote.run({"WHY": "more data"})
    promote.run({"WHY": " more  data "})
    promote.run({})
    assert len(champion.history()) == 2
    promote.run({"WHY": "and it answers faster"})
    assert [record["why"] for record in champion.history()][1:] == [
        "more data",
        "and it answers faster",
    ]
    assert rollback.run({})
    assert current() == models[0]


def test_an_older_history_is_read_said_to_have_no_seal_and_sealed_by_the_next_line(
    models: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    old = [{k: v for k, v in record.items() if k not in ("seal", "image")} for record in lines()]
    rewrite(old)
    assert [record["image"] for record in champion.history()] == [None]
    assert "no seal until the next one is added" in capsys.readouterr().err
    promote.run({})
    assert lines()[0] == old[0]  # the file of another machine is still its beginning
    capsys.readouterr()
    assert len(champion.history()) == 2
    assert capsys.readouterr().err == ""
    rewrite([old[0] | {"image": OTHER}, lines()[1]])
    with pytest.raises(InputError, match="line 2, or one above it, was edited"):
        rollback.run({})


ENDED = {"digest": "1" * 64, "since": "2026-01-01T00:00:00+00:00", "by": "E", "why": "slow"}
NO_LINES = ["[" * 100_000, "9" * 5000, "\udcff", "NaN", "5", "null"]


@pytest.mark.parametrize(
    "line",
    [*NO_LINES, "{}", "{", '{"digest": "x"}', json.dumps(ENDED | {"since": 5}), "[]"],
)
def test_a_damaged_list_of_ended_rollouts_is_named(models: list[str], line: str) -> None:
    known = json.dumps(ENDED) + "\n"
    withdrawn.ABORTED.write_text(known)
    offer.run({})
    withdrawn.ABORTED.write_text(known + line + "\n", errors="surrogateescape")
    with pytest.raises(InputError, match=r"aborted\.jsonl is damaged"):
        offer.run({})


def test_figures_of_the_champion_that_were_edited_change_no_verdict(
    models: list[str], new_candidate: Make
) -> None:
    record = champion.read(CHAMPION) or {}
    kept = champion.verdict(record)["metrics"]
    path = Path(record["model"]) / "model.json"
    content = json.loads(path.read_text())
    for figures in content["metrics"].values():
        figures |= {"value": 0.5, "low": 0.5, "high": 0.5}
    path.write_text(json.dumps(content))
    before = json.loads(gate.VERDICT.read_text())
    gate.VERDICT.unlink()
    gate.run()
    after = json.loads(gate.VERDICT.read_text())
    assert (after["rival"], after["checks"]) == (before["rival"], before["checks"])
    _, model = monitor.current()
    found = monitor.quality.measure(model, champion.verdict(record), load_config())
    headline = kept[found["metric"]]["value"]
    assert found["before"] == headline != 0.5
