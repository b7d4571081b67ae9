"""`regtape keys`, and how far `serve` may be reached with them and without."""

import json
import stat
from pathlib import Path

import pytest

from api.cli import run
from api.commands.serve import reachable
from api.keys import KeyStore, Scope
from api.settings import Settings
from ingest.errors import BadRequest


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_a_secret_is_printed_once_and_kept_nowhere(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["keys", "create", "desk", "--scope", "read", "--scope", "ingest"]) == 0
    secret = capsys.readouterr().out.strip()
    assert run(["keys", "list"]) == 0
    listed = capsys.readouterr().out

    assert secret.startswith("rt_")
    assert len(secret) == 55
    assert "desk" in listed
    assert "ingest, read" in listed
    assert secret not in listed
    kept = b"".join(file.read_bytes() for file in home.glob("keys.db*"))
    assert kept
    assert secret.encode() not in kept
    assert secret[12:].encode() not in kept


def test_the_file_of_keys_is_its_owners_alone(home: Path) -> None:
    run(["keys", "create", "desk", "--scope", "read"])

    assert stat.S_IMODE((home / "keys.db").stat().st_mode) == 0o600


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    run(["keys", "create", "desk", "--scope", "read", "--expires", "90d", "--json"])
    made = json.loads(capsys.readouterr().out)
    run(["keys", "revoke", "desk", "--json"])
    revoked = json.loads(capsys.readouterr().out)
    run(["keys", "list", "--json"])
    listed = json.loads(capsys.readouterr().out)["keys"]

    assert made["secret"].startswith(f"rt_{made['id']}_")
    assert (made["state"], revoked["state"]) == ("usable", "revoked")
    assert made["expires_at"] > made["created_at"]
    assert listed == [revoked]
    assert "secret" not in revoked


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["create", "desk"], 2),
        (["create", "desk", "--scope", "write"], 2),
        (["create", "", "--scope", "read"], 2),
        (["create", "x" * 81, "--scope", "read"], 2),
        (["create", "desk", "--scope", "read", "--expires", "soon"], 2),
        (["create", "desk", "--scope", "read", "--expires", "2020-01-01"], 2),
        (["create", "desk", "--scope", "read", "--expires", "99999999999d"], 2),
        (["revoke", "nobody"], 3),
    ],
)
def test_what_cannot_be_meant_is_said(words: list[str], code: int) -> None:
    assert run(["keys", *words]) == code


def test_two_usable_keys_have_not_one_name(home: Path) -> None:
    assert run(["keys", "create", "desk", "--scope", "read"]) == 0
    assert run(["keys", "create", "desk", "--scope", "read"]) == 2
    assert run(["keys", "revoke", "desk"]) == 0
    assert run(["keys", "create", "desk", "--scope", "read"]) == 0
    with KeyStore(home) as store:
        assert len(store.held()) == 2


# ---- how far serve may be reached


def test_without_a_key_serve_refuses_to_be_reached_from_elsewhere(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for host in ("10.1.2.3", "tape.desk", "fe80::1"):
        assert run(["serve", "--host", host]) == 2
        assert "regtape keys create" in capsys.readouterr().err
    run(["keys", "create", "desk", "--scope", "read"])
    run(["keys", "revoke", "desk"])
    assert run(["serve", "--host", "10.1.2.3"]) == 2


def test_with_a_key_it_answers_to_the_names_it_was_given(home: Path) -> None:
    with KeyStore(home) as store:
        store.create("desk", [Scope.READ])
    settings = Settings(home=home)

    assert reachable(settings, "127.0.0.1").hosts == ()
    assert reachable(settings, "10.1.2.3").hosts == ("10.1.2.3",)
    assert reachable(settings, "fe80::1").hosts == ("[fe80::1]",)
    with pytest.raises(BadRequest, match="REGTAPE_HOSTS"):
        reachable(settings, "0.0.0.0")
    named = Settings(home=home, hosts=("tape.desk",))
    assert reachable(named, "0.0.0.0").hosts == ("tape.desk",)


def test_names_come_from_the_environment_with_commas_between(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REGTAPE_HOSTS", "tape.desk, 10.1.2.3")
    monkeypatch.setenv("REGTAPE_CORS_ORIGINS", "https://desk.example")

    assert Settings().hosts == ("tape.desk", "10.1.2.3")
    assert Settings().cors_origins == ("https://desk.example",)
