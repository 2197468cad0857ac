"""Where stages leave what they make, so that others find it."""

from __future__ import annotations

from pathlib import Path

STARTER = Path("data/starter.csv")  # sample
PREPARED = Path("data/prepared")  # prepare
CANDIDATE = Path("models/candidate")  # train
REPORTS = Path("reports")
VALIDATION = REPORTS / "validation.json"  # validate
METRICS_FILE = REPORTS / "metrics.json"  # evaluate
EVALUATION = REPORTS / "evaluation.json"  # evaluate
VERDICT = REPORTS / "verdict.json"  # gate
REPORT = REPORTS / "report.html"  # report
IMAGE = REPORTS / "image.json"  # image, sign
SBOM = REPORTS / "sbom.json"  # sign
LABELLED = REPORTS / "labelled.csv"  # join
