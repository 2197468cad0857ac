"""`POST /predict`: limits, then strict records, then the model; as an ASGI application.

It stands outside FastAPI's request handling, which costs a row more than the model does.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np

from ..model.artifact import Model
from .answers import Answers
from .expect import Receive, Scope, Send
from .log import PredictionLog
from .metrics import Metrics
from .records import Record, Records, RefusedError
from .settings import Settings
from .together import MOST_BYTES, Together

Ids = tuple[str, str]  # the id of the answer, and what was sent as x-request-id ("": none)

INLINE_BYTES = 32_768  # of what is answered at once; else in a thread, and probes meanwhile
TEXT_BYTES = 2_048  # the same where texts are learned from: a byte of them costs some microseconds
_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
FAILED = b'{"error": "the service failed; its log says where"}'
_EXTRA = {503: [(b"retry-after", b"1")]}
_log = logging.getLogger("uvicorn.error")


class Predict:
    """One model behind limits; each answer carries the header x-request-id.

    That id is made here and cannot be foreseen: labels are joined by it. What a client or a gateway
    sent as x-request-id is logged beside it, and never joined by.
    """

    def __init__(self, model: Model, settings: Settings) -> None:
        self.model = model
        self.settings = settings
        self.records = Records(model, settings.max_rows)
        self.answers = Answers(model)
        self.metrics = Metrics(model, sorted(self.records.known))
        self.records.unseen = lambda column: self.metrics.unseen[column].inc()
        self.log = PredictionLog(settings, self.metrics.dropped.inc)
        reads_texts = any(column["kind"] == "text" for column in model.encoder.state)
        self.inline = TEXT_BYTES if reads_texts else INLINE_BYTES
        self.together = Together(self._outputs, 8 * TEXT_BYTES if reads_texts else MOST_BYTES)
        self.draining = False
        self.in_flight = 0  # requests whose body is here and whose answer is not made
        self.slow = 0  # bodies that are on their way
        self.turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, "predict")
        self._reported: set[str] = set()
        columns = dict.fromkeys(self.records.columns_)
        self._record = sys.getsizeof(columns) + 96 * len(columns)  # bytes in memory, without texts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. A refusal is short and repeats no value."""
        request = {name: value.strip() for name, value in scope["headers"]}
        sent = request.get(b"x-request-id", b"")
        ids = (secrets.token_hex(16), sent.decode() if _ID.fullmatch(sent) else "")
        headers = [(b"content-type", b"application/json"), (b"x-request-id", ids[0].encode())]
        try:
            self._admit(scope, request)
            body = await self._read(scope, receive)
            if body is None:
                return  # the client has gone
            content = await self._computed(body, ids)
            status = 200
        except RefusedError as refusal:
            status, content = refusal.status, refusal.body()
            headers += _EXTRA.get(status, ())
        except Exception as error:
            status, content = 500, FAILED
            self._report(error)
        self.metrics.requests[status].inc()
        headers.append((b"content-length", b"%d" % len(content)))
        if self.draining or status == 408:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _computed(self, body: bytes, ids: Ids) -> bytes:
        self.in_flight += 1
        try:
            if len(body) <= self.inline:
                return await self.small(body, ids)
            async with self.turn:  # one at a time, and between two the loop sees who has gone
                await asyncio.sleep(0)
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._thread, self.answer, body, ids)
        finally:
            self.in_flight -= 1

    async def small(self, body: bytes, ids: Ids) -> bytes:
        """As `answer`, together with the requests of the same moment."""
        begin = perf_counter()
        records = self.records.parse(body)
        outputs = await self.together.outputs(records, len(body))
        return self._told(len(body), records, outputs, begin, ids)

    def answer(self, body: bytes, ids: Ids) -> bytes:
        """The JSON answer to a body; raises RefusedError."""
        begin = perf_counter()
        records = self.records.parse(body)
        return self._told(len(body), records, self._outputs(records), begin, ids)

    def _outputs(self, records: list[Record]) -> np.ndarray:
        return self.model.predict(self.records.columns(records))

    def _told(
        self, size: int, records: list[Record], outputs: np.ndarray, begin: float, ids: Ids
    ) -> bytes:
        if not np.isfinite(outputs).all():
            self.metrics.not_finite.inc()
            raise RefusedError(422, "the model has no finite answer to these records")
        content = self.answers.body(outputs)
        seconds = perf_counter() - begin
        self.metrics.count(outputs, seconds)
        if self.log.wants():
            self._logged(size, records, outputs.copy(), seconds, ids)
        return content

    def _logged(
        self, size: int, records: list[Record], outputs: np.ndarray, seconds: float, ids: Ids
    ) -> None:
        """Have the log write it. Until then it holds the records only where their values are kept:

        four bytes at most for each byte that was sent, and what Python adds to each record.
        """
        now, rows, held = datetime.now(UTC), len(records), 1024 + outputs.nbytes
        kept = records if self.settings.log_features else None
        if kept:
            held += 4 * size + rows * self._record

        def line(row: int, output: Any) -> dict[str, Any]:
            told: dict[str, Any] = {
                "id": ids[0],
                "row": row,
                "time": now.isoformat(timespec="milliseconds"),
                "model": self.model.digest,
                "milliseconds": round(seconds * 1000, 3),
                "output": self.answers.record(output),
            }
            if ids[1]:
                told["sent"] = ids[1]
            if kept:
                told["features"] = kept[row]
            return told

        self.log.add(lambda: [line(*each) for each in enumerate(outputs)], rows, held)

    def close(self) -> None:
        """End the threads; what waits for the log is written, and no request is begun."""
        self._thread.shutdown(cancel_futures=True)
        self.log.close()

    def _admit(self, scope: Scope, request: dict[bytes, bytes]) -> None:
        if self.in_flight >= self.settings.max_in_flight:
            raise RefusedError(503, "too many requests are in flight: try again")
        kind = request.get(b"content-type", b"").partition(b";")[0]
        if kind.strip().lower() != b"application/json":
            raise RefusedError(415, "content-type must be application/json")
        if request.get(b"content-encoding", b"") not in (b"", b"identity"):
            raise RefusedError(415, "a compressed body is not accepted")
        length = request.get(b"content-length", b"0")
        if not length.isdigit() or int(length[:20]) > self.settings.max_bytes:
            raise self._too_large()
        if not scope.get("whole", True) and self.slow >= self.settings.max_slow:
            raise RefusedError(503, "too many bodies are on their way: try again")

    def _too_large(self) -> RefusedError:
        return RefusedError(413, f"the body has more than {self.settings.max_bytes} bytes")

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body, or None where the client went away; `max_bytes` are kept at most."""
        if scope.get("whole", True):
            return await self._gather(receive)
        self.slow += 1
        try:
            async with asyncio.timeout(self.settings.request_seconds):
                return await self._gather(receive)
        except TimeoutError:
            raise RefusedError(408, "the body did not come in time") from None
        finally:
            self.slow -= 1

    async def _gather(self, receive: Receive) -> bytes | None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self.settings.max_bytes:
                raise self._too_large()
        return bytes(body)

    def _report(self, error: Exception) -> None:
        """Log once where it happened; the message of an exception may hold what was sent."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {last.filename}:{last.lineno}"
        if where not in self._reported:
            self._reported.add(where)
            _log.error("%s (said once; predict_requests counts every 500)", where)
