"""The services that look into messages. All limits are of one worker."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from mailgov.settings.values import ServiceAddress, ServiceUrl, SwitchedRoom

Failure = Literal["accept", "defer"]
"""What becomes of a message that a service cannot check: taken unchecked, or put off with 451."""
Scanned = Literal["mx", "submission", "trusted"]
Action = Literal["no action", "greylist", "add header", "rewrite subject", "soft reject", "reject"]
"""What rspamd says is to be done with a message."""


class ClamdSettings(SwitchedRoom):
    """Malware, found by ClamAV's clamd; off while there is no address. All limits are of one worker."""

    switch: ClassVar[str] = "address"

    address: ServiceAddress = ""
    """`host:port` or the path of its Unix socket, which spares the network: `/run/clamav/clamd.ctl`."""
    sources: list[Scanned] = ["mx", "submission", "trusted"]
    """Whose mail is looked at: all, for an infected office must not send either."""
    timeout_s: float = Field(60.0, gt=0)
    """For one message, the wait for a place included: a 25 MB archive takes clamd 10 to 20 s, and the client
    waits 10 minutes (RFC 5321 4.5.3.2.6)."""
    failure: Failure = "defer"
    """What becomes of mail that it cannot check. Put off: the sender tries again, nothing is lost, and
    nothing unchecked gets in meanwhile."""
    size_limit_bytes: int = Field(26_214_400, ge=65_536)
    """What is sent of a message: clamd's StreamMaxLength as it is shipped. Of a larger message so much is
    looked at, and without a find it counts as unchecked."""
    concurrency: int = Field(8, ge=1)
    """Messages at once: clamd works on 10 (MaxThreads) as it is shipped."""
    retry_s: float = Field(15.0, gt=0)
    """After three failures in a row it is not asked for this long: each message fails at once instead."""


class RspamdSettings(SwitchedRoom):
    """Spam, told by rspamd over HTTP; off while there is no URL. All limits are of one worker."""

    switch: ClassVar[str] = "url"

    url: ServiceUrl = ""
    """Of its normal worker, such as `http://127.0.0.1:11333`."""
    password_file: Path | None = None
    """A file that holds the password, where that worker asks for one: a secret stands in no settings file."""
    sources: list[Scanned] = ["mx"]
    """Whose mail is looked at: strangers' alone, for what our own people send is theirs, and limits of its
    own bound it."""
    timeout_s: float = Field(20.0, gt=0)
    """For one message, the wait for a place included: rspamd gives its own look-ups 8 s."""
    failure: Failure = "accept"
    """What becomes of mail that it cannot check. Spam that gets through is a nuisance, and mail that waits
    for a filter is one too."""
    size_limit_bytes: int = Field(10_485_760, ge=65_536)
    """A larger message is not sent to it and counts as unchecked: spam is small, sent by the million."""
    concurrency: int = Field(16, ge=1)
    """Messages at once, each on a connection of its own."""
    retry_s: float = Field(15.0, gt=0)
    """As for clamd."""
    spam: list[Action] = ["reject"]
    """Actions of rspamd that make a message `spam`: its surest (a score of 15 as it is shipped)."""
    likely: list[Action] = ["add header", "rewrite subject"]
    """Actions that make it `likely`; what stands in neither list is `ham`, with its score."""
