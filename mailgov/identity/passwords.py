"""Passwords: argon2id (RFC 9106) at OWASP's minimum, off the event loop, in constant work.

A check costs one argon2id computation whether the account exists or not, so that neither
time nor load tells a stranger which accounts there are.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import threading
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from mailgov.mail.reply import MailError, Reply

MEMORY_KIB = 19 * 1024
PASSES = 2
LANES = 1
PASSWORD_OCTETS = 1024
"""Longer passwords are refused: argon2 would hash megabytes of a stranger's choosing."""

FIRST_PREFIX = "first$"
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # 32 signs, none of i l o u: 5 bits each
_GENERATED_SIGNS = 20  # 100 bits
_HASHER = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES, type=Type.ID)


class Busy(MailError):
    """Too many password checks wait already; the client may try again (454 4.7.0, RFC 4954 6)."""

    def __init__(self) -> None:
        reply = Reply(454, "4.7.0", "Temporary authentication failure, please try again later")
        super().__init__(reply, "password queue full")


def _octets(password: str) -> bytes | None:
    """NFC in UTF-8, or None for what cannot be anyone's password (over long, not Unicode)."""
    if len(password) > PASSWORD_OCTETS:
        return None
    try:
        octets = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return octets if len(octets) <= PASSWORD_OCTETS else None


def hash_password(password: str) -> str:
    """The password's argon2id hash in PHC form. Raises ValueError over 1024 octets (UTF-8, NFC)."""
    octets = _octets(password)
    if octets is None:
        raise ValueError(f"a password has at most {PASSWORD_OCTETS} octets")
    return _HASHER.hash(octets)


def generate_password(random: Callable[[int], bytes]) -> str:
    """A password of 100 bits, readable aloud: `k3wq-…`, five groups of four. `random(n)` gives n octets."""
    octets = random(_GENERATED_SIGNS)
    signs = "".join(_ALPHABET[octet & 31] for octet in octets)
    return "-".join(signs[at : at + 4] for at in range(0, len(signs), 4))


def first_password_hash(key: bytes, password: str) -> str:
    """A first password's keyed hash, `first$<hex HMAC-SHA256>`: ten thousand take a blink, not minutes.

    For passwords of `generate_password` alone: their 100 bits cannot be guessed at any speed, while
    a person's own choice can. `key` is `ops.first_key`'s. Raises ValueError over 1024 octets.
    """
    octets = _octets(password)
    if octets is None:
        raise ValueError(f"a password has at most {PASSWORD_OCTETS} octets")
    return FIRST_PREFIX + hmac.new(key, octets, hashlib.sha256).hexdigest()


def is_first_hash(stored_hash: str | None) -> bool:
    """True for the hash of a first password: it opens nothing but the place where it is changed."""
    return stored_hash is not None and stored_hash.startswith(FIRST_PREFIX)


def matches_first(key: bytes, stored_hash: str | None, password: str) -> bool:
    """True when `stored_hash` is this first password's; the same work whatever it is."""
    octets = _octets(password)
    made = FIRST_PREFIX + hmac.new(key, octets or b"", hashlib.sha256).hexdigest()
    same = hmac.compare_digest(made.encode(), (stored_hash or "").encode(errors="replace"))
    return same and octets is not None


