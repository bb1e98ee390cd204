"""The README's commands do what it says, in a demo province like the one that `make run` makes."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.support.mailgov_service import MAILGOV, Service
from tests.support.processes import wait_until
from tests.support.programs import needs

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    """The shell blocks, but for the two make commands."""
    found = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    return [block for block in found if not block.startswith("make ")]


@needs("curl", "dovecot")
def test_a_first_success_in_each_role(demo: Service) -> None:
    script = "set -eu\n" + "\n".join(blocks())
    for said, real in (
        (":2587", f":{demo.submission}"),
        (":2993", f":{demo.imaps}"),
        (":8025", f":{demo.http_port}"),
        (".venv/bin/mailgov", str(MAILGOV)),
    ):
        assert said in script
        script = script.replace(said, real)
    before = sent(demo)

    done = subprocess.run(
        ["bash", "-c", script],
        check=False,
        capture_output=True,
        cwd=demo.folder,
        env={**os.environ, **demo.env},
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=100,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"items":[{' in done.stdout  # the administrator's look at the records
    assert "CÓ SỐ LIỆU MẪU" in done.stdout  # the auditor's figure says what it is made of
    assert "would add 0 agencies and 0 accounts" in done.stdout  # what was exported is there already
    wait_until(lambda: sent(demo) == before + 1, what="the figure, moved by one")
    (outside,) = wait_until(lambda: list((demo.data_dir / "outside").glob("*.eml")), what="the outside copy")
    assert b"DKIM-Signature: " in outside.read_bytes()
    assert list((demo.data_dir / "mail" / "caobang.gov.vn" / "vpubnd" / "new").iterdir())


def sent(demo: Service) -> int:
    rows = demo.cli("usage", "--agency", "skhcn").expect().data["agencies"]
    return int(rows[0]["sent_messages"])


def test_the_banner_says_how_to_sign_in(demo: Service) -> None:
    said = demo.log()
    for word in ("mailgov is ready", "account:", "password:", "API token:", "swaks --server", "curl -H"):
        assert word in said
