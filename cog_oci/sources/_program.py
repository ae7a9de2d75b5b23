"""What runs in the sandbox to build a wheel: one hook of a build backend (PEP 517). Standard library only.

Its argument is JSON: `what` to do (`requires` or `wheel`), the folder of the `source`, the `backend` and the folders to
find it in as pyproject.toml names them, and where to leave the `result`.
"""

import importlib
import itertools
import json
import os
import sys
import tempfile
from pathlib import Path

# Compilers write the places of files into what they make, and backends build in temporary folders.
setattr(tempfile, "_name_sequence", (f"build{number}" for number in itertools.count()))  # noqa: B010 - not public
asked = json.loads(sys.argv[1])
os.chdir(asked["source"])
sys.path[:0] = [str(Path(asked["source"], folder)) for folder in asked["paths"]]
module, _, names = asked["backend"].partition(":")
hooks = importlib.import_module(module)
for name in filter(None, names.split(".")):
    hooks = getattr(hooks, name)
if asked["what"] == "requires":
    hook = getattr(hooks, "get_requires_for_build_wheel", None)
    Path(asked["result"]).write_text(json.dumps(list(hook()) if hook else []), encoding="utf-8")
else:
    hooks.build_wheel(asked["result"])