def _dummy_hash() -> str:
    """A hash with our parameters that no password is known to match."""
    salt, digest = (base64.b64encode(os.urandom(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${digest}"


class _Job(NamedTuple):
    """A check that waits; `answer` is whether the password matches."""

    stored_hash: str
    octets: bytes
    client: str
    answer: Future[bool]


class _Line:
    """Checks that wait, each client's in turn: who sends many waits for himself."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._clients: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._length = 0

    def put(self, job: _Job) -> bool:
        """False where the line is full."""
        if self._length >= self._limit:
            return False
        self._clients.setdefault(job.client, deque()).append(job)
        self._length += 1
        return True

    def take(self) -> _Job | None:
        if not self._clients:
            return None
        client, jobs = self._clients.popitem(last=False)
        job = jobs.popleft()
        if jobs:
            self._clients[client] = jobs
        self._length -= 1
        return job


class PasswordChecker:
    """Checks passwords in threads of its own, with bounded lines in front of them.

    Clients that are known have a line of their own, which is served first: a flood of strangers
    keeps nobody out who has signed in before. In each line the clients take turns.

    `key` (any secret octets of this process) keys a cache of recent successes: an ordinary
    client signs in for every message. An entry is bound to the stored hash, so a changed
    password ends it; failures are never cached. `monotonic` gives seconds.
    """

    def __init__(
        self,
        key: bytes,
        monotonic: Callable[[], float],
        threads: int = 2,
        queue_limit: int = 250,
        cache_size: int = 1000,
        cache_ttl_s: float = 60.0,
    ) -> None:
        self._key = key
        self._monotonic = monotonic
        self._threads = threads
        self._cache_size = cache_size
        self._cache_ttl_s = cache_ttl_s
        self._cache: OrderedDict[bytes, float] = OrderedDict()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._lock = threading.Lock()
        self._known, self._strangers = _Line(queue_limit), _Line(queue_limit)
        self._working = 0
        self._closed = False
        self._dummy = _dummy_hash()

    def remembers(self, stored_hash: str | None, account: str, password: str) -> bool:
        """True when this password was found right a moment ago: `verify` would say so without work."""
        entry = self._entry(stored_hash, account, _octets(password))
        return entry is not None and self._cached(entry)

    async def verify(
        self, stored_hash: str | None, account: str, password: str, *, client: str = "", known: bool = False
    ) -> bool:
        """True when the password is the account's.

        `stored_hash` None stands for an account that is unknown, suspended or without a
        password: False after the same work. `client` is who asks, and `known` whether somebody
        has signed in from there before. Raises Busy when the line is full.
        """
        octets = _octets(password)
        entry = self._entry(stored_hash, account, octets)
        if entry is not None and self._cached(entry):
            return True
        usable = stored_hash is not None and octets is not None
        hashed = stored_hash if usable and stored_hash else self._dummy
        job = _Job(hashed, octets or b"", client, Future())
        self._begin(job, self._known if known else self._strangers)
        # The work is done though the caller stops waiting: a client that hangs up early must not
        # make room for the next one.
        matches = await asyncio.shield(asyncio.wrap_future(job.answer))
        if not (matches and usable):
            return False
        if entry is not None:
            self._remember(entry)
        return True

    def close(self) -> None:
        """Lets running checks end and drops the queued ones."""
        with self._lock:
            self._closed = True
            for line in (self._known, self._strangers):
                while job := line.take():
                    job.answer.cancel()
        self._pool.shutdown(wait=True)

    def _entry(self, stored_hash: str | None, account: str, octets: bytes | None) -> bytes | None:
        if stored_hash is None or octets is None:
            return None
        digest = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in (stored_hash.encode(), account.encode(errors="replace"), octets):
            digest.update(len(part).to_bytes(4, "big") + part)
        return digest.digest()

    def _cached(self, entry: bytes) -> bool:
        since = self._cache.get(entry)
        if since is None:
            return False
        if self._monotonic() - since < self._cache_ttl_s:
            return True
        del self._cache[entry]
        return False

    def _remember(self, entry: bytes) -> None:
        self._cache[entry] = self._monotonic()
        self._cache.move_to_end(entry)
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)

    def _begin(self, job: _Job, line: _Line) -> None:
        """Work on it where a thread is free; let it wait otherwise. Raises Busy."""
        with self._lock:
            if self._closed:
                raise Busy
            if self._working >= self._threads:
                if not line.put(job):
                    raise Busy
                return
            self._working += 1
            self._pool.submit(self._work, job)

    def _work(self, job: _Job) -> None:
        """Answer it, then whoever is next."""
        following: _Job | None = job
        while following is not None:
            try:
                following.answer.set_result(_matches(following.stored_hash, following.octets, self._dummy))
            except Exception as error:  # noqa: BLE001 - the caller's to handle; the thread goes on
                following.answer.set_exception(error)
            with self._lock:
                following = self._known.take() or self._strangers.take()
                if following is None:
                    self._working -= 1


def _matches(stored_hash: str, octets: bytes, dummy: str) -> bool:
    try:
        return _HASHER.verify(stored_hash, octets)
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError):
        # Damaged in the ledger, and refused before any work: no way in, but the same work.
        return stored_hash != dummy and _matches(dummy, octets, dummy) and False
