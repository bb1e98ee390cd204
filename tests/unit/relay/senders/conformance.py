"""Where the suites lie that nobody here wrote."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[4]
FOLDER = Path(os.environ.get("MAILGOV_CONFORMANCE_DIR") or ROOT.parent / "shared" / "conformance")
