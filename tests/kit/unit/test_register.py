from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ml_template.model import artifact, manifest
from ml_template.operations import promote
from ml_template.pipeline.judgement import gate, register, rival
from ml_template.pipeline.reporting import report, summary
from ml_template.registry import champion, tracking
from ml_template.registry.book import LOCAL
from ml_template.registry.champion import CHALLENGER, CHAMPION
from ml_template.settings.config import InputError
from ml_template.storage.places import VERDICT

from .conftest import LOOSE, write_gates

IMPOSSIBLE = "{max_mb: 0.0, max_load_seconds: 100.0, max_memory_mb: 8000.0}"


def judge_and_register() -> bool:
    gate.run()
    return register.run()


def test_the_first_model_that_passes_becomes_challenger_and_champion(project: Path) -> None:
    assert judge_and_register()
    record = champion.read(CHAMPION)
    assert record is not None
    assert record == champion.read(CHALLENGER)
    assert champion.verify(record)["model"] == record["digest"]
    assert artifact.load(Path(record["model"]), record["digest"]).manifest["metrics"]


def test_the_second_model_becomes_challenger_only(
    project: Path, new_candidate: Callable[[int], str]
) -> None:
    judge_and_register()
    first = champion.read(CHAMPION)
    second = new_candidate(2)
    assert judge_and_register()
    assert champion.read(CHAMPION) == first
    assert (champion.read(CHALLENGER) or {})["digest"] == second


