"""Agencies and accounts in and out as a file: all of it or nothing, each bad row named."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import replace
from datetime import date

import pytest

from mailgov.admin import accounts, agencies, agency_changes, aliases, directory_files, domains
from mailgov.admin.accounts import NewAccount
from mailgov.admin.context import AdminContext
from mailgov.admin.directory_files import BadRows, FirstPassword, Imported
from mailgov.admin.errors import AdminError
from mailgov.identity.passwords import matches_first
from mailgov.ops.first_key import first_key
from mailgov.store.accounts import Post
from mailgov.store.audit import verify
from tests.unit.admin.province import OPERATOR, SNV_ADMIN, at, state

HEAD = "code;address;name;level;parent;kind;agency;class;from;until;state;citizen_desk;mailbox;sample"


def file(*rows: str, head: str = HEAD) -> bytes:
    return ("\ufeff" + "\r\n".join((head, *rows)) + "\r\n").encode()


async def bring(ctx: AdminContext, *rows: str, head: str = HEAD) -> Imported:
    return await directory_files.import_directory(ctx, OPERATOR, file(*rows, head=head))


async def bad_rows(ctx: AdminContext, *rows: str) -> dict[int, str]:
    """The reasons by line, the same for a preview as for the import, which changes nothing."""
    before = state(ctx)
    with pytest.raises(BadRows) as raised:
        await bring(ctx, *rows)
    assert state(ctx) == before
    assert (await directory_files.show_import(ctx, OPERATOR, file(*rows))).bad == list(raised.value.bad)
    assert raised.value.detail.startswith(f"{len(raised.value.bad)} of ")
    return {bad.line: bad.reason for bad in raised.value.bad}


async def test_agencies_and_accounts_come_in_whatever_their_order(ctx: AdminContext) -> None:
    done = await bring(
        ctx,
        f";{at('hoapt')};  Phạm Thị  Hoa;;;personal;XA1;cong_chuc;01/01/2026;;;;;",
        f";{at('xa1')};Xã Một;;;shared;xa1;;;;;;;",
        f";{at('nghiem')};Nghiêm;;;;;;;;disabled;;;",
        f";{at('motcua')};Một cửa;;;functional;xa1;;;;open;x;;",
        f"xa1;;Xã Một;commune;huyen;;;;;;;;{at('xa1')};",
        "huyen;;Huyện;district;SNV;;;;;2027-01-01;;;;",
    )
    assert (done.rows, done.agencies, done.accounts, done.unchanged) == (6, 2, 4, 0)
    hoa = await accounts.show_account(ctx, OPERATOR, at("hoapt"))
    assert (hoa.display_name, hoa.kind) == ("Phạm Thị Hoa", "personal")
    assert hoa.posts == (Post("xa1", "cong_chuc", date(2026, 1, 1), None),)
    assert (hoa.has_password, hoa.must_change_password) == (True, True)
    off = await accounts.show_account(ctx, OPERATOR, at("nghiem"))
    assert (off.suspended_ms is None, off.has_password, off.posts) == (False, False, ())
    assert (await accounts.show_account(ctx, OPERATOR, at("motcua"))).citizen_desk
    xa1 = (await agencies.show_agency(ctx, OPERATOR, "xa1")).spans[0]
    assert (xa1.level, xa1.parent_code, xa1.mailbox) == ("commune", "huyen", at("xa1"))
    assert (await agencies.show_agency(ctx, OPERATOR, "huyen")).spans[0].parent_code == "snv"
    assert {one.address for one in done.passwords} == {at("hoapt"), at("xa1"), at("motcua")}


async def test_first_passwords_open_the_accounts_and_are_nowhere_else(ctx: AdminContext) -> None:
    done = await bring(ctx, f";{at('a')};A;;;;;;;;;;;", f";{at('b')};B;;;;;;;;;;;")
    rows = {row[1]: row for row in state(ctx).tables["account"]}
    key = first_key(ctx.settings.data_dir, ctx.random)
    for address, password in done.passwords:
        (stored,) = (value for value in rows[address] if str(value).startswith("first$"))
        assert matches_first(key, stored, password)
        assert password not in str(state(ctx))
        assert password not in repr(done)
    assert len({one.password for one in done.passwords}) == 2


async def test_the_audit_row_says_what_came_from_which_file(ctx: AdminContext) -> None:
    data = file("xa1;;Xã Một;commune;;;;;;;;;;", f";{at('a')};A;;;;;;;;;;;")
    await directory_files.import_directory(ctx, OPERATOR, data)
    row = state(ctx).tables["audit"][-1]
    content = next(json.loads(value) for value in row if str(value).startswith("{"))
    assert content == {
        "accounts": [at("a")],
        "agencies": ["xa1"],
        "placed": [],
        "file_sha256": hashlib.sha256(data).hexdigest(),
        "rows": 2,
        "unchanged": 0,
    }
    assert (await verify(ctx.db)).problems == []


async def test_what_is_given_out_comes_in_again_as_the_same(ctx: AdminContext) -> None:
    await agency_changes.rename_agency(ctx, OPERATOR, "snv", on=date(2025, 1, 1), name='=HYPERLINK("x")')
    await accounts.move_account(ctx, OPERATOR, at("annv"), agency="stc", on=date(2025, 6, 1))
    await accounts.disable_account(ctx, OPERATOR, at("binhtt"))
    await accounts.add_account(ctx, OPERATOR, NewAccount(at("ai"), "@ai, 'gì' \"đó\"", sample=True))
    out = await directory_files.export_directory(ctx, OPERATOR)
    assert (out.agencies, out.accounts) == (4, 6)
    assert "\r\n=" not in out.text
    assert ";=" not in out.text
    assert ";@" not in out.text
    before = state(ctx)
    again = await directory_files.import_directory(ctx, OPERATOR, out.text.encode())
    assert (again.agencies, again.accounts, again.unchanged) == (0, 0, 10)
    after = state(ctx)
    assert {name for name in before.tables if before.tables[name] != after.tables[name]} == {
        "audit",
        "directory_state",
    }
    assert (await directory_files.export_directory(ctx, OPERATOR)).text == out.text


async def test_each_bad_row_is_named_with_its_line_and_reason(ctx: AdminContext) -> None:
    await aliases.add_alias(ctx, OPERATOR, at("ld"), to=[at("annv")])
    await domains.add_domain(ctx, OPERATOR, "off.vn", postmaster=at("operator"))
    await domains.disable_domain(ctx, OPERATOR, "off.vn")
    found = await bad_rows(
        ctx,
        f";{at('fine')};Fine;;;;;;;;;;;",  # line 2
        f"x;{at('x')};Both;;;;;;;;;;;",
        ";;Neither;;;;;;;;;;;",
        f";{at('x1')};;;;;;;;;;;;",
        "k;;Agency;;;;snv;;;;;;;",
        f";{at('x2')};Account;province;;;;;;;;;;",
        ";x@elsewhere.vn;Elsewhere;;;;;;;;;;;",
        ";x@off.vn;Off;;;;;;;;;;;",
        f";{at('đức')};Đức;;;;;;;;;;;",
        f";{at('postmaster')};P;;;;;;;;;;;",
        f";{at('ld')};Lãnh đạo;;;;;;;;;;;",  # line 12
        f";{at('x3')};X;;;;nowhere;khac;;;;;;",
        f";{at('x4')};X;;;;snv;boss;;;;;;",
        f";{at('x5')};X;;;;snv;;;;;;;",
        f";{at('x6')};X;;;shared;snv;khac;;;;;;",
        f";{at('x7')};X;;;robot;;;;;;;;",
        f";{at('x8')};X;;;;snv;khac;30/02/2026;;;;;",
        f";{at('x9')};X;;;;snv;khac;2026-02-01;2026-02-01;;;;",
        f";{at('x10')};X;;;;;;;2026-02-01;;;;",
        f";{at('x11')};X;;;;;;;;;perhaps;;",
        f";{at('x12')};X;;;;;;;;gone;;;",  # line 22
        f";{at('annv')};Someone else;;;;snv;cong_chuc;;;;;;",
        "SNV;;Sở;;;;;;;;;;;",
        "snv;;Sở Nội vụ mới;;;;;;;;;;;",
        "y;;Y;kingdom;;;;;;;;;;",
        "z;;Z;commune;nowhere;;;;;;;;;",
        "w;;W;commune;w;;;;;;;;;",
        f";{at('x13')};X;;;;late;khac;2026-01-01;;;;;",
        "late;;Muộn;commune;;;;;2026-06-01;;;;;",
        f";{at('x14')};<script>;;;;y;khac;;;;;;",  # line 31: y's own row says what is wrong
        "m;;M;commune;;;;;;;;;m@off.vn;",
        f";{at('x15')};X;;;;n;khac;;;;;;;x",  # line 33: a separator too many
        "n;;N;commune;;;;;;;;;;;;x",
        f";{at('x16')};{'X' * 10_001};;;;;;;;;;;",
    )
    for line, reason in {
        3: "either a code",
        4: "either a code",
        5: "name is missing",
        6: "an agency has no agency",
        7: "an account has no level",
        8: "no such domain: elsewhere.vn",
        9: "off.vn is disabled",
        10: "ASCII",
        11: "reserved",
        12: "it is an alias already",
        13: "no such agency: nowhere",
        14: "class of persons",
        15: "together",
        16: "no one person",
        17: "no kind of account",
        18: "from: '30/02/2026' is not a day",
        19: "no day in it",
        20: "needs an agency",
        21: "neither yes nor no",
        22: "no state",
        23: "annv@caobang.gov.vn is there already, otherwise: name is 'Nguyễn Văn An', not 'Someone else';"
        " change it by `mailgov account edit annv@caobang.gov.vn`",
        24: "differ in case alone",
        25: "snv is there already, otherwise: name is 'Sở Nội vụ', not 'Sở Nội vụ mới';"
        " change it by `mailgov agency change snv`",
        26: "no level",
        27: "no such agency: nowhere",
        28: "above itself",
        29: "late does not exist on 2026-01-01",
        32: "off.vn is disabled",
        33: "15 cells where the header has 14",
        34: "16 cells where the header has 14",
        35: "name: more than 10000 characters",
    }.items():
        assert reason in found.pop(line), line
    assert found == {}


async def test_rows_that_contradict_each_other(ctx: AdminContext) -> None:
    found = await bad_rows(
        ctx,
        f";{at('a')};A;;;;snv;khac;;2026-01-01;;;;",
        f";{at('a')};A;;;;stc;khac;2026-01-01;;;;;",  # its second post
        f";{at('b')};B;;;;snv;khac;;;;;;",
        f";{at('b')};B;;;;stc;khac;2026-01-01;;;;;",
        f";{at('c')};C;;;;snv;khac;;;;;;",
        f";{at('c')};Another;;;;stc;khac;;;;;;",
        f";{at('d')};D;;;;;;;;;;;",
        f";{at('d')};D;;;;;;;;;;;",
        "x;;X;commune;;;;;;2026-01-01;;;;",
        "x;;X mới;commune;;;;;2025-01-01;;;;;",
        "X;;X;commune;;;;;2027-01-01;;;;;",
        "z;;Z;commune;;;;;;;;;;",
        "z;;Z;commune;;;;;;;;;;",
        f";{at('e')};E;;;;snv;khac;;;;;;",  # line 15
        f";{at('E')};E;;;;SNV;khac;;;;;;",
        f";{at('e')};E;;;;snv;khac;;;;;;",
        f";{at('f')};F;;;;;;;;;;;",
        f";{at('f')};F;;;;snv;khac;;;;;;",
    )
    twice = "same as line {}: leave one of them out"
    assert {line: reason.partition(" ")[2] for line, reason in found.items()} == {
        5: "serves elsewhere on some of these days: see line 4",
        7: "stands in line 6 already, as another holder",
        9: twice.format(8),
        11: "agency x stands in line 10 already on some of these days",
        12: "and x differ in case alone: they would be one agency",
        14: twice.format(13),
        16: twice.format(15),
        17: twice.format(15),
        19: "stands in line 18 already, and one of the two has no agency",
    }


async def test_an_account_without_any_post_gets_those_of_the_file(ctx: AdminContext) -> None:
    await accounts.add_account(ctx, OPERATOR, NewAccount(at("ai"), "Ai"))
    rows = (
        f";{at('ai')};Ai;;;;snv;khac;;2026-01-01;;;;",
        f";{at('ai')};Ai;;;;xa1;cong_chuc;2026-01-01;;;;;",
        "xa1;;Xã Một;commune;;;;;2025-06-01;;;;;",
    )
    before = await accounts.show_account(ctx, OPERATOR, at("ai"))
    done = await bring(ctx, *rows)
    assert (done.accounts, done.placed, done.passwords) == (0, 1, ())
    after = await accounts.show_account(ctx, OPERATOR, at("ai"))
    assert after == replace(
        before,
        posts=(
            Post("snv", "khac", None, date(2026, 1, 1)),
            Post("xa1", "cong_chuc", date(2026, 1, 1), None),
        ),
    )
    assert (await bring(ctx, *rows)).unchanged == 2
    await accounts.add_account(ctx, OPERATOR, NewAccount(at("kia"), "Kia"))
    assert await bad_rows(
        ctx,
        f";{at('kia')};Khác;;;;snv;khac;;;;;;",
        f";{at('operator')};Quản trị thư caobang.gov.vn;;;functional;xa1;;2025-01-01;;;;;",
    ) == {
        2: f"{at('kia')} is there already, otherwise: name is 'Kia', not 'Khác';"
        f" change it by `mailgov account edit {at('kia')}`",
        3: "the agency xa1 does not exist on 2025-01-01",
    }


async def test_what_stands_otherwise_says_what_stands_and_what_changes_it(ctx: AdminContext) -> None:
    await accounts.move_account(ctx, OPERATOR, at("binhtt"), agency="snv", on=date(2026, 1, 1))
    found = await bad_rows(
        ctx,
        "snv;;Sở;commune;stc;;;;2026-01-01;;;;x@example.org;",
        "stc;;Sở Tài chính;;;;;;;2027-01-01;;;;",
        f";{at('annv')};Nguyễn Văn An;;;shared;;;;;disabled;x;;",
        f";{at('binhtt')};Trần Thị Bình;;;;stc;vien_chuc;;;;;;",
        f";{at('snv')};Sở Nội vụ;;;shared;snv;;;;;;;x",
    )
    assert found == {
        2: "the agency snv is there already, otherwise: name is 'Sở Nội vụ', not 'Sở', level is 'province',"
        " not 'commune', parent is empty, not 'stc', mailbox is empty, not 'x@example.org', from is empty,"
        " not '2026-01-01'; change it by `mailgov agency change snv --from 2026-01-01`",
        3: "the agency stc is there already, otherwise: until is empty, not '2027-01-01';"
        " change it by `mailgov agency close stc`",
        4: f"{at('annv')} is there already, otherwise: kind is 'personal', not 'shared', citizen_desk is no,"
        " not yes, state is 'open', not 'disabled', agency is 'snv as cong_chuc', not empty;"
        f" change it by `mailgov account edit {at('annv')}` and `mailgov account disable {at('annv')}`"
        f" and `mailgov account move {at('annv')}`",
        5: f"{at('binhtt')} is there already, otherwise: agency is 'stc as vien_chuc until 2026-01-01 then"
        " snv as vien_chuc from 2026-01-01', not 'stc as vien_chuc';"
        f" change it by `mailgov account move {at('binhtt')}`",
        6: f"{at('snv')} is there already, otherwise: sample is no, not yes; nothing changes that",
    }


async def test_no_agency_comes_in_above_itself(ctx: AdminContext) -> None:
    found = await bad_rows(
        ctx,
        "a;;A;commune;b;;;;;;;;;",
        "b;;B;commune;C;;;;;;;;;",
        "c;;C;commune;a;;;;;;;;;",
        "d;;D;commune;a;;;;;;;;;",  # below the circle, not of it
        "e;;E;commune;f;;;;;2026-01-01;;;;",
        "f;;F;commune;e;;;;2026-01-01;;;;;",  # from the day on that e is no more
    )
    assert {line: reason.rpartition(": ")[2] for line, reason in found.items()} == {
        2: "a below b below c below a",
        3: "b below c below a below b",
        4: "c below a below b below c",
    }


async def test_posts_one_after_another_and_spans_that_follow(ctx: AdminContext) -> None:
    await bring(
        ctx,
        f";{at('a')};A;;;;x;khac;;2026-01-01;;;;",
        f";{at('a')};A;;;;stc;vien_chuc;2026-01-01;;;;;",
        "x;;X;commune;;;;;;2026-01-01;;;;",
        "x;;X mới;commune;;;;;2026-01-01;;;;;",
    )
    assert (await accounts.show_account(ctx, OPERATOR, at("a"))).posts == (
        Post("x", "khac", None, date(2026, 1, 1)),
        Post("stc", "vien_chuc", date(2026, 1, 1), None),
    )
    assert [span.name for span in (await agencies.show_agency(ctx, OPERATOR, "x")).spans] == ["X", "X mới"]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"address,nonsense\nx,y\n", "nonsense"),
        ("address,name\nx@y.vn,Đ\n".encode("utf-16"), "UTF-8"),
        (b'address,name\n"x,y\n', "line"),
    ],
)
async def test_what_is_no_such_file(ctx: AdminContext, data: bytes, says: str) -> None:
    before = state(ctx)
    with pytest.raises(AdminError, match=says):
        await directory_files.import_directory(ctx, OPERATOR, data)
    assert state(ctx) == before


async def test_a_file_of_bad_rows_is_refused_while_somebody_writes(ctx: AdminContext) -> None:
    """Judging it takes no turn of the writers': ever so many bad rows keep nobody waiting."""
    async with ctx.db.write():
        with pytest.raises(BadRows):
            await asyncio.wait_for(bring(ctx, f";{at('a')};A;;;nonsense;;;;;;;;"), 30)


