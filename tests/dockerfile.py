"""What the Dockerfile of a project must hold, as data: `differences` names what is otherwise."""

from __future__ import annotations

import difflib
import re

PIP = "/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes"
CODE = ("outside", "settings", "storage", "tables", "model", "serving")
# Stage: the arguments it takes, what it copies, what it runs, and how it is started. What stands in
# LABEL and ENV is judged by name: that an image has the right values is asked of a built one.
STAGES: dict[str, list[str]] = {
    "": ["ARG PYTHON_IMAGE=python:3.11-slim-bookworm", "ARG KUBECTL_IMAGE=rancher/kubectl:v1.35.1"],
    "packages": [
        "FROM ${PYTHON_IMAGE}",
        "COPY requirements/serve.txt requirements/extra.txt requirements/extra.in "
        "requirements/pth.sh /requirements/",
        f"RUN python -m venv /venv && {PIP} --no-deps -r /requirements/serve.txt "
        "-r /requirements/extra.txt && sh /requirements/pth.sh /venv && "
        "/venv/bin/python -m pip uninstall --yes pip setuptools",
        "COPY src /app",
        "COPY vendor/ml_template/*.py /app/ml_template/",
        *(f"COPY vendor/ml_template/{room} /app/ml_template/{room}" for room in CODE),
        "RUN /venv/bin/python -m compileall -q /venv/lib /app",
    ],
    "service": [
        "FROM ${PYTHON_IMAGE}",
        *(f"ARG {name}" for name in ("PYTHON_IMAGE", "PACKAGE", "MODEL", "MODEL_DIGEST")),
        *("ARG REVISION", "ARG VERDICT"),
        "LABEL org.opencontainers.image.revision org.opencontainers.image.base.name model.digest "
        "model.verdict",
        "ENV PACKAGE MODEL_DIGEST OMP_NUM_THREADS OPENBLAS_NUM_THREADS PYTHONDONTWRITEBYTECODE "
        "PYTHONPATH PYTHONUNBUFFERED",
        "COPY --from=packages /venv /venv",
        "COPY --from=packages /app /app",
        "COPY ${MODEL} /model",
        "WORKDIR /app",
        "USER 10001:10001",
        "EXPOSE 8000",
        r'CMD ["/bin/sh", "-c", "exec /venv/bin/python -m \"$PACKAGE\" serve HOST=:: PORT=8000 '
        r'MODEL=/model MODEL_DIGEST=\"$MODEL_DIGEST\""]',
    ],
    "kubectl": ["FROM ${KUBECTL_IMAGE}"],
    "work": [
        "FROM ${PYTHON_IMAGE}",
        "COPY requirements/dev.txt requirements/extra*.txt requirements/extra*.in "
        "requirements/pth.sh /requirements/",
        f"RUN python -m venv /venv && {PIP} --no-deps -r /requirements/dev.txt "
        "-r /requirements/extra.txt -r /requirements/extra-dev.txt && "
        "sh /requirements/pth.sh /venv && /venv/bin/python -m pip uninstall --yes pip",
        "COPY --from=kubectl /bin/kubectl /usr/local/bin/kubectl",
        "COPY . /project",
        *("ARG PACKAGE", "ARG MODEL_DIGEST", "ARG REVISION"),
        "LABEL org.opencontainers.image.revision model.digest",
        "ENV PACKAGE DVC_NO_ANALYTICS DVC_SITE_CACHE_DIR HOME IMAGE_COMMIT LOGNAME "
        "MLFLOW_DISABLE_TELEMETRY PATH PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONUNBUFFERED",
        "WORKDIR /job",
        "USER 10001:10001",
        'ENTRYPOINT ["/bin/sh", "/project/deploy/work.sh"]',
    ],
}
FAULTS = {
    "a base without a version": ("python:3.11-slim-bookworm", "python"),
    "the newest kubectl": ("rancher/kubectl:v1.35.1", "rancher/kubectl:latest"),
    "packages without hashes in one stage": ("--require-hashes --no-deps", "--no-deps"),
    "packages beside the lock": (
        " --no-deps \\\n      -r /requirements/dev",
        " \\\n      -r /requirements/dev",
    ),
    "a lock that is not installed": (" -r /requirements/extra-dev.txt", ""),
    "pip stays": ("pip uninstall --yes pip setuptools", "pip uninstall --yes setuptools"),
    "more of the kit than is served": (
        "COPY src /app\n",
        "COPY src /app\nCOPY vendor /app/vendor\n",
    ),
    "a room is missing": ("COPY vendor/ml_template/tables /app/ml_template/tables\n", ""),
    "the model is not named by its digest": (' MODEL_DIGEST=\\"$MODEL_DIGEST\\""]', '"]'),
    "the label of the model is missing": ("      model.digest=${MODEL_DIGEST} \\\n", ""),
    "another port": ("EXPOSE 8000", "EXPOSE 8080"),
    "root": ("USER 10001:10001\nEXPOSE", "EXPOSE"),
    "a shell in between": ('"exec /venv', '"/venv'),
    "started by words of a shell": (
        'ENTRYPOINT ["/bin/sh", "/project/deploy/work.sh"]',
        "ENTRYPOINT /bin/sh /project/deploy/work.sh",
    ),
    "the base is built upon twice": ("FROM ${PYTHON_IMAGE} AS service", "FROM packages AS service"),
    "another health than that of the probes": (
        "EXPOSE 8000\n",
        "EXPOSE 8000\nHEALTHCHECK CMD true\n",
    ),
    "one thread too many": ("    OMP_NUM_THREADS=1 \\\n", ""),
}


def stages(text: str) -> dict[str, list[str]]:
    """Instructions of each stage, white space folded; of LABEL and ENV the names."""
    joined = re.sub(r"\\\n\s*", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    found: dict[str, list[str]] = {"": []}
    stage = ""
    for line in filter(None, (" ".join(line.split()) for line in joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, stage = rest.partition(" AS ")
            line, found[stage] = f"FROM {base}", []
        if word in ("LABEL", "ENV"):
            line = " ".join([word, *re.findall(r"([\w.]+)=", rest)])
        found[stage].append(line)
    return found


def differences(text: str) -> list[str]:
    """`- stage: expected` and `+ stage: found`, wherever `text` is not what STAGES says."""
    expected, found = (
        [f"{stage}: {line}" for stage, lines in each.items() for line in lines]
        for each in (STAGES, stages(text))
    )
    return [line for line in difflib.ndiff(expected, found) if line[0] in "+-"]
