"""A renewed certificate is taken by itself; one that runs out is heard of once a day."""

from __future__ import annotations

import os
import shutil
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailgov.mail.events import AlarmEvent
from mailgov.relay.certificate import EXPIRES, CertificateWatch, certificate_problems, expires_s
from mailgov.relay.clock import Clock
from mailgov.relay.node import Node
from mailgov.relay.tls import server_context
from mailgov.settings import TlsSettings
from tests.support.certificates import make_certificate
from tests.support.plain_logs import plain_logs
from tests.support.relay_node import node_settings, running_node
from tests.unit.relay.test_tls import shown

DAY_MS = 86_400_000


def made(folder: Path, days: int = 90) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True)
    return make_certificate(folder, "mail.test", days=days)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    certificate, key = made(tmp_path / "use")
    settings = node_settings(tmp_path / "data", {"tls": {"certificate": certificate, "key": key}})
    with running_node(settings) as node:
        yield node


def context_of(node: Node) -> ssl.SSLContext:
    context = server_context(node.settings.tls)
    assert context is not None
    return context


async def test_new_files_are_taken_at_the_next_look(node: Node, tmp_path: Path) -> None:
    context = context_of(node)
    watch = CertificateWatch(node, [context])
    before, ends = shown(context), node.counters.values[EXPIRES]
    await watch.round()
    assert shown(context) == before
    for new, used in zip(made(tmp_path / "new", 60), (tmp_path / "use" / n for n in ("cert.pem", "key.pem")),
                         strict=True):  # fmt: skip
        shutil.copy(new, used)
    await watch.round()
    assert shown(context) != before
    assert node.counters.values[EXPIRES] < ends


async def test_half_of_a_renewal_leaves_the_old_one(node: Node, tmp_path: Path) -> None:
    context = context_of(node)
    watch = CertificateWatch(node, [context])
    before = shown(context)
    new = made(tmp_path / "new")
    shutil.copy(new[0], tmp_path / "use" / "cert.pem")
    await watch.round()
    assert shown(context) == before
    shutil.copy(new[1], tmp_path / "use" / "key.pem")
    await watch.round()
    assert shown(context) != before


async def test_a_link_that_is_turned_counts_as_new(node: Node, tmp_path: Path) -> None:
    """As ACME clients have it."""
    use = tmp_path / "use"
    context = context_of(node)
    watch = CertificateWatch(node, [context])
    before = shown(context)
    for new in made(tmp_path / "new"):
        os.utime(new, ns=(0, 0))
        (use / new.name).unlink()
        (use / new.name).symlink_to(new)
    await watch.round()
    assert shown(context) != before


async def test_files_that_are_gone_leave_the_old_one(node: Node, tmp_path: Path) -> None:
    context = context_of(node)
    watch = CertificateWatch(node, [context])
    shutil.rmtree(tmp_path / "use")
    await watch.round()
    assert shown(context) is not None


async def test_the_log_warns_once_a_day_from_three_weeks_before(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    watch = CertificateWatch(node, [context_of(node)])
    end_ms = node.counters.values[EXPIRES] * 1000
    for days, warnings in ((22, 0), (20.9, 1), (20.5, 0), (19.8, 1), (-1, 1)):
        now_ms = int(end_ms - days * DAY_MS)
        node.clock = Clock(now_ms=lambda now_ms=now_ms: now_ms)  # type: ignore[misc]  # a constant
        await watch.round()
        assert capsys.readouterr().out.count("certificate needs care") == warnings, days


def test_what_is_wrong_is_said_in_a_line(tmp_path: Path) -> None:
    certificate, key = made(tmp_path / "use", 30)
    tls = TlsSettings(certificate=certificate, key=key)
    end_s = expires_s(tls)
    assert end_s is not None
    assert certificate_problems(TlsSettings(), 0) == []
    assert certificate_problems(tls, end_s * 1000 - 22 * DAY_MS) == []
    (soon,) = certificate_problems(tls, end_s * 1000 - 5 * DAY_MS)
    assert soon.endswith("in 5 days")
    (late,) = certificate_problems(tls, end_s * 1000)
    assert "expired" in late
    key.write_text("no key")
    (broken,) = certificate_problems(tls, 0)
    assert str(certificate) in broken
    assert "\n" not in broken


async def test_the_audit_log_hears_of_it_once_a_day_and_node(tmp_path: Path) -> None:
    certificate, key = made(tmp_path / "use", days=10)
    settings = node_settings(tmp_path / "data", {"tls": {"certificate": certificate, "key": key}})
    with running_node(settings) as node, plain_logs():
        for watch in (CertificateWatch(node, []), CertificateWatch(node, [])):
            await watch.round()
            await watch.round()
        (event,) = [event for _, event in await node.spool.events(0, 10)]
    assert isinstance(event, AlarmEvent)
    assert (event.act, event.object) == ("certificate.needs_care", str(certificate))
    assert ", in 9 days" in event.content["problem"]
