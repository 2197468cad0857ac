"""What `make bench` measures the service against, run by a project's or BentoML's own Python.

fit FOLDER       the project's model as a scikit-learn pipeline on pandas: joblib and MLflow forms
ceiling PORT     the service with everything but the model: the answer is constant
plain PORT       FastAPI, pandas and Pipeline.predict_proba, as tutorials have it
Rival            the same pipeline in BentoML (`bentoml serve rivals:Rival`)
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

FORMS = Path(os.environ["BENCH_FORMS"])
PARTS = ("train", "test")


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """The features of the starter table, with pandas."""
    frame = frame.copy()
    for name in ("region", "employment"):
        frame[name] = frame[name].astype("str")
    frame["has_guarantor"] = frame["has_guarantor"].astype(float)
    moment = pd.to_datetime(frame["applied_at"])
    frame["applied_at"] = (moment - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    frame["income"] = frame["income"].astype(float)
    frame["loan_to_income"] = frame["loan_amount"] / frame["income"].where(frame["income"] > 0)
    frame["applied_month"] = moment.dt.month.astype(float)
    return frame


def ours(module: str) -> Any:
    """A module of the kit, which works for the project."""
    project = importlib.import_module("ml_template.project")
    project.hand_over(importlib.import_module(f"{os.environ['PACKAGE']}.__main__").PROJECT)
    return importlib.import_module(f"ml_template.{module}")


def fit() -> None:
    """Write pipeline.joblib and mlflow/; print the largest difference from the project's model."""
    import mlflow.sklearn
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

    config, table = ours("settings.config").load_config(), ours("tables.table")
    train, test = (table.read_parquet(Path(f"data/prepared/{part}.parquet")) for part in PARTS)
    frame = pd.DataFrame({name: train[name] for name in config.features})
    names = list(add_features(frame))
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": np.nan}
    texts = [name for name in names if name in ("region", "employment")]
    columns = [
        (name, OrdinalEncoder(**unknown) if name in texts else "passthrough", [name])
        for name in names
    ]
    model = HistGradientBoostingClassifier(
        **config.model.params,
        random_state=config.seed,
        categorical_features=[names.index(name) for name in texts],
    )
    encode = ColumnTransformer(columns)
    pipeline = Pipeline(
        [("add", FunctionTransformer(add_features)), ("encode", encode), ("model", model)]
    )
    pipeline.fit(frame, train[config.data.target] == config.data.positive)
    expected = ours("model.artifact").load(Path("models/candidate")).predict(test)
    answers = pipeline.predict_proba(pd.DataFrame({n: test[n] for n in config.features}))
    joblib.dump(pipeline, FORMS / "pipeline.joblib")
    mlflow.sklearn.save_model(
        pipeline,
        str(FORMS / "mlflow"),
        serialization_format="cloudpickle",
        code_paths=[__file__],
        pip_requirements=[],
        pyfunc_predict_fn="predict_proba",
    )
    print(json.dumps({"difference": float(np.abs(answers - expected).max())}))


def ceiling(port: int) -> None:
    """Serve the project's candidate, its body parsed and checked, with a constant answer."""
    import uvicorn

    predict, protocol, server = (
        ours(f"serving.{name}") for name in ("predict", "protocol", "server")
    )
    settings = ours("serving.settings").Settings()
    model = ours("model.artifact").load(Path("models/candidate"))

    class Constant(predict.Predict):  # type: ignore[misc, name-defined]
        content = b""

        async def small(self, body: bytes, identifier: bytes) -> bytes:
            if not self.content:
                self.content = self.answer(body, identifier)
            self.records.parse(body)
            return self.content

    api = ours("serving.api")
    api.Predict = Constant
    application = api.create(model, settings)
    gc.collect()
    gc.freeze()  # as serve.py does
    config = uvicorn.Config(
        application,
        port=port,
        http=protocol.Guarded,
        access_log=False,
        log_level="warning",
        ws="none",
        proxy_headers=False,
        server_header=False,
    )
    server.Server(config).run()


def plain(port: int, workers: int) -> None:
    """Serve the pipeline as most tutorials do."""
    import uvicorn

    uvicorn.run("rivals:tutorial", factory=True, port=port, workers=workers, log_level="warning")


def tutorial() -> Any:
    """FastAPI with the pipeline: a list of records in, probabilities out."""
    from fastapi import FastAPI

    pipeline = joblib.load(FORMS / "pipeline.joblib")
    app = FastAPI()

    @app.post("/predict")
    def predict(body: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        answers = pipeline.predict_proba(pd.DataFrame(body["records"]))
        return {"predictions": answers.tolist()}

    return app


if importlib.util.find_spec("bentoml"):
    import bentoml

    @bentoml.service(workers=int(os.environ.get("BENCH_WORKERS", "1")))
    class Rival:
        """The pipeline in BentoML."""

        def __init__(self) -> None:
            self.pipeline = joblib.load(FORMS / "pipeline.joblib")

        @bentoml.api
        def predict(self, records: list[dict[str, Any]]) -> list[list[float]]:
            answers: list[list[float]] = self.pipeline.predict_proba(pd.DataFrame(records)).tolist()
            return answers


if __name__ == "__main__":
    word, *rest = sys.argv[1:]
    if word == "fit":
        import rivals  # the pipeline must name its function as others will import it

        rivals.fit()
    elif word == "ceiling":
        ceiling(int(rest[0]))
    else:
        plain(int(rest[0]), int(rest[1]))
