"""The machinery that the service stands on. It belongs to the template: updates replace it, and it never imports `app`.

Each subpackage exports what `app` may use. With `configure`, `groundwork.api` and `groundwork.settings` that is the
public API; nothing deeper is. Tests also use the modules of `groundwork.testing`.
"""

import sys

from groundwork.configuration import configure

__all__ = ["configure"]

if sys.platform == "win32":
    raise SystemExit("This service runs on Linux and macOS, not on Windows; work in WSL 2 or in a container.")
