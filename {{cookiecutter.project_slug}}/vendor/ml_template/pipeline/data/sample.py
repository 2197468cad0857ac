"""sample: the SYNTHETIC starter table, seeded, with a documented ground truth.

Nobody in it exists. Each row is a loan application; `defaulted` is drawn from

    logit p = -1.1 + 0.9 z(log(loan_amount / income)) - 0.6 z(age) + 1.1 z(debt_ratio)
              + 0.8 [employment = unemployed] - 0.5 [employment = permanent]
              - 0.6 has_guarantor + 0.35 sin(2 pi month(applied_at) / 12)

with z(x) standardised by the constants below. The label is drawn from p, so no model can know it
better than p does: `best_roc_auc` is the AUC of p itself, the best that can be reached. `gender` is
not in the formula, but incomes differ by group (planted), so that fairness has something to show;
`name` depends on gender only. Nothing found here says anything about people.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from ...settings.config import Config, load_config
from ...storage.files import new_file
from ...storage.places import STARTER

NAMES = {
    "female": ["Maria Garcia", "Jane Smith", "Aiko Tanaka", "Zoë Müller", "Ana Silva"],
    "male": ["Juan Garcia", "John Smith", "Kenji Tanaka", "Jörg Müller", "João Silva"],
}


def run() -> None:
    """Write data/starter.csv."""
    config = load_config()
    table, _ = generate(config.sample.rows, config.seed)
    with new_file(STARTER) as path:
        pacsv.write_csv(table, path)
    print(f"sample: {table.num_rows:,} SYNTHETIC rows -> {STARTER}")


def generate(rows: int, seed: int) -> tuple[pa.Table, np.ndarray]:
    """The table and the true probability (rows,) of its label; equal for equal arguments."""
    random = np.random.default_rng(seed)
    gender = random.choice(["female", "male"], rows)
    age = np.clip(random.normal(42, 13, rows).round(), 18, 90)
    employment = random.choice(["permanent", "temporary", "unemployed"], rows, p=[0.62, 0.26, 0.12])
    region = random.choice(["north", "east", "south", "west"], rows, p=[0.4, 0.2, 0.3, 0.1])
    level = 10.3 + 0.12 * (gender == "male") - 0.5 * (employment == "unemployed")
    income = np.exp(random.normal(level, 0.45)).round()
    loan = np.exp(random.normal(9.4, 0.7, rows)).round()
    debt = random.beta(2, 5, rows).round(4)
    guarantor = random.random(rows) < 0.2
    day = random.integers(0, 3 * 365, rows)
    applied = np.datetime64("2022-01-01") + day.astype("timedelta64[D]")
    month = applied.astype("datetime64[M]").astype(int) % 12 + 1
    logit = (
        -1.1
        + 0.9 * (np.log(loan / income) + 0.9) / 0.85
        - 0.6 * (age - 42) / 13
        + 1.1 * (debt - 0.286) / 0.16
        + 0.8 * (employment == "unemployed")
        - 0.5 * (employment == "permanent")
        - 0.6 * guarantor
        + 0.35 * np.sin(2 * np.pi * month / 12)
    )
    probability = 1 / (1 + np.exp(-logit))
    defaulted = random.random(rows) < probability
    who = random.integers(0, len(NAMES["male"]), rows)
    columns = {
        "name": np.where(gender == "male", *(np.array(NAMES[g])[who] for g in ("male", "female"))),
        "gender": gender,
        "age": age.astype(int),
        "region": region,
        "employment": pa.array(employment, mask=random.random(rows) < 0.03),
        "income": pa.array(income, mask=random.random(rows) < 0.05),
        "loan_amount": loan,
        "debt_ratio": debt,
        "has_guarantor": guarantor,
        "applied_at": applied.astype("datetime64[s]"),
        "defaulted": np.where(defaulted, "yes", "no"),
    }
    return pa.table(columns), probability


def best_roc_auc(config: Config) -> float:
    """AUC of the true probability on the whole starter table: what no model is expected to beat."""
    from sklearn.metrics import roc_auc_score

    table, probability = generate(config.sample.rows, config.seed)
    return float(roc_auc_score(np.array(table["defaulted"]) == "yes", probability))
