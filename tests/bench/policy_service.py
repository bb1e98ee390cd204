"""The peer's policy: a Postfix policy service that looks up two rules and lets the rest pass.

Run as `python -m tests.bench.policy_service SOCKET DOMAIN`. It is meant to cost as little as
such a service can: attributes of Postfix's SMTPD_POLICY_README, one set and one dictionary look-up.
"""

from __future__ import annotations

import asyncio
import os
import sys

BLOCKED_RECIPIENTS: frozenset[str] = frozenset()


async def main(socket: str, own_domain: str) -> None:
    allowed = {own_domain: "DUNNO"}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        attributes: dict[bytes, bytes] = {}
        while line := await reader.readline():
            if line != b"\n":
                name, _, value = line.rstrip(b"\n").partition(b"=")
                attributes[name] = value
                continue
            domain = attributes.get(b"sender", b"").rpartition(b"@")[2].decode("latin-1")
            recipient = attributes.get(b"recipient", b"").decode("latin-1")
            action = (
                "REJECT not allowed"
                if recipient in BLOCKED_RECIPIENTS
                else allowed.get(domain, "REJECT who?")
            )
            writer.write(f"action={action}\n\n".encode())
            attributes = {}
        writer.close()

    server = await asyncio.start_unix_server(serve, socket)
    os.chmod(socket, 0o666)  # noqa: PTH101, S103 - Postfix reaches it from its own account
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
