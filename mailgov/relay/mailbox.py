"""Final delivery into a Maildir: written, synced, named, the name synced."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path

from mailgov.mail.address import Address, AddressError
from mailgov.mail.reply import MailError, Reply
from mailgov.relay.content import CHUNK_BYTES, Content
from mailgov.settings import DeliverySettings
from mailgov.store.spool.bodies import sync_folder

DELIVERED = Reply(250, "2.1.5", "Delivered to mailbox")
NOT_NOW = Reply(451, "4.2.0", "The mailbox cannot be written now")
NO_MAILBOX = Reply(550, "5.1.1", "No such mailbox here")
FULL = Reply(452, "4.3.1", "No room to store the message now")
MAILBOX_FULL = Reply(452, "4.2.2", "The mailbox is full")
FOLDERS = ("tmp", "new", "cur")
MADE_ABOVE = 3
"""Folders above a mailbox that may be new with it: the domain's, `mail`, and the data folder for its name."""
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})


def maildir_of(data_dir: Path, account: str) -> Path:
    """Where an account's mail lies: `mail/<domain>/<local part>`.

    Raises MailError for an address that is no safe name; accounts are made with safe ones only.
    """
    try:
        address = Address.parse(account)
    except AddressError as error:
        raise MailError(NO_MAILBOX, f"unsafe mailbox name {account!r}: {error}") from None
    for part in (address.local, address.domain):
        if not part or part.startswith(".") or "/" in part or "\0" in part or len(part.encode()) > 200:
            raise MailError(NO_MAILBOX, f"unsafe mailbox name {account!r}")
    return data_dir / "mail" / address.domain / address.local.lower()


def limit_of(settings: DeliverySettings, account: str, agency: str | None) -> int:
    """What the account's mailbox may hold, in octets: by its own limit, its agency's or all's; 0 is none."""
    given = {name.lower(): limit for name, limit in settings.mailbox_limits.items()}
    for name in (account, agency):
        if name is not None and (limit := given.get(name.lower())) is not None:
            return limit
    return settings.mailbox_limit_bytes


def used_bytes(maildir: Path) -> int:
    """What lies in a mailbox and its folders (Maildir++), read and unread; blocks, a look at each file."""
    used = 0
    places = [maildir]
    with contextlib.suppress(FileNotFoundError):  # nothing was delivered yet
        places += [Path(one) for one in os.scandir(maildir) if one.name.startswith(".") and one.is_dir()]
    for place in places:
        for folder in ("new", "cur"):
            with contextlib.suppress(FileNotFoundError), os.scandir(place / folder) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):  # its reader moved or deleted it just now
                        used += entry.stat(follow_symlinks=False).st_size
    return used


def deliver(
    maildir: Path, content: Content, *, unique: str, reverse_path: str, limit_bytes: int = 0
) -> Reply:
    """Write the message under `new/`, durably; blocks. What would go past `limit_bytes` (0: none) waits.

    `unique` names the delivery: repeating one after a crash replaces the file that is still in
    `new/` instead of adding a second. Raises MailError 4xx where the disk refuses.
    """
    head = f"Return-Path: <{reverse_path}>\r\n".encode() + content.head
    temporary = maildir / "tmp" / unique
    try:
        if limit_bytes and used_bytes(maildir) + content.size_bytes > limit_bytes:
            raise MailError(MAILBOX_FULL)
        if not all((maildir / folder).is_dir() for folder in FOLDERS):
            _make(maildir)
        _write(temporary, head, content)
        temporary.replace(maildir / "new" / unique)
        sync_folder(maildir / "new")
    except OSError as error:
        with contextlib.suppress(OSError):  # it may be the folder that is at fault
            temporary.unlink(missing_ok=True)
        raise MailError(FULL if error.errno in _NO_ROOM else NOT_NOW, str(error)) from error
    return DELIVERED


def _make(maildir: Path) -> None:
    """A new mailbox: its own name and those of the folders above must outlive a power cut too."""
    for folder in FOLDERS:
        (maildir / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    for made in (maildir, *list(maildir.parents)[:MADE_ABOVE]):
        sync_folder(made)


def _write(path: Path, head: bytes, content: Content) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "wb") as target:
        target.write(head)
        if content.file is not None:
            with content.file.open("rb") as source:
                source.seek(content.offset)
                shutil.copyfileobj(source, target, CHUNK_BYTES)
        target.flush()
        os.fsync(target.fileno())
