"""The service as a process: what sockets, signals and time can do to it (slow)."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import bake
import pytest
import service as services
from needs import needed
from service import MODEL, Service, serving

pytestmark = pytest.mark.slow
MB = 1 << 20


@pytest.fixture(scope="module")
def project(template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default project with a trained model; its tests leave the model as it is."""
    born = bake.by_cookiecutter(template, tmp_path_factory.mktemp("served"), {})
    services.train(born)
    return born


@pytest.fixture(scope="module")
def service(project: Path) -> Iterator[Service]:
    with serving(project, SERVE_REQUEST_SECONDS="2") as running:
        yield running


def status_line(connection: socket.socket) -> str:
    """First line of the answer, or "" where the connection was closed without one."""
    with connection:
        try:
            return connection.recv(4096).decode().partition("\r\n")[0]
        except OSError:
            return ""


def test_T38_a_body_announced_too_large_is_refused_before_it_comes(service: Service) -> None:
    assert "413" in status_line(service.connect(service.head(200 * MB)))


def test_T38_a_body_without_a_length_is_refused_when_it_gets_too_large(service: Service) -> None:
    before = service.memory()
    head = service.head(0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    connection = service.connect(head)
    chunk = b"10000\r\n" + b"[" * 0x10000 + b"\r\n"
    try:
        for _ in range(1600):  # 100 MB
            connection.sendall(chunk)
    except OSError:
        pass  # closed on us
    assert status_line(connection)[:12] in ("", "HTTP/1.1 413")
    assert service.memory() - before < 20 * MB
    assert service.predict()[0] == 200


def test_T38_headers_without_an_end_are_cut_off(service: Service) -> None:
    before = service.memory()
    connection = service.connect(b"GET /health HTTP/1.1\r\n")
    try:
        for number in range(100_000):
            connection.sendall(b"x-%d: %s\r\n" % (number, b"a" * 1000))
    except OSError:
        pass
    connection.close()
    assert service.memory() - before < 20 * MB
    assert service.predict()[0] == 200


def test_T38_the_largest_bodies_need_bounded_memory(service: Service) -> None:
    service.predict(service.rows(1000))
    before = service.memory()
    hostile = (b"[" * MB, b'{"a":' * (MB // 5), b"9" * MB, b'{"records": [' + b"{}," * 300_000)
    for body in (service.rows(1000), *hostile):
        assert service.predict(body)[0] in (200, 400, 413, 422)
    assert service.memory() - before < 100 * MB


def closed(connections: list[socket.socket]) -> int:
    """How many of the connections the service has closed, or answered and closed."""
    count = 0
    for connection in connections:
        connection.setblocking(False)
        try:
            while connection.recv(65536):
                pass
            count += 1
        except BlockingIOError:
            pass
        except OSError:
            count += 1
    return count


def test_T39_600_connections_that_do_not_finish_are_closed(service: Service) -> None:
    begun = [b"", b"POST /pre", service.head(1000), service.head(1000) + b'{"rec']
    held = [service.connect(begun[number % len(begun)]) for number in range(600)]
    assert service.predict()[0] == 200  # while they are open
    deadline = time.monotonic() + 30
    while (count := closed(held)) < 600 and time.monotonic() < deadline:
        time.sleep(0.2)
    for connection in held:
        connection.close()
    assert count == 600
    assert service.metric('predict_requests_total{code="408"}') > 0
    assert service.predict()[0] == 200


OFFERING = """
import java.net.URI; import java.net.http.*; import java.net.http.HttpResponse.BodyHandlers;
public class Offering { public static void main(String[] given) throws Exception {
  HttpClient client = HttpClient.newHttpClient();  // offers h2c in every request
  for (int i = 0; i < 5; i++) {
    HttpRequest request = HttpRequest.newBuilder(URI.create(given[0]))
      .header("content-type", "application/json")
      .POST(HttpRequest.BodyPublishers.ofString(given[1])).build();
    System.out.println(client.send(request, BodyHandlers.ofString()).statusCode());
  } } }
"""


def test_a_client_of_java_that_offers_another_protocol_is_answered_each_time(
    service: Service, tmp_path: Path
) -> None:
    java = needed("java", "javac")
    source = tmp_path / "Offering.java"
    source.write_text(OFFERING)
    url = f"http://127.0.0.1:{service.port}/predict"
    done = bake.run(java, source, url, service.body.decode(), cwd=tmp_path)
    assert done.stdout.split() == ["200"] * 5, done.stderr


@pytest.mark.parametrize("part", [b"a:\r\n", b"a: %s\r\n" % (b"b" * 1000)])
def test_T38_trailers_without_an_end_are_cut_off(part: bytes, service: Service) -> None:
    before = service.memory()
    head = service.head(0).replace(b"content-length: 0", b"transfer-encoding: chunked")
    connection = service.connect(head + b"0\r\n")
    block = part * (MB // len(part))
    try:
        for _ in range(15):
            connection.sendall(block)
    except OSError:
        pass  # closed on us
    assert status_line(connection)[:12] in ("", "HTTP/1.1 431")
    assert service.memory() - before < 20 * MB
    assert service.predict()[0] == 200


def test_T38_bodies_of_repeated_keys_do_not_hold_up_the_service(service: Service) -> None:
    """What they cost is compared with bodies of that size which are answered."""

    def cost(body: bytes) -> float:
        before = processor_seconds(service)
        for _ in range(40):
            service.predict(body)
        return processor_seconds(service) - before

    good = service.rows(200)
    keys = b",".join(b'"%x":0' % number for number in range(len(good) // 9))
    assert cost(b"{" + keys + b',"z":0,"z":0}') < 20 * cost(good)


def processor_seconds(service: Service) -> float:
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_T40_what_is_too_much_is_refused_with_a_time_to_come_back_and_all_is_well_after(
    project: Path,
) -> None:
    with serving(project, SERVE_MAX_IN_FLIGHT="2") as running:
        body = running.rows(1000)
        many = [running.connect(running.head(len(body)) + body) for _ in range(30)]
        answers = [head_of_answer(connection) for connection in many]
        codes = [int(answer.split()[1]) for answer in answers]
        assert set(codes) == {200, 503}
        assert all(b"retry-after: 1" in answer for answer in answers if b" 503 " in answer[:16])
        assert running.predict()[0] == 200


def head_of_answer(connection: socket.socket) -> bytes:
    """Head of the answer on a connection that stays open."""
    with connection:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += connection.recv(65536)
        return answer


@pytest.mark.parametrize("fault", ["a changed byte", "another digest", "no model"])
def test_T41_a_wrong_model_is_never_ready_and_the_reason_is_said(
    fault: str, project: Path, tmp_path: Path
) -> None:
    words = [f"MODEL={tmp_path / 'model'}"]
    if fault != "no model":
        bake.run("cp", "-r", project / MODEL, tmp_path / "model", cwd=tmp_path)
    if fault == "a changed byte":
        path = next((tmp_path / "model").glob("model.treelite"))
        content = bytearray(path.read_bytes())
        content[100] ^= 1
        path.write_bytes(content)
    if fault == "another digest":
        words.append("MODEL_DIGEST=" + "0" * 64)
    python = project / ".venv/bin/python"
    done = bake.run(python, "-m", services.package(project), "serve", *words, cwd=project)
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR: ")
    assert "serve: model" not in done.stdout


def test_T43_no_request_is_lost_when_the_service_is_told_to_stop(project: Path) -> None:
    """Two clients stop sending when /ready says so, as a load balancer does."""
    with serving(project, SERVE_DRAIN_SECONDS="1.5") as running:
        lost: list[str] = []
        answered = []
        stop = threading.Event()

        def client() -> None:
            while not stop.is_set():
                try:
                    status, _ = running.predict(running.rows(20))
                    answered.append(status)
                except OSError as error:
                    lost.append(repr(error))

        def watch() -> None:
            while running.request("GET", "/ready")[0] == 200:
                time.sleep(0.02)
            stop.set()

        threads = [threading.Thread(target=target) for target in (client, client, watch)]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        os.kill(running.process.pid, signal.SIGTERM)
        for thread in threads:
            thread.join()
        running.process.wait(30)
        assert running.process.returncode == 0
        assert lost == []
        assert set(answered) == {200}


def test_T43_a_request_that_was_begun_is_answered_after_the_signal(project: Path) -> None:
    with serving(project) as running:
        body = running.body
        connection = running.connect(running.head(len(body)) + body[:10])
        assert running.request("GET", "/health")[0] == 200  # it has been read by now
        os.kill(running.process.pid, signal.SIGTERM)
        time.sleep(0.5)
        connection.sendall(body[10:])
        assert b" 200 " in head_of_answer(connection)[:20]
        running.process.wait(30)


def test_T44_memory_does_not_grow_with_requests(service: Service) -> None:
    bodies = [service.body, service.rows(100), b"{", b'{"records": [{"never": 1}]}']
    for _ in range(200):
        for body in bodies:
            service.predict(body)
    before = service.memory()
    for _ in range(500):
        for body in bodies:
            service.predict(body)
    assert service.memory() - before < 4 * MB


def test_T45_nothing_that_was_sent_is_in_the_output_of_the_service_or_its_log(
    project: Path, tmp_path: Path
) -> None:
    canary = "CANARY-5150"
    with serving(project, SERVE_LOG=str(tmp_path / "log")) as running:
        record = json.loads(running.body)["records"][0]
        said = []
        for name in record:
            for value in (canary, [canary], 4815162342.5):
                body = json.dumps({"records": [record | {name: value}]}).encode()
                said.append(str(running.predict(body)[1]))
        running.predict(json.dumps({"records": [record | {"region": canary}]}).encode())
        said.append(running.request("GET", "/metrics")[1].decode())
        running.process.send_signal(signal.SIGTERM)
        said.append(running.process.communicate(timeout=30)[0])
    said += [path.read_text() for path in (tmp_path / "log").iterdir()]
    text = "\n".join(said)
    assert "probability_yes" in text
    assert canary not in text
    assert "4815162342" not in text


def test_several_workers_share_a_port_and_count_together(project: Path) -> None:
    with serving(project, "WORKERS=2") as running:
        for _ in range(20):
            assert running.predict()[0] == 200
        assert running.metric('predict_requests_total{code="200"}') == 20
        running.process.send_signal(signal.SIGTERM)
        assert running.process.wait(30) == 0


def test_workers_end_when_the_process_that_started_them_is_killed(project: Path) -> None:
    with serving(project, "WORKERS=2") as running:
        running.process.kill()
        running.process.wait()
        deadline = time.monotonic() + 30
        while answers(running) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not answers(running)


def answers(running: Service) -> bool:
    try:
        return running.request("GET", "/health")[0] == 200
    except OSError:
        return False


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("PORT={port}", "Address already in use: choose another"),
        ("HOST=192.0.2.1", "choose another"),
        ("WORKERS=0", "WORKERS=0: must be a whole number"),
        ("MODEL=Makefile", "Makefile"),
    ],
)
def test_a_wrong_word_is_one_message_and_no_service(
    word: str, message: str, project: Path, service: Service
) -> None:
    words = [f"MODEL={MODEL}", word.format(port=service.port)]
    python = project / ".venv/bin/python"
    done = bake.run(python, "-m", services.package(project), "serve", *words, cwd=project)
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR: ")
    assert message in done.stderr
    assert (done.stdout, done.stderr.count("\n")) == ("", 1)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_stops_the_service_without_a_traceback(workers: str, project: Path) -> None:
    with serving(project, f"WORKERS={workers}") as running:
        running.process.send_signal(signal.SIGINT)
        said = running.process.communicate(timeout=30)[0]
        assert running.process.returncode == 0
        assert "Traceback" not in said
        assert said.endswith("serve: stopped\n")


def test_a_load_test_of_nothing_is_refused(project: Path) -> None:
    nowhere = f"http://127.0.0.1:{services.free_port()}"
    done = bake.run("make", "load", f"URL={nowhere}", f"MODEL={MODEL}", cwd=project)
    assert f"URL={nowhere}: nothing answers the example" in done.stderr
    words = ("ENV=staging", f"MODEL={MODEL}")
    done = bake.run("make", "load", *words, cwd=project, STAGING_URL=nowhere)
    assert f"URL={nowhere}: nothing answers the example" in done.stderr
    done = bake.run("make", "load", "ENV=staging", cwd=project, STAGING_URL="")
    assert "STAGING_URL is not set" in done.stderr
    done = bake.run("make", "load", "ENV=production", cwd=project, STAGING_URL=nowhere)
    assert "only staging is put under load" in done.stderr


@pytest.fixture
def slow_model(project: Path) -> Iterator[None]:
    """features.py takes a tenth of a second."""
    path = next(project.glob("src/*/features.py"))
    good = path.read_text(encoding="utf-8")
    slow = good.replace(" -> Columns:\n", " -> Columns:\n    time.sleep(0.1)\n")
    assert slow != good
    path.write_text(slow.replace("import numpy", "import time\n\nimport numpy"), encoding="utf-8")
    yield
    path.write_text(good, encoding="utf-8")


def load_test(project: Path) -> tuple[int, str]:
    words = ("load", "DURATION=3", "USERS=4", f"MODEL={MODEL}")
    done = bake.run("make", *words, cwd=project)
    return done.returncode, done.stdout + done.stderr


def test_the_load_test_passes_and_writes_its_report(project: Path) -> None:
    code, said = load_test(project)
    assert code == 0, said
    assert (project / "reports/load.html").stat().st_size > 10_000


@pytest.mark.usefixtures("slow_model")
def test_the_load_test_fails_for_a_slow_model(project: Path) -> None:
    code, said = load_test(project)
    assert code != 0
    assert "p95_ms: refused" in said


def test_T37_schemathesis_finds_no_answer_of_500(service: Service, tmp_path: Path) -> None:
    count = int(os.environ.get("SCHEMATHESIS_REQUESTS", "300"))
    done = bake.run(
        "schemathesis",
        "run",
        f"http://127.0.0.1:{service.port}/openapi.json",
        *("--checks", "not_a_server_error,status_code_conformance,response_schema_conformance"),
        *("--max-examples", str(count), "--seed", "7", "--phases", "examples,coverage,fuzzing"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert service.metric('predict_requests_total{code="500"}') == 0
    total = sum(
        service.metric(f'predict_requests_total{{code="{code}"}}') for code in (200, 400, 415, 422)
    )
    assert total >= count
