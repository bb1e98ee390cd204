"""Examples of the directory that the interface's description shows, by the name of the schema."""

from __future__ import annotations

from pydantic import JsonValue

Example = dict[str, JsonValue]

_MADE = "2026-11-21T18:00:01.004+07:00"
_DOMAIN: Example = {
    "name": "caobang.gov.vn",
    "state": "in_use",
    "created_at": _MADE,
    "disabled_at": None,
}
_SPAN: Example = {
    "code": "snv",
    "name": "Sở Nội vụ",
    "level": "province",
    "abbreviation": "SNV",
    "parent": None,
    "mailbox": "snv@caobang.gov.vn",
    "own_sector_mail": False,
    "valid_from": None,
    "valid_until": None,
    "sample": False,
}
_SUCCESSION: Example = {"from_code": "sldtbxh", "to_code": "snv", "on": "2025-03-01"}
_AGENCY: Example = {"code": "snv", "spans": [_SPAN], "successions": [_SUCCESSION], "registered": []}
_ACCOUNT: Example = {
    "address": "hoapt@caobang.gov.vn",
    "display_name": "Phạm Thị Hoa",
    "kind": "personal",
    "state": "open",
    "must_change_password": True,
    "citizen_desk": False,
    "agency": "snv",
    "person_class": "cong_chuc",
    "posts": [
        {"agency": "snv", "person_class": "cong_chuc", "valid_from": "2026-01-01", "valid_until": None}
    ],
    "grants": ["snv@caobang.gov.vn"],
    "registered": [],
    "seats": [{"role": "clerk", "agency": "snv"}],
    "sending_limits": {
        "messages_per_hour": None,
        "messages_per_day": 2000,
        "recipients_per_day": None,
        "new_recipients_per_day": None,
    },
    "created_at": _MADE,
    "sample": False,
}
_ALIAS: Example = {
    "address": "ld-snv@caobang.gov.vn",
    "kind": "alias",
    "targets": ["hoapt@caobang.gov.vn"],
    "created_at": _MADE,
}
_GROUP: Example = {
    "address": "all-snv@caobang.gov.vn",
    "members": ["annv@caobang.gov.vn", "hoapt@caobang.gov.vn"],
    "created_at": _MADE,
}
_KEY: Example = {
    "domain": "caobang.gov.vn",
    "selector": "rsa202611",
    "algorithm": "rsa",
    "state": "active",
    "record_name": "rsa202611._domainkey.caobang.gov.vn",
    "record_value": "v=DKIM1; k=rsa; p=MIIB…",
    "created_at": _MADE,
    "standing": "published",
    "standing_detail": "",
    "checked_at": _MADE,
    "published_since": _MADE,
    "active_at": _MADE,
    "retired_at": None,
    "withdraw_at": None,
}
_TOKEN: Example = {
    "id": 3,
    "name": "giám sát",
    "role": "agency_admin",
    "agency": "snv",
    "created_at": _MADE,
    "expires_at": "2027-11-21T18:00:01.004+07:00",
    "revoked_at": None,
    "last_used_at": None,
}


def _page(item: Example) -> Example:
    return {"items": [item], "next": None}


EXAMPLES: dict[str, Example] = {
    "DomainPage": _page(_DOMAIN),
    "DomainDetailBody": {**_DOMAIN, "accounts": 812, "aliases": 40, "selectors": ["rsa202611"]},
    "NewDomain": {"name": "huyenmot.gov.vn", "postmaster": "quantri@huyenmot.gov.vn"},
    "AgencyPage": _page(_SPAN),
    "AgencyBody": _AGENCY,
    "MergerBody": {"agency": _AGENCY, "moved": ["hoapt@caobang.gov.vn"], "left": [], "below": []},
    "NewAgency": {"code": "snv", "name": "Sở Nội vụ", "level": "province", "abbreviation": "SNV"},
    "Renaming": {"name": "Sở Nội vụ và Lao động", "on": "2025-03-01"},
    "AgencyEdit": {"parent": "snv", "level": "district", "own_sector_mail": True, "on": "2026-01-01"},
    "Closing": {"on": "2025-03-01", "reason": "Nghị quyết 12/NQ-HĐND"},
    "Merging": {"into": ["snv"], "on": "2025-03-01"},
    "OutsideAddress": {"address": "hoa@example.org"},
    "AccountPage": _page(_ACCOUNT),
    "AccountBody": _ACCOUNT,
    "NewAccountBody": {**_ACCOUNT, "first_password": "k3wq-8m2x-rt5v-h0zn-p9sd"},
    "FirstPassword": {"address": "hoapt@caobang.gov.vn", "first_password": "k3wq-8m2x-rt5v-h0zn-p9sd"},
    "NewAccountAsked": {
        "address": "hoapt@caobang.gov.vn",
        "display_name": "Phạm Thị Hoa",
        "agency": "snv",
        "person_class": "cong_chuc",
    },
    "AccountEdit": {"display_name": "Phạm Thị Hòa"},
    "Granting": {"address": "snv@caobang.gov.vn"},
    "Moving": {"agency": "stc", "on": "2026-01-01"},
    "LimitsAsked": {"messages_per_day": 2000},
    "SeatAsked": {"role": "clerk", "agency": "snv"},
    "AliasPage": _page(_ALIAS),
    "AliasBody": _ALIAS,
    "NewAlias": {"address": "ld-snv@caobang.gov.vn", "targets": ["hoapt@caobang.gov.vn"]},
    "Targets": {"targets": ["annv@caobang.gov.vn"]},
    "Target": {"target": "annv@caobang.gov.vn"},
    "GroupPage": _page(_GROUP),
    "GroupBody": _GROUP,
    "NewGroup": {"address": "all-snv@caobang.gov.vn", "members": ["hoapt@caobang.gov.vn"]},
    "Members": {"members": ["annv@caobang.gov.vn"]},
    "Member": {"member": "annv@caobang.gov.vn"},
    "DkimKeyPage": _page(_KEY),
    "DkimKeyBody": _KEY,
    "NewDkimKey": {"domain": "caobang.gov.vn", "algorithm": "rsa"},
    "TokenPage": _page(_TOKEN),
    "TokenBody": _TOKEN,
    "NewTokenBody": {**_TOKEN, "token": "mg_…"},
    "NewTokenAsked": {"name": "giám sát", "role": "agency_admin", "agency": "snv", "days": 365},
}
