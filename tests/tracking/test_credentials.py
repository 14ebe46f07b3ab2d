"""Passwords of addresses: they log in, and are in no host name, no message and no setting."""

import base64
import http.server
import os
import socket
import threading
from typing import ClassVar

import pytest

from frostline.config.credentials import put_aside, put_aside_in_command, whole_uri
from frostline.errors import TrackingError
from frostline.tracking.address import resolve_address
from frostline.tracking.connection import Connection
from frostline.tracking.store import open_store


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.delenv("FROSTLINE_TRACKING_URIS", raising=False)


def test_user_and_password_of_a_server_log_in(server, tmp_path):
    server.login = ("me", "S3/CRET@")
    server.start()
    with pytest.raises(TrackingError, match=r"MLFLOW_TRACKING_USERNAME"):
        open_store(server.uri, "leaves", folder=tmp_path)
    uri = server.uri.replace("//", "//me:S3%2FCRET%40@")
    run = open_store(uri, "leaves", folder=tmp_path).start_run("job", {})
    run.log_metrics({"loss": 1.0}, 0)
    (tmp_path / "a.txt").write_text("a")
    run.log_artifact(tmp_path / "a.txt")
    assert run.finish("FINISHED")
    assert run.problems == []


def test_another_password_is_the_same_store(tmp_path):
    one = resolve_address("http://me:one@Host:80/x/", tmp_path)
    other = resolve_address("http://you:other@host/x", tmp_path)
    assert one.place == other.place == "http://host:80/x"
    assert one.journals_dir == other.journals_dir
    assert resolve_address("http://127.0.0.1:5000", tmp_path).place == "http://localhost:5000"
    assert (
        resolve_address("postgresql+psycopg2://a:b@h/d?password=c&sslmode=x", tmp_path).place
        == "postgresql://h/d"
    )
    assert (
        resolve_address("postgresql:///d?host=h2&user=u", tmp_path).place
        != resolve_address("postgresql:///d?host=h3&user=u", tmp_path).place
    )


@pytest.mark.parametrize(
    "uri",
    [
        "http://me:S3/CRET@h:5000",
        "http://me:S3@CRET@h",
        "http://me:12/CRET@h",
        "http://me:S3#CRET@h",
        "http://me:S3?CRET@h",
        "postgresql://me:S3@CRET@h/db",
        "http://",
        "http://h:x",
    ],
)
def test_what_could_be_read_in_two_ways_asks_no_name_resolver(uri, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args))
    with pytest.raises(TrackingError, match=r"where its host begins(.|\n)*%2F") as caught:
        Connection(resolve_address(uri, tmp_path)).client.search_experiments()
    assert "CRET" not in str(caught.value)
    assert asked == []


@pytest.mark.parametrize(
    "uri", ["http://me:S3CRET@nobody.invalid:1", "postgresql://me:S3/CRET@nobody.invalid:1/db"]
)
def test_only_the_host_is_looked_up(uri, tmp_path, monkeypatch):
    asked = []

    def refuse(host, *_args, **_kwargs):
        asked.append(host)
        password = uri.partition("me:")[2].partition("@")[0]
        raise socket.gaierror(f"no such name: {password}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(TrackingError, match="does not answer") as caught:
        open_store(uri, "leaves", folder=tmp_path)
    assert set(asked) == {"nobody.invalid"}
    assert "CRET" not in str(caught.value)


def test_settings_hold_an_address_without_its_password_and_stores_find_it(tmp_path):
    shown = put_aside("http://me:S3CRET@h:1")
    assert shown == "http://***@h:1"
    assert resolve_address(shown, tmp_path).uri == "http://me:S3CRET@h:1"
    assert put_aside("sqlite:///a.db") == whole_uri("sqlite:///a.db") == "sqlite:///a.db"
    put_aside("http://me:newer@h:1")
    assert whole_uri(shown) == "http://me:newer@h:1"
    with pytest.raises(TrackingError, match=r"passwords are not kept(.|\n)*MLFLOW_TRACKING_URI"):
        whole_uri("http://***@other:1")


def test_the_environment_gives_a_password_back(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:S3CRET@h:1")
    assert whole_uri("http://***@h:1") == "http://me:S3CRET@h:1"


def test_a_command_line_loses_its_passwords():
    words = [
        "-m",
        "+tracking.uri='postgresql://u:S3/CRET@h/db?x=1'",
        "tracking.uri=http://u:S3CRET@h,http://u:S3CRET@g",
        "seed=0,1",
    ]
    assert put_aside_in_command(words) == [
        "-m",
        "+tracking.uri='postgresql://u:***@h/db?x=1'",
        "tracking.uri=http://***@h,http://***@g",
        "seed=0,1",
    ]
    assert whole_uri("http://***@g") == "http://u:S3CRET@g"
    assert os.environ["FROSTLINE_TRACKING_URIS"].count("\n") == 2


def test_a_scheme_that_sqlalchemy_has_given_up_is_spelled_out(tmp_path):
    with pytest.raises(TrackingError, match=r"unknown scheme 'postgres'(.|\n)*postgresql://") as e:
        resolve_address("postgres://u:S3CRET@h/db", tmp_path)
    assert "S3CRET" not in str(e.value)


class _Echo(http.server.BaseHTTPRequestHandler):
    """A proxy whose error page shows the request, with the header that logs in first."""

    def answer(self):
        login = self.headers.get("Authorization", "")
        _Echo.seen.append(login)
        body = f"Authorization: {login}; refused: {login.split()[-1:]}".encode()
        self.send_response(200 if self.path == "/health" else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_):
        """Keep the test's output free of requests."""

    seen: ClassVar[list[str]] = []


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "S3CRETpw"}, "me:S3CRETpw"),
        ({"MLFLOW_TRACKING_TOKEN": "S3CRETtoken"}, "S3CRETtoken"),
        ({"HOME": "home"}, "net:S3CRETrc"),
    ],
    ids=["password", "token", "netrc"],
)
def test_a_server_that_shows_the_login_back_does_not_make_us_show_it(
    variables, sent, tmp_path, monkeypatch, caplog
):
    (tmp_path / "home").mkdir()
    rc = tmp_path / "home/.netrc"
    rc.write_text("machine 127.0.0.1 login net password S3CRETrc\n")
    rc.chmod(0o600)
    monkeypatch.chdir(tmp_path)
    for key, value in variables.items():
        monkeypatch.setenv(key, str(tmp_path / value) if key == "HOME" else value)
    echo = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=echo.serve_forever, daemon=True).start()
    _Echo.seen.clear()
    try:
        with pytest.raises(TrackingError) as raised:
            open_store(f"http://127.0.0.1:{echo.server_port}", "leaves", folder=tmp_path)
    finally:
        echo.shutdown()
        echo.server_close()
    coded = base64.b64encode(sent.encode()).decode()
    assert any(sent in login or coded in login for login in _Echo.seen), "it was not sent at all"
    shown = f"{raised.value}{caplog.text}"
    assert "refused" in shown
    assert sent not in shown and coded not in shown and "S3CRET" not in shown
