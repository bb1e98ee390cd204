"""The work of a sign-in at the pages: one argon2id, whoever it is and whatever is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from mailgov.identity.gate import SignInGate
from mailgov.identity.passwords import PasswordChecker, first_password_hash, generate_password, hash_password
from mailgov.identity.protection import Attempt, SignInProtection
from mailgov.identity.sign_in import SignIns, recovery_hash
from mailgov.settings import SignInSettings
from mailgov.store.guard import Guard
from mailgov.store.sessions import Holder

KEY = bytes(range(32))
OWN, FIRST, CODE = "một câu dài dễ nhớ", generate_password(os.urandom), "k3wq-7mzn-0x4v-h8tp-2c6d"
HOLDER = Holder(
    id=1, address="an@x.vn", display_name="An", password_hash=hash_password(OWN), must_change_password=False,
    recovery_hash=recovery_hash(CODE), password_set_ms=None, shut=False, seats=(),
)  # fmt: skip
NEWCOMER = replace(HOLDER, password_hash=first_password_hash(KEY, FIRST), must_change_password=True)
ATTEMPT = Attempt.of("an@x.vn", "192.0.2.1")


@pytest.fixture
def sign_ins(tmp_path: Path) -> Iterator[SignIns]:
    protection = SignInProtection(Guard.open(tmp_path / "guard.sqlite"), SignInSettings())
    gate = SignInGate(protection, None, lambda: 0)
    made = SignIns(PasswordChecker(os.urandom(32), lambda: 0.0), gate, lambda: KEY)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("holder", "password", "right"),
    [
        (None, OWN, False),
        (HOLDER, OWN, True),
        (HOLDER, "falsch", False),
        (HOLDER, "x" * 5000, False),
        (replace(HOLDER, shut=True), OWN, False),
        (replace(HOLDER, password_hash=None), OWN, False),
        (NEWCOMER, FIRST, True),
        (NEWCOMER, OWN, False),
        (replace(NEWCOMER, shut=True), FIRST, False),
    ],
    ids=[
        *("unknown", "right", "wrong", "over long", "suspended", "without a password"),
        *("first password", "not the first password", "suspended newcomer"),
    ],
)
async def test_every_answer_costs_one_computation(
    sign_ins: SignIns, monkeypatch: pytest.MonkeyPatch, holder: Holder | None, password: str, right: bool
) -> None:
    done = []
    real = PasswordHasher.verify

    def counting(self: PasswordHasher, stored: str, octets: bytes) -> bool:
        done.append(stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$"))
        return real(self, stored, octets)

    monkeypatch.setattr(PasswordHasher, "verify", counting)
    assert await sign_ins.matches(holder, ATTEMPT, password) is right
    assert done == [True]


@pytest.mark.parametrize(
    ("holder", "code", "right"),
    [
        (HOLDER, CODE, True),
        (HOLDER, " K3WQ 7MZN 0X4V H8TP 2C6D ", True),
        (HOLDER, CODE[:-1], False),
        (HOLDER, "", False),
        (None, CODE, False),
        (None, "", False),
        (replace(HOLDER, recovery_hash=None), "", False),
        (replace(HOLDER, shut=True), CODE, False),
    ],
)
async def test_a_recovery_code_opens_its_own_account_alone(
    sign_ins: SignIns, holder: Holder | None, code: str, right: bool
) -> None:
    assert sign_ins.recovers(holder, code) is right


def test_nothing_of_a_holder_is_printed() -> None:
    assert "argon2" not in repr(HOLDER)
    assert recovery_hash(CODE) not in repr(HOLDER)
