"""From the texts of the policy files to a compiled policy, or to the first fault in them."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from mailgov.mail.document import Vocabulary, VocabularyError
from mailgov.policy.directives import Directive, read_directive, with_numbers
from mailgov.policy.engine import Policy, compile_steps, steps_by_listener
from mailgov.policy.errors import PolicyError
from mailgov.policy.providers import Providers
from mailgov.policy.rules import Rule, read_exceptions, read_rules
from mailgov.policy.selftest import run_tests
from mailgov.policy.source import Reader, Source, suggest

REQUIRED = ("rules.toml", "exceptions.toml", "providers.toml", "document_types.toml")
DIRECTIVES = "directives/"
NO_NUMBERS: Mapping[str, str] = MappingProxyType({})
NOTHING: Mapping[str, Collection[str]] = MappingProxyType({})


def load(
    files: Mapping[str, str],
    *,
    directive_numbers: Mapping[str, str] = NO_NUMBERS,
    adopted: Mapping[str, Collection[str]] = NOTHING,
    directory: str = "policy",
) -> Policy:
    """Compile a policy and run its rules' own tests; raises PolicyError for the first fault.

    `files` maps relative names (`rules.toml`, `directives/cao-bang.toml`) to texts, as
    `read_directory` gives them. `directory` is what faults name the files under.
    `directive_numbers` supplies the numbers that documents' texts lack, by document key. `adopted`
    holds documents' keys by the setting that names them: one that no file describes is a warning.
    """
    sources = _sources(files, directory)
    documents = {stem: _directive(source, stem) for stem, source in _directives(sources).items()}
    _check_obligations(documents, sources)
    documents, warnings = with_numbers(documents, directive_numbers)
    rules_source = sources["rules.toml"]
    rules = read_rules(Reader.of(rules_source), documents)
    exceptions = read_exceptions(Reader.of(sources["exceptions.toml"]), rules)
    steps = compile_steps(rules, exceptions)
    policy = Policy(
        hash=_hash(sources),
        rules=rules,
        exceptions=exceptions,
        directives=MappingProxyType(documents),
        vocabulary=_vocabulary(sources["document_types.toml"]),
        providers=Providers.read(Reader.of(sources["providers.toml"])),
        warnings=(*warnings, *_unknown(adopted, documents), *_secrecy_warnings(rules)),
        steps=steps,
        steps_by_listener=steps_by_listener(steps),
    )
    for result in run_tests(policy):
        if not result.passed:
            problem = f'rule {result.rule}, "{result.name}": {result.problem}'
            raise PolicyError(rules_source.name, result.line, result.place, problem)
    return policy


def _sources(files: Mapping[str, str], directory: str) -> dict[str, Source]:
    for name in REQUIRED:
        if name not in files:
            raise PolicyError(f"{directory}/{name}", None, None, "the file is missing")
    for name in files:
        below = name.removeprefix(DIRECTIVES)
        if name not in REQUIRED and (below == name or "/" in below or not below.endswith(".toml")):
            problem = f"not a policy file{suggest(name, REQUIRED)}"
            raise PolicyError(f"{directory}/{name}", None, None, problem)
    if not any(name.startswith(DIRECTIVES) for name in files):
        raise PolicyError(
            f"{directory}/{DIRECTIVES}", None, None, "holds no document: every rule rests on one"
        )
    return {name: Source(f"{directory}/{name}", text) for name, text in sorted(files.items())}


def _directives(sources: Mapping[str, Source]) -> dict[str, Source]:
    return {
        name.removeprefix(DIRECTIVES).removesuffix(".toml"): source
        for name, source in sources.items()
        if name.startswith(DIRECTIVES)
    }


def _directive(source: Source, stem: str) -> Directive:
    return read_directive(Reader.of(source), stem)


def _check_obligations(documents: Mapping[str, Directive], sources: Mapping[str, Source]) -> None:
    """An id names one obligation of all documents; what another document asks too names a known one."""
    holders: dict[str, str] = {}
    for key, document in documents.items():
        source = sources[f"{DIRECTIVES}{key}.toml"]
        for number, obligation in enumerate(document.obligations):
            place = ("obligation", number)
            first = holders.setdefault(obligation.id, key)
            if first != key:
                problem = f'"{obligation.id}" stands in {DIRECTIVES}{first}.toml too'
                raise source.error((*place, "id"), problem)
            for at, (other, _) in enumerate(obligation.also):
                if other not in documents:
                    problem = f'no document "{other}"{suggest(other, documents)}'
                    raise source.error((*place, "also", at, "directive"), problem)


def _vocabulary(source: Source) -> Vocabulary:
    try:
        return Vocabulary.from_table(source.table)
    except VocabularyError as error:
        raise source.error(error.path, error.problem) from None


def _unknown(adopted: Mapping[str, Collection[str]], documents: Mapping[str, Directive]) -> list[str]:
    return [
        f'{setting} names "{key}", which no file in directives/ describes{suggest(key, documents)}'
        for setting, keys in adopted.items()
        for key in keys
        if key not in documents
    ]


def _secrecy_warnings(rules: tuple[Rule, ...]) -> list[str]:
    """The law leaves no choice here, so a province that switches it off is told at every start."""
    stops = [rule for rule in rules if rule.secrecy_stop]
    if not stops:
        return ["rules.toml: no rule stops messages that bear a mark of secrecy"]
    return [
        f"rules.toml: {rule.id} is in mode {rule.mode}: messages that bear a mark of secrecy pass"
        for rule in stops
        if rule.mode != "enforce"
    ]


def _hash(sources: Mapping[str, Source]) -> str:
    """128 bits of SHA-256 over the tables of all files: comments and layout don't count."""

    def plain(value: Any) -> str:
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        raise TypeError(type(value).__name__)

    tables = {name: source.table for name, source in sources.items()}
    text = json.dumps(tables, ensure_ascii=True, sort_keys=True, separators=(",", ":"), default=plain)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]
