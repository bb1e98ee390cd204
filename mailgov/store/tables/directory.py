"""What the directory holds: domains, agencies, accounts, addresses, keys, tokens."""

from __future__ import annotations

from datetime import date

from sqlalchemy import JSON, Column, LargeBinary, UniqueConstraint
from sqlmodel import Field, SQLModel

from mailgov.store.tables.base import ms, refers_to, row_id


class Domain(SQLModel, table=True):
    """A mail domain of the province."""

    id: int | None = row_id()
    name: str = Field(unique=True)
    created_ms: int = ms()
    disabled_ms: int | None = ms(default=None)


class Agency(SQLModel, table=True):
    """One span of an agency's life: a new name or level is a new row with the same code."""

    __table_args__ = (UniqueConstraint("code", "valid_from"),)
    id: int | None = row_id()
    code: str = Field(index=True)
    name: str
    abbreviation: str | None = None
    level: str
    """province, district or commune"""
    parent_code: str | None = None
    mailbox: str | None = None
    """The agency's published address."""
    own_sector_mail: bool = False
    valid_from: date | None = None
    valid_until: date | None = None
    created_ms: int = ms()
    sample: bool = False


class AgencySuccession(SQLModel, table=True):
    """Who took over from whom, and from which day; many to many."""

    __tablename__ = "agency_succession"
    id: int | None = row_id()
    from_code: str = Field(index=True)
    to_code: str = Field(index=True)
    on_date: date


class Account(SQLModel, table=True):
    """A mailbox with a sign-in. `kind`: personal, shared or functional."""

    id: int | None = row_id()
    address: str = Field(unique=True)
    kind: str
    display_name: str
    password_hash: str | None = None
    must_change_password: bool = False
    """True while the password is a first one: it opens nothing but the place where it is changed."""
    password_set_ms: int | None = ms(default=None)
    """When the password was last set, by whomever; sessions from before it are over."""
    recovery_hash: str | None = None
    """SHA-256 of the recovery code that lets the holder set a new password alone."""
    citizen_desk: bool = False
    sending_limits: dict[str, int] | None = Field(default=None, sa_column=Column(JSON(none_as_null=True)))
    """What an administrator lets it send, by the names of `entries.LIMITS`."""
    created_ms: int = ms()
    suspended_ms: int | None = ms(default=None)
    sample: bool = False


class AccountPost(SQLModel, table=True):
    """Where an account's holder served, and in which class, over a span of days.

    `person_class`: can_bo, cong_chuc, vien_chuc, khac, or None for a mailbox of no one person.
    """

    __tablename__ = "account_post"
    id: int | None = row_id()
    account_id: int = refers_to("account.id", index=True)
    agency_code: str = Field(index=True)
    person_class: str | None = None
    valid_from: date | None = None
    valid_until: date | None = None


class AccountGrant(SQLModel, table=True):
    """An address, beside its own, that an account may write as."""

    __tablename__ = "account_grant"
    __table_args__ = (UniqueConstraint("account_id", "address"),)
    id: int | None = row_id()
    account_id: int = refers_to("account.id", index=True)
    address: str


class RegisteredAddress(SQLModel, table=True):
    """An outside address that an account's holder or an agency has registered as its own."""

    __tablename__ = "registered_address"
    id: int | None = row_id()
    account_id: int | None = refers_to("account.id", default=None, index=True)
    agency_code: str | None = Field(default=None, index=True)
    address: str = Field(index=True)


class AccountSeat(SQLModel, table=True):
    """A role that an account's holder has beside owning the mailbox. `agency_code` is "" for the province."""

    __tablename__ = "account_seat"
    __table_args__ = (UniqueConstraint("account_id", "role", "agency_code"),)
    id: int | None = row_id()
    account_id: int = refers_to("account.id", index=True)
    role: str
    agency_code: str = ""
    created_ms: int = ms()


class Alias(SQLModel, table=True):
    """An address that stands for others. `kind`: alias, list or forward."""

    id: int | None = row_id()
    address: str = Field(unique=True)
    kind: str
    created_ms: int = ms()


class AliasTarget(SQLModel, table=True):
    __tablename__ = "alias_target"
    __table_args__ = (UniqueConstraint("alias_id", "address"),)
    id: int | None = row_id()
    alias_id: int = refers_to("alias.id", index=True)
    address: str


class DkimKey(SQLModel, table=True):
    """A DKIM key's public side; the private key is a file of mode 0600 under the data folder."""

    __tablename__ = "dkim_key"
    __table_args__ = (UniqueConstraint("domain", "selector"),)
    id: int | None = row_id()
    domain: str = Field(index=True)
    selector: str
    algorithm: str
    """rsa or ed25519"""
    public_key: str
    """The `p=` value of the key record, base64 (RFC 6376 3.6.1)."""
    key_file: str
    """Relative to the data folder."""
    state: str
    """pending, active, retired or withdrawn"""
    created_ms: int = ms()
    standing: str | None = None
    """What the DNS said of it last, in a word; `detail` says it for people."""
    detail: str | None = None
    checked_ms: int | None = ms(default=None)
    seen_ms: int | None = ms(default=None)
    """Since when each look found it published as it must be."""
    active_ms: int | None = ms(default=None)
    retired_ms: int | None = ms(default=None)
    withdraw_ms: int | None = ms(default=None)
    """Until when a key that signs no more stays published."""


class Token(SQLModel, table=True):
    """A bearer token for programs: only its SHA-256 is kept."""

    id: int | None = row_id()
    name: str
    hash: str = Field(unique=True)
    role: str
    agency_code: str | None = None
    created_ms: int = ms()
    expires_ms: int | None = ms(default=None)
    revoked_ms: int | None = ms(default=None)
    last_used_ms: int | None = ms(default=None)


class WebSession(SQLModel, table=True):
    """A signed-in browser: only the SHA-256 of its cookie is kept."""

    __tablename__ = "web_session"
    id: int | None = row_id()
    hash: str = Field(unique=True)
    account_id: int = refers_to("account.id", index=True)
    role: str
    """The seat that it acts from: one of `account_seat`, or owner. Without that seat it is over."""
    agency_code: str = ""
    created_ms: int = ms()
    seen_ms: int = ms()
    """When it was last used, to the minute."""
    ended_ms: int | None = ms(default=None)


class IdempotencyKey(SQLModel, table=True):
    """A POST that was carried out: repeating it gives the same answer and does nothing."""

    __tablename__ = "idempotency_key"
    caller: str = Field(primary_key=True)
    """Whose key it is: two callers may choose the same one."""
    key: str = Field(primary_key=True)
    request_hash: str
    """Of method, path and body: the same key with another request is a mistake."""
    status: int
    answer: bytes = Field(sa_type=LargeBinary)
    created_ms: int = ms(index=True)


class DirectoryState(SQLModel, table=True):
    """One row (id 1): revisions that workers watch."""

    __tablename__ = "directory_state"
    id: int = Field(primary_key=True)
    revision: int = ms()
    policy_revision: int = ms()
