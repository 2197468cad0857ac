"""Where stages leave what they make, so that others find it."""

from __future__ import annotations

from pathlib import Path

STARTER = Path("data/starter.csv")  # sample
PREPARED = Path("data/prepared")  # prepare
CANDIDATE = Path("models/candidate")  # train
METRICS_FILE = Path("reports/metrics.json")  # evaluate
EVALUATION = Path("reports/evaluation.json")  # evaluate
VERDICT = Path("reports/verdict.json")  # gate
REPORT = Path("reports/report.html")  # report
