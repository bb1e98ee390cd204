from __future__ import annotations

import base64
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key, load_pem_private_key

from mailgov.admin import domains, keys
from mailgov.admin.context import AdminContext
from mailgov.admin.errors import AdminError
from mailgov.ops import dkim_files
from mailgov.store.snapshot import load_snapshot
from tests.unit.admin.province import DOMAIN, NOW_MS, OPERATOR, files, state


async def test_the_private_key_fits_the_public_one_and_is_its_owners_alone(ctx: AdminContext) -> None:
    made = await keys.generate_key(ctx, OPERATOR, DOMAIN)
    assert (made.selector, made.algorithm, made.state) == ("rsa202511", "rsa", "pending")
    path = ctx.settings.data_dir / made.key_file
    assert made.key_file == f"keys/dkim/{DOMAIN}/rsa202511.rsa.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    private = load_pem_private_key(path.read_bytes(), password=None)
    public = load_der_public_key(base64.b64decode(made.public_key))
    assert isinstance(private, RSAPrivateKey)
    assert isinstance(public, RSAPublicKey)
    assert private.key_size == 2048
    assert private.public_key().public_numbers() == public.public_numbers()


async def test_the_first_key_of_a_domain_signs_at_once_the_next_ones_wait(ctx: AdminContext) -> None:
    await keys.generate_key(ctx, OPERATOR, DOMAIN, algorithm="ed25519")
    (signing,) = (await load_snapshot(ctx.db, NOW_MS)).signing_keys[DOMAIN]
    assert signing.selector == "ed25519202511"
    listed = await keys.list_keys(ctx, OPERATOR, DOMAIN)
    assert [(key.selector, key.state) for key in listed] == [
        ("ed25519202511", "active"),
        ("ed25519202511-2", "pending"),
    ]
    await domains.add_domain(ctx, OPERATOR, "b.vn", postmaster="op@b.vn")
    assert (
        await keys.generate_key(ctx, OPERATOR, "b.vn", selector="S1", algorithm="ed25519")
    ).state == "active"


@pytest.mark.parametrize(
    ("domain", "selector", "algorithm", "detail"),
    [
        ("nowhere.vn", None, "ed25519", "no such domain"),
        (DOMAIN, "../evil", "ed25519", "not a selector"),
        (DOMAIN, "a.b", "ed25519", "not a selector"),
        (DOMAIN, "", "ed25519", "not a selector"),
        (DOMAIN, None, "dsa", "no algorithm"),
        (DOMAIN, "ed25519202511", "ed25519", "already"),
        ("../etc", None, "ed25519", "not a domain name"),
    ],
)
async def test_bad_keys_leave_no_row_and_no_file(
    ctx: AdminContext, domain: str, selector: str | None, algorithm: str, detail: str
) -> None:
    before, there = state(ctx), files(ctx.settings.data_dir / "keys")
    with pytest.raises(AdminError, match=detail):
        await keys.generate_key(ctx, OPERATOR, domain, selector=selector, algorithm=algorithm)
    assert state(ctx) == before
    assert files(ctx.settings.data_dir / "keys") == there


async def test_a_key_that_an_interrupted_run_left_is_used_not_overwritten(ctx: AdminContext) -> None:
    left = dkim_files.generate("ed25519")
    dkim_files.keep(ctx.settings.data_dir, dkim_files.file_of(DOMAIN, "s9", "ed25519"), left)
    made = await keys.generate_key(ctx, OPERATOR, DOMAIN, selector="s9", algorithm="ed25519")
    assert made.public_key == dkim_files.public_text(left)


async def test_an_unreadable_key_file_is_left_alone(ctx: AdminContext) -> None:
    path = ctx.settings.data_dir / dkim_files.file_of(DOMAIN, "s9", "ed25519")
    path.write_text("not a key")
    with pytest.raises(AdminError, match="cannot be used"):
        await keys.generate_key(ctx, OPERATOR, DOMAIN, selector="s9", algorithm="ed25519")
    assert path.read_text() == "not a key"
