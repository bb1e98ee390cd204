"""Fuzz one target for a while: `python -m tests.fuzz.run session --seconds 60`.

With atheris (the extra `fuzz`) the inputs follow the coverage, and what opens new ground is kept in
`.fuzz/`; without it they are the corpus, changed at random, and the first line says so. An input that
breaks something is left in `.fuzz/` and named; `--replay FILE` runs it again.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CORPUS = HERE / "corpus"
KEPT = HERE.parent.parent / ".fuzz"
NAMES = ("session", "mail")
GUIDED = find_spec("atheris") is not None
MEMORY = Path("/dev/shm")
ONE_S = 30
"""No input may take longer, instrumented as the code is then."""


def seeds(name: str) -> list[bytes]:
    """The corpus of a target."""
    return [file.read_bytes() for file in sorted((CORPUS / name).iterdir())]


def target_class(name: str) -> Any:
    """The class of a target; imported late, so that atheris sees the import."""
    if name == "session":
        from tests.fuzz.session_target import SessionTarget

        return SessionTarget
    from tests.fuzz.mail_target import MailTarget

    return MailTarget


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--replay", type=Path)
    words = parser.parse_args()
    # A spool in memory: what is looked for here is not the disk.
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        if words.replay is not None:
            with target_class(words.target).opened(Path(folder)) as target:
                target.one(words.replay.read_bytes())
        elif GUIDED:
            _guided(words.target, words.seconds, Path(folder))
        else:
            _at_random(words.target, words.seconds, Path(folder))


def _at_random(name: str, seconds: float, folder: Path) -> None:
    from tests.fuzz.mutate import inputs

    seed = time.time_ns() % 2**32
    sys.stdout.write(f"{name}: atheris is not installed; at random, seed {seed}\n")
    end, number = time.monotonic() + seconds, 0
    with target_class(name).opened(folder) as target:
        for number, data in enumerate(inputs(seeds(name), seed), 1):
            try:
                target.one(data)
            except Exception:  # noqa: BLE001 - whatever it is, it is what was looked for
                KEPT.mkdir(exist_ok=True)
                file = KEPT / f"{name}-{seed}-{number}"
                file.write_bytes(data)
                traceback.print_exc()
                sys.exit(f"input {number} broke it: {file}")
            if time.monotonic() > end:
                break
    sys.stdout.write(f"{name}: {number} inputs in {seconds:.0f} s\n")


def _guided(name: str, seconds: float, folder: Path) -> None:
    import atheris

    from tests.fuzz.mutate import LONGEST, WORDS

    found = KEPT / name
    found.mkdir(parents=True, exist_ok=True)
    dictionary = folder / "words"
    lines = ('"' + "".join(f"\\x{octet:02x}" for octet in word) + '"' for word in WORDS)
    dictionary.write_text("\n".join(lines) + "\n", encoding="ascii")
    with atheris.instrument_imports(include=["mailgov", "aiosmtpd"]):
        maker = target_class(name)
    argv = [sys.argv[0], f"-max_total_time={seconds:.0f}", f"-max_len={LONGEST}", f"-timeout={ONE_S}"]
    argv += ["-rss_limit_mb=2048", f"-dict={dictionary}", f"-artifact_prefix={KEPT}/{name}-"]
    argv += ["-print_final_stats=1", "-verbosity=0", str(found), str(CORPUS / name)]
    with maker.opened(folder) as target:
        atheris.Setup(argv, target.one)
        atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main()
