"""Versions and suites as openssl's own client sees them (Mozilla's intermediate configuration)."""

from __future__ import annotations

import asyncio
import re
import ssl
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from mailgov.relay.tls import INTERMEDIATE, reload_certificate
from mailgov.settings import TlsSettings
from tests.support.certificates import make_certificate
from tests.wire.client import eventually
from tests.wire.conftest import World

# The tests' certificate is ECDSA; those for RSA are in the same list.
FINE = [
    *("-tls1_2 -cipher " + suite for suite in INTERMEDIATE.split(":") if "ECDSA" in suite),
    *(
        "-tls1_3 -ciphersuites " + suite
        for suite in ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
    ),
]
NOT = [
    "-tls1 -cipher ALL:@SECLEVEL=0",
    "-tls1_1 -cipher ALL:@SECLEVEL=0",
    "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA",
    "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256",
    "-tls1_2 -cipher ECDHE-ECDSA-AES256-CCM",
    "-tls1_2 -cipher AES128-GCM-SHA256",
    "-tls1_2 -cipher aNULL:@SECLEVEL=0",
]


async def s_client(world: World, kind: str, options: str, said: str) -> str:
    """What `openssl s_client` prints, told `said` after its handshake."""
    way = [] if kind == "submissions" else ["-starttls", "smtp"]
    client = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", f"127.0.0.1:{world.ports[kind]}", *way, *options.split(),
        stdin=PIPE, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(20):
        output, _ = await client.communicate(said.encode())
    return output.decode("utf-8", "replace")


async def test_the_intermediate_suites_and_nothing_else(world: World) -> None:
    for kind in ("mx", "submission", "submissions"):
        for options in FINE if kind == "mx" else FINE[:1] + FINE[-1:]:
            output = await s_client(world, kind, f"{options} -quiet", "QUIT\n")
            assert "221 2.0.0" in output, (kind, options, output)
        for options in NOT if kind == "mx" else NOT[:2]:
            output = await s_client(world, kind, options, "QUIT\n")
            assert re.search(r"Cipher is \(NONE\)|no cipher|alert|no protocols", output), (options, output)
            assert "221 2.0.0" not in output


@pytest.mark.parametrize("kind", ["mx", "submissions"])
@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ("-tls1_1 -cipher ALL:@SECLEVEL=0", "unsupported protocol"),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA", "no shared cipher"),
        ("-verify_return_error", "tlsv1 alert unknown ca"),  # the client does not trust our certificate
    ],
)
async def test_why_a_handshake_failed_is_told(world: World, kind: str, options: str, cause: str) -> None:
    with capture_logs() as logs:
        await s_client(world, kind, options, "QUIT\n")
        await eventually(lambda: world.count("refused_tls_handshake") == 1)
    (told,) = (line for line in logs if line["event"] == "refused")
    assert (told["reason"], told["cause"]) == ("tls_handshake", cause)


async def test_no_renegotiation_and_no_compression(world: World) -> None:
    output = await s_client(world, "submissions", "-tls1_2", "R\nQUIT\n")
    assert "RENEGOTIATING" in output
    assert "no renegotiation" in output
    assert "Compression: NONE" in output


@pytest.mark.parametrize("kind", ["submission", "submissions"])
async def test_a_certificate_is_renewed_without_dropping_sessions(
    world: World, kind: str, tmp_path: Path
) -> None:
    old = await world.inside(kind=kind)
    (context,) = {session.tls_context for session in world.node.connections}
    certificate, key = make_certificate(tmp_path, "localhost")
    reload_certificate(context, TlsSettings(certificate=certificate, key=key))
    assert await old.alive()
    world.client_tls = ssl.create_default_context(cafile=str(certificate))
    assert await (await world.inside(kind=kind)).alive()
    assert await old.alive()
