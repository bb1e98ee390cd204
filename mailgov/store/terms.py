"""What traffic records are searched by: a row for each word, with the record's place in time.

A word stands once for each message, so a search reads one run of the table's key, newest first,
and stops when the page is full, be the word rare or frequent. What nearly every message has
(`pass`, `clean`, `ham`) gets no row. Of a stop for secrecy only the rule that stopped it is
kept: its record shows no more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from typing import Any

from mailgov.mail.address import key_of
from mailgov.store.fold import Fold

ADDRESS_LIMIT = 320
"""Characters of an address; PostgreSQL's keys hold some 2700 octets."""
COMMON = frozenset({"pass", "clean", "ham"})
RESULTS = ("spf", "dkim", "dmarc", "malware", "spam")


def of_message(row: Mapping[str, Any]) -> set[str]:
    """The words of a row of `message`, without those of its decisions."""
    if row["secrecy"] is not None and row["verdict"] == "rejected" and row["source"] is None:
        return set()
    found = {message_id(row["message_id"])} if row["message_id"] else set()
    if row["account"] is None:
        found.update(_senders(row))
    found.update(f"risk:{risk}" for risk in row["risks"])
    for name in RESULTS:
        word = (row[name] or "").partition(" ")[0]
        if word and word not in COMMON:
            found.add(result(name, word))
    return found


def of_decision(row: Mapping[str, Any]) -> set[str]:
    """The words of a row of `decision`, for its message."""
    return set(_decided(row))


def rows(fold: Fold, new: Container[str]) -> list[dict[str, Any]]:
    """The rows of `message_term` that a batch adds; messages have their ids, `new` are those just told."""
    words = {
        queue_id: of_message(row) if queue_id in new else set() for queue_id, row in fold.messages.items()
    }
    for decision in fold.decisions.values():
        words[decision["queue_id"]] |= of_decision(decision)
    return [
        {"term": word, "at_ms": message["at_ms"], "message_row": message["id"]}
        for queue_id, message in fold.messages.items()
        for word in words[queue_id]
    ]


def sender(text: str) -> str:
    """The word for who wrote from outside: an address, or a domain with or without its `@`."""
    address = text.strip().removeprefix("<").removesuffix(">")
    local, at, domain = address.rpartition("@")
    if at and local:
        return f"from:{key_of(address)}"
    return f"from:@{key_of(f'x@{domain}').rpartition('@')[2]}"


def message_id(text: str) -> str:
    """The word for a Message-ID, with or without its brackets."""
    bare = text.strip().removeprefix("<").removesuffix(">")
    return f"id:{hashlib.sha256(bare.encode('utf-8', 'replace')).hexdigest()[:32]}"


def result(name: str, word: str) -> str:
    """The word for what was found: `spf`, `dkim`, `dmarc`, `malware` or `spam`, and one of its words."""
    return f"{name}:{word}"


def rule(rule_id: str | None, decision: str | None) -> str:
    """The word for a decision (`reject`, `accept`, `would-reject`), by that rule, or both."""
    return f"rule:{rule_id or ''}:{decision or ''}"


def _senders(row: Mapping[str, Any]) -> Iterator[str]:
    authors = (row["author"] or "").split(", ")
    for address in {row["reverse_path"] or "", *authors}:
        local, at, domain = address.rpartition("@")
        if local and at and domain and len(address) <= ADDRESS_LIMIT:
            yield sender(address)
            yield sender(domain)


def _decided(row: Mapping[str, Any]) -> Iterator[str]:
    named: list[tuple[str, str]] = [(one, "would-reject") for one in watched(row)]
    if row["rule"] and not (row["outcome"] == "accept" and row["mode"] == "monitor"):
        named.append((row["rule"], row["outcome"]))
    for rule_id, decision in named:
        yield from (rule(rule_id, decision), rule(rule_id, None), rule(None, decision))


def watched(row: Mapping[str, Any]) -> list[str]:
    """Rules in monitor mode that would have rejected; of an old record, the rule that it names."""
    if row["watched"] is not None:
        return list(row["watched"])
    lone = row["rule"] and row["outcome"] == "accept" and row["mode"] == "monitor"
    return [row["rule"]] if lone else []
