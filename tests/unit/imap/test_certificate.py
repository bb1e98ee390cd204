"""A renewed certificate reaches the real Dovecot while it serves, without a restart."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from contextlib import ExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mailgov.config.imap import build_imap
from mailgov.imap import service
from mailgov.imap.service import ImapService
from mailgov.settings import Settings
from mailgov.store.engine import Database, migrate
from tests.support.certificates import make_certificate
from tests.support.plain_logs import plain_logs
from tests.support.programs import needs

pytestmark = needs("dovecot")
NAME = "mail.caobang.gov.vn"


async def shown(port: int) -> bytes:
    """The certificate that a new client on imaps is shown, once it was greeted."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        assert (await reader.readline()).startswith(b"* OK")
        found: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return found
    finally:
        writer.transport.abort()


async def built(folder: Path) -> tuple[ImapService, tuple[Path, Path]]:
    """A service over an empty ledger, and its certificate and key."""
    certificate, key = make_certificate(folder, NAME)
    url = f"sqlite:///{folder}/ledger.sqlite"
    ledger = Database.open(url, create=True)
    await migrate(ledger)
    await ledger.dispose()
    tls = {"certificate": certificate, "key": key}
    settings = Settings.model_validate({"data_dir": folder, "database": {"url": url}, "tls": tls})
    return await asyncio.to_thread(build_imap, settings), (certificate, key)


async def test_a_renewed_pair_is_taken_and_half_of_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "CERTIFICATE_S", 0.05)
    (tmp_path / "new").mkdir()
    renewed = make_certificate(tmp_path / "new", NAME, days=30)
    imap, used = await built(tmp_path)
    with ExitStack() as stack, plain_logs(), capture_logs() as logs:
        names = ("imap", "imaps", "imap.gate")
        sockets = {name: (stack.enter_context(socket.create_server(("127.0.0.1", 0))),) for name in names}
        port = sockets["imaps"][0].getsockname()[1]
        await imap.start(sockets)
        try:
            before = await shown(port)
            for new, old, says in zip(
                renewed,
                used,
                ("certificate not loaded, the old one stays", "certificate loaded"),
                strict=True,
            ):
                shutil.copy(new, old)
                async with asyncio.timeout(20):
                    while says not in [line["event"] for line in logs]:  # noqa: ASYNC110 - a log tells no event
                        await asyncio.sleep(0.02)
                if old is used[0]:
                    assert await shown(port) == before, "without its key it would fail each handshake"
            async with asyncio.timeout(20):
                while await shown(port) == before:
                    pass
        finally:
            await imap.stop()
