import logging
import subprocess
import sys

import pytest

from frostline.errors import TrackingError
from frostline.redact import hide_secrets_in_output, redacted, redacted_values

SECRET = "S3CRET"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://u:S3CRET@h:5432/db",
        "postgres://u:S3CRET@h/db",
        "postgresql+psycopg2://u:S3/CRET@h/db",
        "postgresql://u:S3@CRET@h/db",
        "postgresql://u:S3'CRET@h/db",
        'postgresql://u:S3"CRET@h/db',
        "postgresql://u:S3:CRET#x?y@h/db",
        "postgresql://:S3CRET@h/db",
        "POSTGRESQL://u:S3CRET@h/db",
        "http://u:S3CRET@h:5000/path",
        "https://S3CRET@h",
        "databricks://S3CRET@h",
        "git+https://S3CRET@h/p",
        "https://S3CRET:x-oauth-basic@h",
        "tracking.uri='http://u:S3CRET@h'",
        "u:S3CRET@h/db",
        "tracking.uri=u:S3CRET@h:5432/db",
        "postgresql:/u:S3CRET@h/db",
        "postgresql://h/db?user=u&password=S3CRET",
        "postgresql://h/db?password=S3,CRET)&user=u",
        "postgresql://h/db?sslkey=/S3CRET.pem&sslpassword=S3CRET",
        "mysql://h/db?passwd=S3CRET;x=1",
        "mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Du%3BPWD%3DS3CRET%3B",
        "https://b.s3.amazonaws.com/x?X-Amz-Credential=S3CRET&X-Amz-Signature=S3CRET",
        "https://b.s3.amazonaws.com/x?AWSAccessKeyId=S3CRET&Signature=S3CRET&Expires=1",
        "https://a.blob.core.windows.net/c?sv=2024&sig=S3CRET%3D",
        "https://storage.googleapis.com/x?X-Goog-Signature=S3CRET&X-Goog-Credential=S3CRET",
        "https://h/x?access_token=S3CRET",
        "https://h/x?token=S3CRET#top",
        "MLFLOW_TRACKING_PASSWORD=S3CRET python -m src.train",
        "MLFLOW_TRACKING_TOKEN: S3CRET and more S3CRET",
        "hydra.job.env_set.MLFLOW_TRACKING_PASSWORD=S3CRET",
        "+hydra.job.env_set={MLFLOW_TRACKING_PASSWORD:S3CRET,A:b}",
        '{"MLFLOW_TRACKING_PASSWORD": "S3CRET, \\"S3CRET"}',
        "host=h user=u password='S3CRET S3CRET' dbname=d",
        "AWS_SECRET_ACCESS_KEY=S3CRET",
        "aws_secret_access_key = S3CRET",
        "api_key=S3CRET api-key: S3CRET apikey=S3CRET",
        "Authorization: Basic S3CRETxx==",
        "{'Authorization': 'Bearer S3CRETxx'}",
        "a mirror: http://u:S3CRET@h/a then http://u:S3CRET@h/b",
    ],
)
def test_every_form_is_hidden_and_hiding_twice_changes_nothing(text):
    hidden = redacted(text)
    assert "S3" not in hidden
    assert "CRET" not in hidden.replace("AWS_SECRET_ACCESS_KEY", "")
    assert "***" in hidden
    assert redacted(hidden) == hidden


@pytest.mark.parametrize(
    "text",
    [
        "sqlite:////data/a@b/mlflow.db",
        "file:///data/me@x/y",
        "http://127.0.0.1:5000/path",
        "postgresql://me@h/db",
        "python -m src.train -m backbone=resnet50,vgg16 head.pool=token tokens=3 freeze=0",
        "me@mail.org wrote: rust@leaf",
        "val/loss: 0.5; the second pass: 3 s; key=value",
        "token: null",
        "class_token_size=3",
        "password=",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redacted(text) == text


def test_what_remains_says_where():
    assert redacted("postgresql://me:S3CRET@h:5432/d?sslmode=require&password=S3CRET&x=1") == (
        "postgresql://me:***@h:5432/d?sslmode=require&password=***&x=1"
    )
    assert redacted("http://me:S3CRET@h:5000/p") == "http://***@h:5000/p"
    assert redacted("no password for S3CRET", ["S3CRET"]) == "no password for ***"


def test_containers_are_hidden_by_name_and_by_value():
    values = {"command": "x tracking.uri=http://u:S3CRET@h", "n": 3, "MY_TOKEN": "S3CRET"}
    assert redacted_values([values, ("http://h",)]) == [
        {"command": "x tracking.uri=http://***@h", "n": 3, "MY_TOKEN": "***"},
        ["http://h"],
    ]


def test_errors_never_carry_one():
    error = TrackingError("x http://u:S3CRET@h", "y?password=S3CRET", "TOKEN=S3CRET")
    assert SECRET not in str(error) + repr(error)


def test_logs_of_any_library_and_the_last_trace(capsys):
    make = logging.getLogRecordFactory()
    hook = sys.excepthook
    try:
        hide_secrets_in_output()
        hide_secrets_in_output()
        logger = logging.getLogger("some.library")
        handler = logging.StreamHandler(sys.stderr)
        logger.addHandler(handler)
        try:
            raise ValueError("http://u:S3CRET@h")
        except ValueError:
            logger.exception("at %s, %d times", "http://u:S3CRET@h", 2)
        logger.removeHandler(handler)
    finally:
        logging.setLogRecordFactory(make)
        sys.excepthook = hook
    text = capsys.readouterr().err
    assert "at http://***@h, 2 times" in text
    assert "ValueError: http://***@h" in text
    assert SECRET not in text
    code = (
        "from frostline.redact import hide_secrets_in_output as hide; hide()\n"
        "raise ValueError('http://u:S3' + 'CRET@h')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "ValueError: http://***@h" in ended.stderr
