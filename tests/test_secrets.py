"""T17: what the secrets hook of a generated project finds, and what it leaves alone."""

from __future__ import annotations

import base64
import json
import random
import re
import shutil
import string
from pathlib import Path

import bake
import pytest

DRAW = random.Random(17)  # secrets are made here: none stands in a file of this repository


def text(length: int, letters: str = string.ascii_letters + string.digits) -> str:
    return "".join(DRAW.choices(letters, k=length))


def hexadecimal(length: int) -> str:
    return text(length, "0123456789abcdef")


def jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": text(8), "role": "admin"})
    coded = [base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts]
    return ".".join([*coded, text(43)])


def notebook(source: str, output: str) -> str:
    cell = {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": [source]}
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": [output + "\n"]}]
    return json.dumps(
        {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1
    )


UPPER = string.ascii_uppercase + string.digits
KEY = "-----BEGIN RSA PRIVATE " + "KEY-----"

# where: the text that holds the secret
SECRETS = {
    "src/model/extra.py": f'API_KEY = "{text(32)}"\n',
    "model_config.yaml": f"password: {text(20)}\n",
    "data/answers.json": json.dumps({"secret": text(30)}),
    ".env": f"AWS_ACCESS_KEY_ID=AKIA{text(16, UPPER)}\n",
    "notebooks/output.ipynb": notebook("show()", "token gh" + f"p_{text(36)}"),
    "notebooks/source.ipynb": notebook(f"client = connect(password='{text(18)}')", "ok"),
    ".dvc/config": f"['remote \"storage\"']\n    secret_access_key = {text(40)}\n",
    "Jenkinsfile": f"sh 'curl -H \"Authorization: Bearer {jwt()}\" example.com'\n",
    "jenkins/Jenkinsfile": f'sh "deploy --token {text(40)}"\n',
    ".github/workflows/extra.yml": "env:\n  NPM_TOKEN: np" + f"m_{text(36)}\n",
    "Makefile": f"export DB_PASSWORD := {text(20)}\n",
    "Dockerfile": f"ENV SECRET_KEY={text(40)}\n",
    "README.md": f"Log in with https://admin:{text(16)}@example.com/\n",
    "deploy.sh": f"export AWS_SECRET_ACCESS_KEY={text(40)}\n",
    "pyproject.toml": f'token = "py" + "pi-{text(60)}"\n',
    "deploy/secret.yaml": f"data:\n  password: {base64.b64encode(text(24).encode()).decode()}\n",
    "requirements/extra.in": f"thing @ git+https://user:{text(24)}@example.com/thing.git\n",
    "id_rsa": f"{KEY}\n{text(64)}\n",
    "monitoring.yml": "url: https://hooks.slack"
    + f".com/services/T{text(8, UPPER)}/B{text(8, UPPER)}/{text(24)}\n",
    "tests/test_api.py": f'headers = {{"X-Api-Key": "{hexadecimal(40)}"}}\n',
}  # fmt: skip

DECOYS = {
    "lineage.py": f'COMMIT = "{hexadecimal(40)}"\n',
    "data/table.csv.dvc": f"outs:\n- md5: {hexadecimal(32)}\n  size: 120\n  hash: md5\n",
    "model.json": f'{{\n  "model_sha256": "{hexadecimal(64)}"\n}}\n',
    "dvc.lock": f"  outs:\n  - path: data/prepared\n    md5: {hexadecimal(32)}.dir\n",
    "requirements/more.txt": f"numpy==2.0.0 \\\n    --hash=sha256:{hexadecimal(64)}\n",
    ".github/workflows/more.yml": f"      - uses: actions/checkout@{hexadecimal(40)} # v7.0.1\n",
    "deploy/Jenkinsfile": "usernamePassword(passwordVariable: 'DB_PASSWORD')\n",
    "config.py": 'password = os.environ["DB_PASSWORD"]\ntoken = get_token()\n',
}


def alarms(project: Path, name: str, content: str) -> str:
    """What the hook says of this file, empty where it lets it pass."""
    path = project / name
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    done = bake.run("detect-secrets-hook", "--baseline", ".secrets.baseline", name, cwd=project)
    path.unlink()
    if before is not None:
        path.write_bytes(before)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.fixture(scope="module")
def born(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = bake.by_cookiecutter(template, tmp_path_factory.mktemp("secrets"), {})
    bake.commit(project, "Born")
    return project


@pytest.mark.parametrize("name", SECRETS)
def test_T17_a_planted_secret_is_found(name: str, born: Path) -> None:
    assert "Secret Type" in alarms(born, name, SECRETS[name])


@pytest.mark.parametrize("name", DECOYS)
def test_T17_a_decoy_gives_no_alarm(name: str, born: Path) -> None:
    assert alarms(born, name, DECOYS[name]) == ""


def test_T17_a_secret_beside_a_digest_is_still_found(born: Path) -> None:
    line = f'password = "{text(24)}"  # sha256: {hexadecimal(64)}\n'
    assert "Secret Type" in alarms(born, "beside.py", line)


def test_T17_nothing_in_a_fresh_project_gives_an_alarm(born: Path) -> None:
    names = bake.git(born, "ls-files").splitlines()
    done = bake.run("detect-secrets-hook", "--baseline", ".secrets.baseline", *names, cwd=born)
    assert done.returncode == 0, done.stdout


FALSE_ALARM = f'EXAMPLE_PASSWORD = "{text(24)}"'


def test_T17_moving_lines_does_not_touch_the_baseline(born: Path, tmp_path: Path) -> None:
    """Not even those of a false alarm that it holds, without a number of a line."""
    project = shutil.copytree(born, tmp_path / "project")
    baseline, name = project / ".secrets.baseline", "example.py"
    (project / name).write_text(FALSE_ALARM, encoding="utf-8")
    words = ("--slim", "--plugin", "requirements/secret_words.py", name)
    found = json.loads(bake.run("detect-secrets", "scan", *words, cwd=project).stdout)["results"]
    assert found[name]
    held = json.loads(baseline.read_bytes()) | {"results": found}
    baseline.write_text(json.dumps(held), encoding="utf-8")
    bake.commit(project, "A false alarm is accepted")
    before = baseline.read_bytes()
    for lines in ("", "\n" * 7):
        assert alarms(project, name, lines + FALSE_ALARM) == ""
    assert baseline.read_bytes() == before
    assert "Secret Type" in alarms(project, name, FALSE_ALARM + f'\npassword = "{text(24)}"\n')


def test_T17_a_false_alarm_is_let_pass_as_the_readme_says(born: Path) -> None:
    """By its line alone, wherever that stands; the next secret is found."""
    (mark,) = re.findall(r"`(# pragma: .+?)`", (born / "README.md").read_text(encoding="utf-8"))
    assert "Secret Type" in alarms(born, "example.py", FALSE_ALARM)
    baseline = (born / ".secrets.baseline").read_bytes()
    for lines in ("", "\n" * 7):
        assert alarms(born, "example.py", f"{lines}{FALSE_ALARM}  {mark}\n") == ""
    two = f'{FALSE_ALARM}  {mark}\npassword = "{text(24)}"\n'
    assert "Secret Type" in alarms(born, "example.py", two)
    assert (born / ".secrets.baseline").read_bytes() == baseline
