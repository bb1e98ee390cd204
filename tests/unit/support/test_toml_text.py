from __future__ import annotations

import tomllib

from tests.support.toml_text import merged, to_toml


def test_what_is_written_reads_back() -> None:
    table = {
        "hostname": "mail.caobang.gov.vn",
        "size": 3,
        "ratio": 0.5,
        "on": True,
        "schedule": [1, 2.5],
        "smtp": {
            "mx": "127.0.0.1:2525",
            "trusted": [{"listen": "a:1", "networks": ["127.0.0.0/8"]}, {"listen": "b:2"}],
        },
        "delivery": {"routes": {"*": "smtp:127.0.0.1:2600", "example.org": 'quoted "ừ"'}, "list": []},
    }
    assert tomllib.loads(to_toml(table)) == table


def test_none_leaves_a_key_out() -> None:
    assert to_toml({"a": None, "b": 1}) == "b = 1\n"


def test_tables_are_merged_and_lists_replaced() -> None:
    base = {"smtp": {"mx": "a:1", "trusted": [1, 2]}, "dns": {}}
    over = {"smtp": {"trusted": [3]}, "dns": {"nameservers": ["x:1"]}}
    assert merged(base, over) == {"smtp": {"mx": "a:1", "trusted": [3]}, "dns": {"nameservers": ["x:1"]}}
    assert base["smtp"] == {"mx": "a:1", "trusted": [1, 2]}