async def test_passwords_that_cannot_be_kept_undo_the_import(ctx: AdminContext) -> None:
    def full(_passwords: object) -> None:
        raise OSError(28, "No space left on device")

    before = state(ctx)
    with pytest.raises(OSError, match="No space"):
        await directory_files.import_directory(ctx, OPERATOR, file(f";{at('a')};A;;;;;;;;;;;"), deliver=full)
    assert state(ctx) == before


async def test_without_passwords_nobody_signs_in_yet(ctx: AdminContext) -> None:
    done = await directory_files.import_directory(
        ctx, OPERATOR, file(f";{at('a')};A;;;;;;;;;;;"), passwords=False
    )
    assert done.passwords == ()
    assert not (await accounts.show_account(ctx, OPERATOR, at("a"))).has_password


async def test_only_the_province_brings_in_and_gives_out(ctx: AdminContext) -> None:
    data = file(f";{at('a')};A;;;;;;;;;;;")
    for ask in (
        directory_files.import_directory(ctx, SNV_ADMIN, data),
        directory_files.show_import(ctx, SNV_ADMIN, data),
        directory_files.export_directory(ctx, SNV_ADMIN),
    ):
        with pytest.raises(AdminError) as raised:
            await ask
        assert raised.value.status == 403


async def test_ten_thousand_accounts_take_seconds(ctx: AdminContext) -> None:
    rows = [f";{at(f'nv{n}')};Nguyễn Văn {n};;;;x{n % 100};cong_chuc;2026-01-01;;;;;" for n in range(10_000)]
    rows += [f"x{n};;Xã {n};commune;;;;;;;;;;" for n in range(100)]
    told: list[tuple[str, int, int]] = []
    began_s = time.monotonic()
    done = await directory_files.import_directory(
        ctx, OPERATOR, file(*rows), progress=lambda *step: told.append(step)
    )
    assert time.monotonic() - began_s < 30
    assert (done.agencies, done.accounts, len(set(done.passwords))) == (100, 10_000, 10_000)
    assert told[0] == ("reading rows", 500, 10_100)
    assert told[-1] == ("writing accounts", 10_000, 10_000)
    assert isinstance(done.passwords[0], FirstPassword)
