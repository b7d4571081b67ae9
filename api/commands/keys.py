"""A name and scopes in, a secret out, once; what keys there are; and one of them revoked."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from api.console import DONE, console, note, print_json, regtape_command, settings, wants_json
from ingest.errors import BadRequest
from ingest.moment import now, parse_moment

if TYPE_CHECKING:
    from api.keys import Key, KeyStore


@click.group("keys", short_help="API keys of `serve`.")
def command() -> None:
    """Who may ask a server what.

    A home without keys is served to this machine only, and to whoever works there. From the first key on every request
    needs one, on the loopback too: `Authorization: Bearer KEY`, `X-API-Key: KEY`, or a login at /login. A running server
    sees within a second what is created and revoked here.
    """


@regtape_command(
    "create",
    short_help="A new key; its secret is shown once.",
    examples=(
        "regtape keys create desk --scope read",
        "regtape keys create feed --scope ingest --expires 90d --json",
    ),
)
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, required=True, type=click.Choice(["read", "ingest", "admin"]),
    help="read: ask and read; ingest: bring documents and news in; admin: all. Once for each.",
)  # fmt: skip
@click.option(
    "--expires", metavar="WHEN", help="After so long, e.g. 90d or 12h, or at a time, e.g. 2027-01-31. Default: never."
)  # fmt: skip
def create(name: str, scopes: tuple[str, ...], expires: str | None) -> int:
    """Make a key called NAME. Only its SHA-256 is kept: a secret that is lost is not found again."""
    from api.keys import Scope

    until = None if expires is None else _until(expires)
    with _store() as store:
        key, secret = store.create(name, [Scope(s) for s in scopes], expires_at=until)
    if wants_json():
        print_json({**_told(key), "secret": secret})
    else:
        note(f"Key {key.id} ({name}): {', '.join(sorted(key.scopes))}. It is shown this once:")
        click.echo(secret)
    return DONE


@regtape_command("list", short_help="The keys there are.", examples=("regtape keys list --json",))
def list_keys() -> int:
    """List all keys that ever were, without their secrets, which nobody has."""
    with _store() as store:
        keys = store.held()
    if wants_json():
        print_json({"keys": [_told(key) for key in keys]})
    elif not keys:
        note("There are no keys: this home is served to this machine only, and without one.")
    else:
        _show(keys)
    return DONE


@regtape_command(
    "revoke", short_help="End a key.", examples=("regtape keys revoke desk", "regtape keys revoke 1f3a90bc")
)  # fmt: skip
@click.argument("key")
def revoke(key: str) -> int:
    """End the KEY with this id or name. A running server refuses it within a second, and ends its streams."""
    with _store() as store:
        revoked = store.revoke(key)
        usable = any(k.state(now()) == "usable" for k in store.held())
    if wants_json():
        print_json(_told(revoked))
    else:
        note(f"Key {revoked.id} ({revoked.name}) is revoked.")
        if not usable:
            note("No key is left; until one is created, a server of this home answers to nobody.")
    return DONE


for _each in (create, list_keys, revoke):
    command.add_command(_each)


def _store() -> "KeyStore":
    from api.keys import KeyStore

    return KeyStore(settings().home)


_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def _until(words: str) -> datetime:
    """The moment that is meant. Raises BadRequest."""
    count, unit = words[:-1], words[-1:]
    if count.isdecimal() and unit in _UNITS:
        try:
            return now() + int(count) * _UNITS[unit]
        except OverflowError:
            raise BadRequest(f"{words} is longer than time is counted here") from None
    return parse_moment(words)


def _told(key: "Key") -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "state": key.state(now()),
        "created_at": key.created_at.isoformat(),
        "expires_at": key.expires_at and key.expires_at.isoformat(),
        "revoked_at": key.revoked_at and key.revoked_at.isoformat(),
    }


def _show(keys: list["Key"]) -> None:
    from rich.table import Table

    table = Table("id", "name", "scopes", "state", "created", "expires", box=None, pad_edge=False)
    for key in keys:
        expires = f"{key.expires_at:%Y-%m-%d %H:%M}Z" if key.expires_at else "never"
        table.add_row(
            key.id, key.name, ", ".join(sorted(key.scopes)), key.state(now()),
            f"{key.created_at:%Y-%m-%d}", expires,
        )  # fmt: skip
    console().print(table)
