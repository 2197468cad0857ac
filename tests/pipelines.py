"""What workflows and Jenkinsfile of a project must hold: `alarms` lists what is wrong with them."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bake
import yaml
from needs import missing, needed

HARNESS = bake.ROOT / "tests" / "ci"
Job = dict[str, Any]

# name: (commit, version), from each action's own tags.
PINS = {
    "actions/checkout": ("3d3c42e5aac5ba805825da76410c181273ba90b1", "v7.0.1"),
    "actions/download-artifact": ("3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c", "v8.0.1"),
    "actions/upload-artifact": ("043fb46d1a93c77aae656e7c1c64a875d1fc6a0a", "v7.0.1"),
    "astral-sh/setup-uv": ("20cfd1bf945f4377ade1205e4dbc17946fc9a30d", "v10.0.1"),
    "aws-actions/configure-aws-credentials": ("e6de054238d6b7531b4efff3b6587d9aade6a06c", "v6.2.3"),
    "Azure/login": ("f5d393ae46f8fde4be8b75f32e3fc50e654ad0ca", "v3.0.1"),
    "sigstore/cosign-installer": ("6f9f17788090df1f26f669e9d70d6ae9567deba6", "v4.1.2"),
    "google-github-actions/auth": ("7c6bc770dae815cd3e89ee6cdf493a5fab2cc093", "v3.0.0"),
}

COSIGN = "v2.5.0"  # tests/test_signatures.py runs this one (tools/install.sh)
COMMAND = re.compile(r"make [a-z]+( [A-Z]+=[a-z0-9]+)*")
TRIGGERS = {"push", "pull_request", "schedule", "workflow_dispatch", "workflow_call"} | {
    "merge_group"
}
# What lets a model out, and the words that must have gone well before it.
ORDER = (
    *("check", "test", "evaluate", "gate", "register", "push", "offer", "image", "scan", "sign"),
    *("verify", "deploy", "load", "canary", "promote"),
)
RELEASE = {
    word: [earlier for earlier in ORDER[:number] if earlier != "push"]
    for number, word in enumerate(ORDER)
    if number >= ORDER.index("register")
}
# What must have been done before, by the same job or stage.
FIRST = {"deploy": {"verify"}, "canary": {"verify", "deploy"}, "promote": {"canary"}}
AFTER_GATE = "success() || steps.gate.outcome == 'failure'"
AFTER_REGISTER = f"{AFTER_GATE} || steps.register.outcome == 'failure'"
SHOWN = ("make report", "make summary", "actions/upload-artifact")
# The only conditions there are: (step, condition) and (job, condition).
STEP_CONDITIONS = {
    *((what, when) for what in SHOWN for when in (AFTER_GATE, AFTER_REGISTER)),
    ("actions/upload-artifact", "success() || steps.monitor.outcome == 'failure'"),
    ("make retrain", "success() || steps.monitor.outcome == 'failure'"),
    ("make push", "${{ !cancelled() && steps.retrain.outcome == 'success' }}"),
    ("make push", "success() || steps.canary.outcome == 'failure'"),
    ("$/.github/actions/setup", "success() || steps.canary.outcome == 'failure'"),
    (
        "make notify RESULT=failure",
        "contains(needs.*.result, 'failure') || contains(needs.*.result, 'cancelled')",
    ),
    (
        "make notify RESULT=success",
        "needs.train.result == 'success' && !contains(needs.*.result, 'failure')"
        " && !contains(needs.*.result, 'cancelled')",
    ),
}
ON_MAIN = "github.ref == 'refs/heads/main'"
JOB_CONDITIONS = {
    "model": "needs.check.outputs.data == 'yes'",
    "train": f"{ON_MAIN} && needs.check.outputs.train == 'yes'",
    "release": "needs.check.outputs.release == 'yes'",
    "image": f"{ON_MAIN} && needs.offer.outputs.release == 'yes'",
    "staging": "inputs.deploy == 'yes'",
    "notify": f"always() && {ON_MAIN}",
    "monitor": f"{ON_MAIN} && vars.PREDICTION_LOG != ''",
    "jenkins": f"{ON_MAIN} && vars.JENKINS_JOB != ''",
    "rollback": ON_MAIN,
}
PERMISSIONS = {
    "train": {"id-token"},
    "release": {"id-token", "packages"},
    "image": {"id-token", "packages"},
    "staging": {"id-token"},
    "production": {"id-token"},
    "monitor": {"id-token", "actions"},
    "rollback": {"id-token"},
}
# Secrets that a called workflow gets.
HANDED_ON = {
    "release": {
        name: f"${{{{ secrets.{name} }}}}"
        for name in ("REGISTRY_PASSWORD", "MLFLOW_TRACKING_TOKEN", "NOTIFY_WEBHOOK")
    }
}
READS = {name: {"packages"} for name in ("staging", "production", "rollback")}
# The one secret that an action gets, and which one gets it.
PASSWORD = "${{ secrets.REGISTRY_PASSWORD }}"
SETUP = "$/.github/actions/setup"
LOGIN = 'bash "$GITHUB_ACTION_PATH/registry.sh"'
# Where a word may work: it names its environment, and only staging goes without a canary.
ENVIRONMENTS = {
    "deploy": {"ENV=staging STRATEGY=rolling", "ENV=production"},
    "load": {"ENV=staging"},
    "canary": {"ENV=production"},
    "promote": {"ENV=production"},
    "rollback": {"ENV=production"},
}
# Jobs that let out the model that their run judged, and no other.
LETS_OUT = {"image", "staging", "production"}
JUDGED = "${{ needs.offer.outputs.model }}"
# Who waits for whom: a workflow or job, its group, and what becomes of one that comes later. Only
# what changes nothing is cancelled; all else waits for its turn, each beside the others.
QUEUED = {
    **{f"{name}.yml": name for name in ("jenkins", "monitor", "rollback")},
    **{name: name for name in ("image", "staging", "production")},
    "train": "training",
}
CONCURRENCY: dict[str, Any] = {
    name: {"group": group, "queue": "max"} for name, group in QUEUED.items()
} | {
    "ci.yml": {"group": "ci-${{ github.ref }}", "cancel-in-progress": True},
    "train.yml": {"group": "train-${{ github.run_id }}"},  # its jobs have groups of their own
}
# A word that takes longer than a login lasts, and words after it that need one.
LONG, LOGGED_IN = {"evaluate", "canary"}, {"push", "promote"}
JOB_KEYS = {"name", "needs", "if", "runs-on", "timeout-minutes", "environment", "permissions"} | {
    *("outputs", "env", "steps", "uses", "with", "secrets", "concurrency")
}
STEP_KEYS = {"run", "uses", "with", "if", "id", "env"}
RUNNERS = {"ubuntu-24.04", "${{ needs.check.outputs.runner }}"}

# Jenkins: which credentials a word may see, what a stage may hang on, which agents there are.
CREDENTIALS = {
    "pull": {"dvc"},
    "push": {"dvc"},
    "register": {"mlflow"},
    "sign": {"registry", "cosign"},
    "verify": {"registry", "cosign-public"},
    "deploy": {"staging", "production", "registry", "cosign-public"},
    "load": {"staging"},
    "canary": {"production"},
    "promote": {"production", "mlflow", "registry", "cosign-public"},
    "notify": {"notify", "github"},
}
EXPRESSIONS = {
    f"readFile('reports/doctor.txt').contains('{fact}=yes')": number
    for fact, number in {"data": 1, "train": 1, "search": 1, "deploy": 2}.items()
} | {
    "FACTS.contains('search=yes')": 1,
    "FACTS.contains('release=yes')": 1,
    "readFile('reports/offer.txt').contains('release=yes')": 1,
}
AGENTS = {".jenkins/cpu.yaml", ".jenkins/gpu.yaml", "label release"}
IN_POST = {"report", "summary", "notify", "push"}
IN_PARALLEL = {"pull", "search"}


def word(command: str) -> str:
    return command.split()[1] if COMMAND.fullmatch(command) else ""


def makefile_words(project: Path) -> set[str]:
    text = (project / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][a-z ]*):(?!=)", text, re.M)
    return {name for names in targets for name in names.split()}


def workflows(project: Path) -> dict[str, dict[str, Any]]:
    """File name: content, with `on` as a text (YAML 1.1 reads it as true)."""
    found = {}
    for path in sorted((project / ".github" / "workflows").glob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found[path.name] = {"on" if key is True else key: v for key, v in content.items()}
    return found


# --- workflows ------------------------------------------------------------------------------------


def alarms_of_workflows(project: Path) -> Iterator[str]:
    files = workflows(project)
    known = makefile_words(project)
    for file, content in files.items():
        yield from alarms_of_file(content)
        for name, part in {file: content, **content["jobs"]}.items():
            if part.get("concurrency") != CONCURRENCY.get(name):
                yield f"{file}: {name}: concurrency {part.get('concurrency')}"
        for name, job in content["jobs"].items():
            yield from (f"{file}: {name}: {fault}" for fault in alarms_of_job(name, job, content))
            for step in job.get("steps", []):
                yield from (f"{file}: {name}: {fault}" for fault in alarms_of_step(step, known))
                if is_cached(step) and "pull_request" not in content["on"]:
                    yield f"{file}: {name}: a cache that others can write"
        yield from (f"{file}: {fault}" for fault in alarms_of_order(file, files))
    for path in sorted(project.glob(".github/actions/*/action.yml")):
        yield from (f"{path.parent.name}: {fault}" for fault in alarms_of_action(path))
    for path in [*project.glob(".github/workflows/*"), *project.glob(".github/actions/*/*")]:
        yield from (f"{path.name}: {fault}" for fault in alarms_of_pins(path))


def alarms_of_action(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    if "secrets." in text or "vars." in text:
        yield "an action sees neither secrets nor variables"
    content = yaml.safe_load(text)
    for step in content["runs"]["steps"]:
        what, options = step.get("uses", "").split("@")[0], step.get("with", {})
        if not set(step) <= (STEP_KEYS | {"shell"} if "run" in step else STEP_KEYS):
            yield f"{what}: keys {set(step)}"
        if step.get("run", LOGIN) != LOGIN:
            yield f"runs {step['run']}"
        if what == "sigstore/cosign-installer" and options != {"cosign-release": COSIGN}:
            yield f"cosign {options}: signatures are tested with {COSIGN}"
        if what == "astral-sh/setup-uv" and (
            options != {"version": locked("uv"), "enable-cache": "${{ inputs.cache }}"}
            or content["inputs"]["cache"]["default"] != "false"
        ):
            yield f"uv {options}"


def locked(name: str, project: Path = bake.ROOT / bake.TREE) -> str:
    """The version of a package in the lock of a project."""
    lock = (project / "requirements" / "dev.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{name}==(\S+)", lock, re.M)
    assert found
    return found[1]


def alarms_of_file(content: dict[str, Any]) -> Iterator[str]:
    on = content["on"]
    if not isinstance(on, dict) or not set(on) <= TRIGGERS:
        yield f"triggers {on}"
        return
    if content.get("permissions") != {}:
        yield "the token is not empty at the top"
    if set(content) & {"env", "defaults"}:
        yield "env or defaults for all jobs"
    if "pull_request" in on and on != {"pull_request": None, "merge_group": None}:
        yield f"pull requests and their queue are seen once each, all of them: {on}"
    needed = {
        "src/**",
        "vendor/**",
        "data/**",
        "model_config.yaml",
        "gates.yaml",
        "dvc.*",
        "requirements/**",
    }
    push = on.get("push") or {}
    if push and (push.get("branches") != ["main"] or not needed <= set(push.get("paths", needed))):
        yield f"training is started by {push}"


def alarms_of_job(name: str, job: Job, content: dict[str, Any]) -> Iterator[str]:
    if not set(job) <= JOB_KEYS:
        yield f"keys {set(job) - JOB_KEYS}"
    if job.get("if") != JOB_CONDITIONS.get(name):
        yield f"condition {job.get('if')}"
    if name in LETS_OUT and job.get("env", {}).get("JUDGED") != JUDGED:
        yield "lets out whichever model is challenger"
    asked = job.get("permissions")
    if not isinstance(asked, dict):
        yield "no permissions of its own"
    else:
        writes = {key for key, value in asked.items() if value != "read"}
        if not writes <= PERMISSIONS.get(name, set()):
            yield f"writes {writes}"
        if set(asked) - writes - {"contents"} - READS.get(name, set()):
            yield f"reads {asked}"
        if "pull_request" in content["on"] and writes:
            yield "a pull request gets more than reading"
        if writes and "uses" not in job and "environment" not in job:
            yield "writes without an environment"
    around = {key: value for key, value in job.items() if key != "steps"}
    if around.pop("secrets", {}) != HANDED_ON.get(name, {}) or "secrets" in json.dumps(around):
        yield "secrets for the whole job"
    if "pull_request" in content["on"] and "secrets" in json.dumps(job):
        yield "a pull request sees secrets"
    if "uses" not in job:
        if not isinstance(job.get("timeout-minutes"), int):
            yield "no time limit"
        if job["runs-on"] not in RUNNERS:
            yield f"runs on {job['runs-on']}"
        fresh = True
        for step in job["steps"]:
            command = step.get("run", "")
            yield from misdirected(command)
            fresh = (fresh or step.get("uses") == SETUP) and word(command) not in LONG
            if not fresh and word(command) in LOGGED_IN and name in PERMISSIONS:
                yield f"{command}: the login has ended"
            if "ENV=" in command and job.get("environment") != environment(command):
                yield f"{command} in {job.get('environment')}"


def environment(command: str) -> str:
    """The value of ENV= in a command, or nothing."""
    found = re.search(r" ENV=(\w+)", command)
    return found[1] if found else ""


def misdirected(command: str) -> Iterator[str]:
    _, _, rest = command.removeprefix("make ").partition(" ")
    if rest not in ENVIRONMENTS.get(word(command), {rest}):
        yield f"{command}: not {' or '.join(sorted(ENVIRONMENTS[word(command)]))}"


def alarms_of_step(step: dict[str, Any], known: set[str]) -> Iterator[str]:
    what = step.get("run") or step.get("uses", "").split("@")[0]
    if not set(step) <= STEP_KEYS:
        yield f"{what}: keys {set(step) - STEP_KEYS}"
    if "run" in step and word(what) not in known:
        yield f"{what!r} is not a word of the Makefile"
    if "if" in step and (what, step["if"]) not in STEP_CONDITIONS:
        yield f"{what}: condition {step['if']}"
    options = step.get("with", {})
    if what == "make offer" and step.get("env", {}).get("SERVICE") != "${{ inputs.service }}":
        yield f"{what}: is not told what the push changed"
    if what == "actions/checkout" and options not in (
        {"persist-credentials": False},
        {"persist-credentials": False, "fetch-depth": 0},
    ):
        yield f"checkout with {options}"
    if what.split("/")[0] in ("sigstore", "astral-sh", "docker"):
        yield f"{what}: the action `setup` has it"
    mine = what == SETUP and options.get("password") == PASSWORD
    rest = {key: text for key, text in options.items() if not (mine and key == "password")}
    if "uses" in step and "secrets" in json.dumps({**step, "with": rest}):
        yield f"{what} gets secrets"


def is_cached(step: dict[str, Any]) -> bool:
    """Whether a step brings in packages from a cache, which is no place for a release."""
    return step.get("uses") == SETUP and "cache" in step.get("with", {})


def alarms_of_pins(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        found = re.match(r"\s*(?:- )?uses: (\S+)(?: # (\S+))?$", line)
        if found and not found[1].startswith("$/.github/"):
            name, _, commit = found[1].partition("@")
            if PINS.get(name) != (commit, found[2]):
                yield f"{found[1]} {found[2]} is not the pinned commit"
        elif "uses:" in line and not found:
            yield f"cannot read {line.strip()}"


def alarms_of_order(file: str, files: dict[str, dict[str, Any]]) -> Iterator[str]:
    """A word that lets a model out, where what must come before it does not."""
    for name, job in files[file]["jobs"].items():
        done, mine = [*called_after(file, files), *before(name, files[file]["jobs"])], set[str]()
        for step in job.get("steps", []):
            now = word(step.get("run", ""))
            if file not in ("monitor.yml", "rollback.yml"):
                yield from (f"{name}: {fault}" for fault in misplaced(now, done))
            if not FIRST.get(now, set()) <= mine:
                yield f"{name}: {now} without {sorted(FIRST[now] - mine)} in the same job"
            done.append(now)
            mine.add(now)


def misplaced(now: str, done: list[str]) -> Iterator[str]:
    order = [item for item in dict.fromkeys(done) if item in RELEASE.get(now, [])]
    if now in RELEASE and order != RELEASE[now]:
        yield f"{now} after {order}, not after {RELEASE[now]}"


def before(name: str, jobs: dict[str, Job]) -> list[str]:
    """Words of all jobs that must have gone well before this one, in order."""
    needs = jobs[name].get("needs", [])
    words: list[str] = []
    for need in [needs] if isinstance(needs, str) else needs:
        earlier = [word(step.get("run", "")) for step in jobs[need].get("steps", [])]
        for item in [*before(need, jobs), *earlier]:
            if item not in words:
                words.append(item)
    return words


def called_after(file: str, files: dict[str, dict[str, Any]]) -> list[str]:
    for content in files.values():
        for name, job in content["jobs"].items():
            if job.get("uses", "").endswith(f"/{file}"):
                return before(name, content["jobs"])
    return []


# --- Jenkinsfile ----------------------------------------------------------------------------------


def plans(files: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """What each Jenkinsfile would run for main, branch and change, or {error}; one JVM for all."""
    asked = json.dumps({"plan": [str(file) for file in files]})
    done = groovy(asked)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def alarms_of_jenkinsfile(project: Path, plan: dict[str, Any]) -> Iterator[str]:
    if "error" in plan:
        yield f"Jenkinsfile: {plan['error']}"
        return
    known = makefile_words(project)
    for trigger, steps in plan.items():
        done: list[str] = []
        stages: dict[str, set[str]] = {}
        for step in steps:
            now = word(step["sh"])
            yield from (f"{trigger}: {step['sh']}: {f}" for f in alarms_of_sh(now, step, known))
            if trigger != "main" and (step["credentials"] or now in RELEASE):
                yield f"{trigger}: {step['sh']} sees {step['credentials']}"
            yield from (f"{trigger}: {fault}" for fault in misplaced(now, done))
            mine = stages.setdefault(step["stage"], set())
            if not FIRST.get(now, set()) <= mine:
                yield f"{trigger}: {now} without {sorted(FIRST[now] - mine)} in the same stage"
            done.append(now)
            mine.add(now)
    text = (project / "Jenkinsfile").read_text(encoding="utf-8")
    asked = collections.Counter(re.findall(r"expression \{ (.*?) \}", text))
    if asked != EXPRESSIONS or text.count("expression") != sum(EXPRESSIONS.values()):
        yield f"conditions {dict(asked)}"
    judged = "environment { JUDGED = readFile('reports/judged.txt') }"
    for rule in ("disableConcurrentBuilds()", "timeout(time: 30, unit: 'HOURS')", judged):
        if rule not in text:
            yield f"no {rule}"


def alarms_of_sh(now: str, step: dict[str, Any], known: set[str]) -> Iterator[str]:
    if now not in known:
        yield "not a word of the Makefile"
    yield from misdirected(step["sh"])
    elsewhere = {"staging", "production"} - {environment(step["sh"])}
    if set(step["credentials"]) - (CREDENTIALS.get(now, set()) - elsewhere):
        yield f"sees {step['credentials']}"
    if step["post"] and now not in IN_POST:
        yield f"runs whatever happened ({step['post']})"
    if environment(step["sh"]) == "production" and not step["approved"]:
        yield "nobody was asked"
    if step["parallel"] and now not in IN_PARALLEL:
        yield "runs beside others"
    if step["agent"] not in AGENTS:
        yield f"runs on {step['agent']}"


# --- tools ----------------------------------------------------------------------------------------


def groovy(text: str, **environment: str) -> Any:
    needed("groovy")
    homes = [*Path("/usr/lib/jvm").glob("java-17-*"), *Path("/usr/lib/jvm").glob("java-11-*")]
    java = {"JAVA_HOME": str(homes[0])} if homes else {}
    return bake.run(
        "groovy", HARNESS / "jenkins.groovy", cwd=HARNESS, text=text, **java, **environment
    )


def node(text: str, **environment: str) -> Any:
    needed("node")
    if not (HARNESS / "node_modules").is_dir():
        missing("the parser of workflows is missing: install npm, then run `make setup`")
    return bake.run("node", "workflow.mjs", cwd=HARNESS, text=text, **environment)


def linted(project: Path) -> Iterator[str]:
    """What zizmor, actionlint and the schemas say of the workflows."""
    files = [str(path) for path in sorted(project.glob(".github/workflows/*.yml"))]
    actions = [str(path) for path in sorted(project.glob(".github/actions/*/action.yml"))]
    schema = ("check-jsonschema", "--builtin-schema")
    commands = [
        ("zizmor", "--quiet", "--offline", "--no-ignores", "--persona", "auditor", "."),
        ("actionlint", *files),
        (*schema, "vendor.github-workflows", *files),
        *([(*schema, "vendor.github-actions", *actions)] if actions else []),
    ]  # fmt: skip
    for command in commands:
        done = bake.run(*command, cwd=project)
        if done.returncode:
            yield f"{command[0]}: {(done.stdout + done.stderr)[:2000]}"
