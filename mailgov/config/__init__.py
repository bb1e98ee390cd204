"""Reads the settings (here) and builds everything out of them (`parts`, `relay`, `web`), in one place."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError

from mailgov.settings import DeliveryLogin, Settings, TlsOutSettings

DEFAULT_PLACES = (Path("mailgov.toml"), Path("/etc/mailgov/mailgov.toml"))
NOT_SETTINGS = frozenset({"MAILGOV_CONFIG", "MAILGOV_CONFORMANCE_DIR"})
PREFIX = "MAILGOV_"


class ConfigError(Exception):
    """The settings cannot be used; the message is one line: file, key, problem, remedy."""


def find_settings_file(path: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """The settings file to use: `path`, then $MAILGOV_CONFIG, then the default places."""
    if path is not None:
        candidates: tuple[Path, ...] = (path,)
    elif environ.get("MAILGOV_CONFIG"):
        candidates = (Path(environ["MAILGOV_CONFIG"]),)
    else:
        candidates = DEFAULT_PLACES
    for candidate in candidates:
        if candidate.is_file():
            return candidate.absolute()
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise ConfigError(f"no settings file at {looked}: run `mailgov init`, or name one with --config")


def placed(error: Exception, file: Path | str) -> str:
    """What an error says, and the settings file where it names a key of it."""
    text = str(error)
    return f"{file}: {text}" if isinstance(error, ConfigError) and text.startswith("key ") else text


def load_settings(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the file and the environment, relative paths resolved against the file's folder.

    `MAILGOV_SECTION__KEY` overrides a key; its value is JSON where the key holds a table or
    a list. Raises ConfigError; an unknown key is an error in both places.
    """
    file = find_settings_file(path, environ)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: not valid TOML: {error}") from None
    overridden = {}
    for name, value in environ.items():
        if name.startswith(PREFIX) and name not in NOT_SETTINGS:
            overridden[_override(table, name, value)] = name
    return build_settings(table, file, overridden)


def build_settings(
    table: Mapping[str, Any], file: Path, overridden: Mapping[tuple[str, ...], str] = MappingProxyType({})
) -> Settings:
    """Validated settings from a table; `file` names them in errors and anchors relative paths.

    `overridden` tells which keys come from which environment variable, to blame the right one.
    """
    try:
        settings = Settings.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        told = first["msg"].removeprefix("Value error, ")
        problem = "unknown key" if first["type"] == "extra_forbidden" else told
        place = _place(file, tuple(str(part) for part in first["loc"]), overridden)
        raise ConfigError(f"{place}: {problem}{more}") from None
    return _anchored(settings, file.parent)


def default_policy_directory() -> Path:
    """The policy files that come with the source tree or the installation."""
    return Path(__file__).resolve().parent.parent.parent / "policy"


def _place(file: Path, path: tuple[str, ...], overridden: Mapping[tuple[str, ...], str]) -> str:
    """Where a bad value comes from: the environment variable that set it, else the file's key."""
    key = ".".join(path)
    for end in range(len(path), 0, -1):
        if path[:end] in overridden:
            return f"environment {overridden[path[:end]]} (key {key})"
    return f"{file}: key {key}"


def _override(table: dict[str, Any], name: str, value: str) -> tuple[str, ...]:
    """Put a variable's value into the table; the key that it set."""
    keys = name.removeprefix(PREFIX).lower().split("__")
    parsed: Any = value
    if value[:1] in ("{", "["):
        try:
            parsed = json.loads(value)
        except ValueError as error:
            raise ConfigError(f"environment {name}: not valid JSON: {error}") from None
    for key in keys[:-1]:
        table = table.setdefault(key, {})
        if not isinstance(table, dict):
            raise ConfigError(f"environment {name}: {key} is not a section")
    table[keys[-1]] = parsed
    return tuple(keys)


def _anchored(settings: Settings, folder: Path) -> Settings:
    tls, rspamd = settings.tls, settings.rspamd
    return settings.model_copy(
        update={
            "data_dir": folder / settings.data_dir,
            "database": settings.database.model_copy(
                update={"url": _anchored_url(settings.database.url, folder)}
            ),
            "policy": settings.policy.model_copy(update={"directory": folder / settings.policy.directory}),
            "tls": tls.model_copy(
                update={
                    "certificate": tls.certificate and folder / tls.certificate,
                    "key": tls.key and folder / tls.key,
                }
            ),
            "rspamd": rspamd.model_copy(
                update={"password_file": rspamd.password_file and folder / rspamd.password_file}
            ),
            "tls_out": _anchored_tls_out(settings.tls_out, folder),
            "delivery": settings.delivery.model_copy(
                update={"logins": [_anchored_login(login, folder) for login in settings.delivery.logins]}
            ),
        }
    )


def _anchored_tls_out(tls_out: TlsOutSettings, folder: Path) -> TlsOutSettings:
    return tls_out.model_copy(
        update={
            "ca_file": tls_out.ca_file and folder / tls_out.ca_file,
            "minimum": {
                name: one.model_copy(update={"ca_file": one.ca_file and folder / one.ca_file})
                for name, one in tls_out.minimum.items()
            },
        }
    )


def _anchored_login(login: DeliveryLogin, folder: Path) -> DeliveryLogin:
    return login.model_copy(
        update={
            "password_file": folder / login.password_file,
            "ca_file": login.ca_file and folder / login.ca_file,
        }
    )


def _anchored_url(url: str, folder: Path) -> str:
    scheme, separator, place = url.partition(":///")
    if separator and scheme == "sqlite":
        return f"sqlite:///{folder / place}"
    return url
