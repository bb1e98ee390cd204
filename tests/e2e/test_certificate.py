"""A renewed certificate reaches the running service; who is connected stays so."""

from __future__ import annotations

import os
import shutil
import signal
import smtplib
import ssl
from pathlib import Path

import pytest

from tests.support.certificates import make_certificate
from tests.support.mailgov_service import Service
from tests.support.processes import wait_until

pytestmark = pytest.mark.e2e


def shown(service: Service) -> bytes | None:
    """The certificate that a new client on submissions is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL("127.0.0.1", service.submissions, context=context, timeout=30) as session:
        assert isinstance(session.sock, ssl.SSLSocket)
        return session.sock.getpeercert(binary_form=True)


def test_a_reload_changes_the_certificate_and_drops_nobody(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "new").mkdir()
    certificate, key = make_certificate(tmp_path / "tls", "mail.caobang.gov.vn")
    tls = {"certificate": str(certificate), "key": str(key)}
    with Service(tmp_path / "service", {"tls": tls}) as service, service.smtp(service.submission) as session:
        session.starttls()
        before = shown(service)
        for new, used in zip(
            make_certificate(tmp_path / "new", "mail.caobang.gov.vn", days=10),
            (certificate, key),
            strict=True,
        ):
            shutil.copy(new, used)
        os.kill(service.program.pid, signal.SIGHUP)
        wait_until(lambda: shown(service) != before, what="the new certificate")
        assert session.noop()[0] == 250
        wait_until(lambda: "certificate needs care" in service.log(), what="the warning: ten days are left")