def test_a_model_that_answers_another_question_is_treated_as_the_first(
    project: Path, new_candidate: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_and_register()
    second = new_candidate(2)
    monkeypatch.setattr(rival, "_other_question", lambda *_: "predicts 'price' (regression)")
    assert judge_and_register()
    record = champion.read(CHAMPION) or {}
    assert record["digest"] == second
    assert "predicts 'price'" in record["why"]


def test_after_a_rollback_nothing_becomes_champion_without_promote(
    project: Path, new_candidate: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge_and_register()
    first = (champion.read(CHAMPION) or {}) | {"action": "rollback"}
    champion.enthrone(first)
    second = new_candidate(2)
    monkeypatch.setattr(rival, "_other_question", lambda *_: "predicts 'price' (regression)")
    assert judge_and_register()
    assert champion.read(CHAMPION) == first
    assert (champion.read(CHALLENGER) or {})["digest"] == second
    promote.run({})
    assert (champion.read(CHAMPION) or {})["digest"] == second


def test_a_refused_model_is_not_kept_and_changes_nothing(project: Path) -> None:
    write_gates(size=IMPOSSIBLE)
    assert not judge_and_register()
    assert {path.name for path in Path("models").iterdir()} == {"candidate"}


def test_registering_twice_changes_no_file(project: Path) -> None:
    judge_and_register()
    before = {path: path.stat().st_mtime_ns for path in Path("models").rglob("*")}
    assert judge_and_register()
    assert before == {path: path.stat().st_mtime_ns for path in Path("models").rglob("*")}


@pytest.mark.parametrize(
    "name",
    ["reports/metrics.json", "reports/evaluation.json", "gates.yaml", "data/prepared/test.parquet"],
)
def test_a_verdict_on_files_that_changed_since_registers_nothing(project: Path, name: str) -> None:
    gate.run()
    Path(name).write_bytes(Path(name).read_bytes() + b"\n")
    with pytest.raises(InputError, match=r"is stale|is of other rows"):
        register.run()
    assert not CHAMPION.exists()


@pytest.mark.parametrize("waiting", [False, True])
def test_a_champion_that_was_judged_by_new_gates_can_be_promoted_again(
    waiting: bool, project: Path, new_candidate: Callable[[int], str]
) -> None:
    first = json.loads((project / "models/candidate/model.json").read_bytes())["identity"]["seed"]
    judge_and_register()
    before = champion.read(CHAMPION) or {}
    if waiting:
        new_candidate(first + 1)
        judge_and_register()
        new_candidate(first)
    write_gates(**LOOSE, determinism="{max_difference: 0.1}")
    if not waiting:
        with pytest.raises(InputError, match="run `make gate register`"):
            promote.run({"WHY": "still good"})
    assert judge_and_register()
    assert champion.read(CHAMPION) == before
    assert promote.run({"WHY": "still good"})
    now = champion.read(CHAMPION) or {}
    assert (now["digest"], now["why"]) == (before["digest"], "still good")
    assert now["verdict"] != before["verdict"]


def test_a_candidate_changed_after_the_gate_registers_nothing(project: Path) -> None:
    gate.run()
    encoder = Path("models/candidate/encoder.json")
    encoder.write_bytes(encoder.read_bytes().replace(b"[", b" ", 1))
    with pytest.raises(InputError, match=r"encoder\.json"):
        register.run()


def test_a_verdict_of_another_model_registers_nothing(
    project: Path, new_candidate: Callable[[int], str]
) -> None:
    gate.run()
    new_candidate(2)
    with pytest.raises(InputError, match="is stale"):
        register.run()


def test_a_damaged_kept_version_is_kept_again(project: Path) -> None:
    judge_and_register()
    record = champion.read(CHAMPION) or {}
    (Path(record["model"]) / "encoder.json").write_text("{}")
    assert judge_and_register()
    champion.verify(record)


def test_a_champion_whose_verdict_is_lost_gets_one_when_made_again(project: Path) -> None:
    judge_and_register()
    next(champion.VERDICTS.iterdir()).unlink()
    assert judge_and_register()
    champion.verify(champion.read(CHAMPION) or {})


@pytest.mark.parametrize("survived", range(6))
def test_killed_after_any_write_nothing_half_written_counts_and_the_next_run_finishes(
    project: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    gate.run()
    left = iter(range(survived))
    replace = Path.replace

    def killed(self: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return replace(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        try:
            register.run()
        except KeyboardInterrupt:
            record = champion.read(CHAMPION)
            assert record is None or champion.verify(record)
    assert register.run()
    record = champion.read(CHAMPION)
    assert record is not None
    assert champion.verify(record)
    assert champion.history() == [record]


def test_the_summary_names_champion_metrics_and_report(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge_and_register()
    capsys.readouterr()
    summary.run()
    lines = capsys.readouterr().out.splitlines()
    digest = (champion.read(CHAMPION) or {})["digest"]
    headline = json.loads(Path("reports/evaluation.json").read_text())["headline"]
    assert [line.split(":")[0] for line in lines] == ["champion", "metrics", "report"]
    assert digest[:16] in lines[0]
    assert headline in lines[1]


def summary_of_a_candidate_of_its_own_metrics(
    capsys: pytest.CaptureFixture[str], **lineage: str
) -> list[str]:
    """Lines of the summary when the verdict has other metrics, and such `lineage`."""
    verdict = json.loads(VERDICT.read_text())
    own = {name: found | {"value": 0.123} for name, found in verdict["metrics"].items()}
    del verdict["digest"]
    changes = {"metrics": own, "lineage": verdict["lineage"] | lineage}
    VERDICT.write_text(json.dumps(champion.sealed(verdict | changes)))
    capsys.readouterr()
    summary.run()
    lines = capsys.readouterr().out.splitlines()
    heads = [line.split(":")[0] for line in lines]
    new = ["candidate", "metrics", "gain", "changed"]
    assert heads == [*new, "champion", "metrics", "report"]
    assert ["0.123" in line for line in lines] == [False, True, *[False] * 5]
    return lines


def test_the_summary_shows_a_refused_candidate_with_its_own_metrics_and_the_champion_with_its(
    project: Path, new_candidate: Callable[[int], str], capsys: pytest.CaptureFixture[str]
) -> None:
    judge_and_register()
    digest = new_candidate(2)
    write_gates(size=IMPOSSIBLE)
    assert not judge_and_register()
    lines = summary_of_a_candidate_of_its_own_metrics(capsys)
    assert f"{digest[:16]}: REFUSED, the champion stays: size" in lines[0]


def test_the_summary_begins_with_the_model_that_was_trained_now_when_another_is_champion(
    project: Path, new_candidate: Callable[[int], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """It told of the champion alone, and a person read its score for that of the new model."""
    judge_and_register()
    digest = new_candidate(2)
    assert judge_and_register()
    lines = summary_of_a_candidate_of_its_own_metrics(capsys, config="another")
    assert f"{digest[:16]}: passed, waits as challenger: `make promote`" in lines[0]
    assert "configuration since the champion was trained" in lines[3]


def test_a_run_in_which_nothing_changed_says_so_and_shows_no_old_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate.run(alone=False)
    assert "size.mb" in capsys.readouterr().out
    assert gate.run(alone=False)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("gate: nothing that it judges has changed: model ")
    assert "was passed" in line
    assert gate.run()
    assert len(capsys.readouterr().out.splitlines()) > 3
    write_gates(size=IMPOSSIBLE)
    for lines in (True, False):
        assert not gate.run(alone=False)
        assert ("size.mb" in capsys.readouterr().out) == lines


MIRROR = tracking.mirror


@pytest.fixture
def server(project: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The real mirror, and the address of a local file that it writes to."""
    address = f"sqlite:///{project}/mlflow.db"
    monkeypatch.setattr(tracking, "mirror", MIRROR)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    return address


@pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies
def test_mlflow_mirrors_versions_aliases_and_refused_runs_once(
    server: str, new_candidate: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judge_and_register()
    first = (champion.read(CHAMPION) or {})["digest"]
    second = new_candidate(2)
    assert judge_and_register()
    new_candidate(3)
    write_gates(size=IMPOSSIBLE)
    assert not judge_and_register()
    book = tracking.Book(server)
    for alias, digest in (("champion", first), ("challenger", second)):
        version = book.client.get_model_version_by_alias(book.name, alias)
        assert version.tags["digest"] == digest
    runs = book.client.search_runs([book.experiment])
    assert sorted(run.data.tags["verdict"] for run in runs) == ["passed", "passed", "refused"]
    metrics = json.loads(Path("reports/metrics.json").read_text())
    name, estimate = next(iter(metrics.items()))
    assert runs[0].data.metrics[f"{name}_low"] == pytest.approx(estimate["low"])
    monkeypatch.setattr(tracking, "Book", pytest.fail)
    assert not register.run(alone=False)


@pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies
def test_a_run_of_mlflow_is_named_described_and_has_its_report_and_plots(
    server: str, new_candidate: Callable[[int], str]
) -> None:
    gate.run()
    report.run()
    assert register.run()
    book = tracking.Book(server)
    (run,) = book.client.search_runs([book.experiment])
    digest = run.data.tags["digest"]
    named = rf"\w+ \d{{4}}-\d\d-\d\d \d\d:\d\d {digest[:8]}"
    assert re.fullmatch(named, run.data.tags["mlflow.runName"])
    assert "**passed**" in run.data.tags["mlflow.note.content"]
    kept = {file.path for file in book.client.list_artifacts(run.info.run_id, "report")}
    assert kept == {"report/model_card.md", "report/plots", "report/report.html"}
    assert book.client.list_artifacts(run.info.run_id, "report/plots")
    new_candidate(2)
    gate.run()
    assert register.run()  # without a report of its own: that of the model before is none
    other = next(
        r for r in book.client.search_runs([book.experiment]) if r.data.tags["digest"] != digest
    )
    kept = {file.path for file in book.client.list_artifacts(other.info.run_id, "report")}
    assert kept == {"report/plots"}


def test_tracking_opens_what_is_there(
    server: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"mlflow.db is missing.*`make run`"):
        tracking.run({})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example")
    tracking.run({})
    assert capsys.readouterr().out == "tracking: https://mlflow.example\n"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    Path(server.removeprefix("sqlite:///")).touch()
    called: list[list[str]] = []
    monkeypatch.setattr(tracking.os, "execv", lambda program, words: called.append(words))
    tracking.run({"PORT": "7001"})
    assert called[0][1:4] == ["-m", "mlflow", "ui"]
    assert called[0][-4:] == ["--host", "127.0.0.1", "--port", "7001"]


def lose_aliases(client: Any, name: str) -> None:
    for alias in ("champion", "challenger"):
        client.delete_registered_model_alias(name, alias)


def lose_version(client: Any, name: str) -> None:
    client.delete_model_version(name, client.get_model_version_by_alias(name, "champion").version)


def lose_model(client: Any, name: str) -> None:
    client.delete_registered_model(name)


def lose_run(client: Any, name: str) -> None:
    client.delete_run(client.get_model_version_by_alias(name, "champion").run_id)


def lose_files(client: Any, name: str) -> None:
    shutil.rmtree("mlartifacts")


def kept_file(client: Any, name: str, pattern: str) -> Path:
    run = client.get_model_version_by_alias(name, "champion").run_id
    (path,) = Path("mlartifacts").glob(f"{run}/artifacts/model/{pattern}")
    return path


def lose_manifest(client: Any, name: str) -> None:
    kept_file(client, name, "model.json").unlink()


def spoil_manifest(client: Any, name: str) -> None:
    kept_file(client, name, "model.json").write_text("{}")


def spoil_encoder(client: Any, name: str) -> None:
    with kept_file(client, name, "encoder.json").open("a") as file:
        file.write(" ")


def fail_run(client: Any, name: str) -> None:
    client.set_terminated(client.get_model_version_by_alias(name, "champion").run_id, "FAILED")


def lose_file(client: Any, name: str) -> None:
    Path("mlflow.db").unlink()


def lose_memory(client: Any, name: str) -> None:
    Path("models/mlflow.json").unlink()
    lose_aliases(client, name)


def point_elsewhere(client: Any, name: str) -> None:
    found = client.get_model_version_by_alias(name, "champion")
    other = client.create_model_version(name, found.source, found.run_id)
    client.set_registered_model_alias(name, "champion", other.version)


@pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies
@pytest.mark.parametrize(
    ("lose", "said"),
    [
        (lose_aliases, "alias champion"),
        (lose_version, "version 2 of model"),
        (lose_model, "registered model"),
        (lose_run, "run "),
        (lose_files, "files of run"),
        (lose_manifest, "files of run"),
        (spoil_manifest, "files of run"),
        (spoil_encoder, "files of run"),
        (fail_run, "which was FAILED"),
        (point_elsewhere, "was at 2"),
        (lose_file, ""),
        (lose_memory, ""),
    ],
)
def test_what_mlflow_lost_it_is_told_again(
    server: str,
    lose: Callable[[Any, str], None],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert judge_and_register()
    book = tracking.Book(server)
    lose(book.client, book.name)
    capsys.readouterr()
    assert register.run()
    printed = capsys.readouterr().out
    assert ("and has again" in printed) == bool(said)
    assert said in printed
    client, digest = tracking.Book(server).client, (champion.read(CHAMPION) or {})["digest"]
    found = client.get_model_version_by_alias(book.name, "champion")
    assert found.tags["digest"] == digest
    info = client.get_run(found.run_id).info
    assert (info.lifecycle_stage, info.status) == ("active", "FINISHED")
    manifest.read(kept_file(client, book.name, "model.json").parent, digest)
    assert register.run()
    assert "had lost" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies
def test_a_deleted_experiment_is_named_with_its_remedy(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge_and_register()
    book = tracking.Book(server)
    book.client.delete_experiment(book.experiment)
    assert not register.run()
    error = capsys.readouterr().err
    assert f"MLFLOW_TRACKING_URI={server}" in error
    assert f"mlflow experiments restore --experiment-id {book.experiment}" in error
    book.client.restore_experiment(book.experiment)
    assert register.run()


@pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies
def test_a_project_that_was_moved_does_not_make_its_old_folder_again(
    server: str, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge_and_register()
    moved = project.rename(project.with_name(f"{project.name}-moved"))
    monkeypatch.chdir(moved)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", LOCAL)
    assert not register.run()
    error = capsys.readouterr().err
    assert f"{project}/mlartifacts, which is not there" in error
    assert not project.exists()


@pytest.mark.filterwarnings("ignore")  # of MLflow's own dependencies
def test_a_damaged_file_of_mlflow_is_named_with_its_remedy(
    server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judge_and_register()
    path = Path("mlflow.db")
    path.write_bytes(bytes(range(256)) * 16)
    assert not register.run()
    error = capsys.readouterr().err
    assert f"`mv {path.absolute()} {path.absolute()}.old`" in error


def unreachable(server: str) -> None:
    raise OSError(f"{server} does not answer")


def test_without_mlflow_the_champion_is_made_and_the_exit_code_says_so(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = "http://name:secret@127.0.0.1:1"  # pragma: allowlist secret
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setattr(tracking, "Book", unreachable)
    assert not judge_and_register()
    assert champion.verify(champion.read(CHAMPION) or {})
    error = capsys.readouterr().err
    assert "MLflow (http://127.0.0.1:1) was not written" in error
    assert "secret" not in error


def test_a_slow_mlflow_is_given_up(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracking, "DEADLINE", 1)
    monkeypatch.setattr(tracking, "Book", lambda _: time.sleep(60))
    assert not judge_and_register()
    assert "no end within 1 s" in capsys.readouterr().err
