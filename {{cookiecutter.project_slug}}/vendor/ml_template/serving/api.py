"""The FastAPI application: /predict, /health, /ready, /version, /metrics, /openapi.json, /docs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException
from starlette.routing import Route

from ..model.artifact import Model, known_rows
from ..tables.schema import predict_operation
from . import docs
from .predict import FAILED, Predict
from .records import column_specs, told
from .settings import Settings


def create(model: Model, settings: Settings) -> FastAPI:
    """The service of one loaded model."""
    predict = Predict(model, settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        predict.close()

    app = FastAPI(
        title=f"Model {model.digest[:16]}",
        version=model.digest[:16],
        lifespan=lifespan,
        docs_url=None,  # their pages would load scripts from elsewhere; see docs.py
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.predict = predict
    app.router.routes.append(Route("/predict", predict, methods=["POST"]))

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Alive; computes nothing."""
        return {"status": "alive"}

    @app.get("/ready", responses={503: {"description": "The service is about to stop"}})
    async def ready(response: Response) -> dict[str, Any]:
        """Whether to send requests here; the model has answered its known answers before."""
        response.status_code = 503 if predict.draining else 200
        return {"ready": not predict.draining, "model": model.digest[:16]}

    @app.get("/version")
    async def version() -> dict[str, Any]:
        """Where the model comes from: data, code, configuration, locks, metrics, verdict."""
        identity = {k: v for k, v in model.identity.items() if k != "known_answers"}
        return model.manifest | {"identity": identity}

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Counts and times in the format of Prometheus."""
        return Response(predict.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/docs", response_class=HTMLResponse)
    async def page(request: Request) -> HTMLResponse:
        """This service for people: its columns, and a client that pastes."""
        host = request.headers.get("host") or "127.0.0.1:8000"
        return HTMLResponse(docs.at(described, host), headers=docs.HEADERS)

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> JSONResponse:
        """404 and 405 in the word of all other refusals."""
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def fail(request: Request, error: Exception) -> Response:
        """500 in the same word; uvicorn logs where it was."""
        return Response(FAILED, 500, media_type="application/json")

    # FastAPI does not see /predict.
    columns, known = told(model, column_specs(model)), known_rows(model.identity)
    operation = predict_operation(columns, known, model.labels, settings.max_rows)
    app.openapi()["paths"]["/predict"] = {"post": operation}
    described = docs.page(app.openapi(), predict, columns)
    for route in app.routes:
        if isinstance(route, APIRoute):
            route.methods = {"GET", "HEAD"}  # some probes ask for no more
    return app
