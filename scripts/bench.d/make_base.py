"""What `base.py` measures: Debian packages resolved, verified and made into their layers; prints them as JSON."""

from __future__ import annotations

import json
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

from cog_oci.fetch import Fetcher
from cog_oci.layers import realise
from cog_oci.layers.debs import check_scripts, deb_layers
from cog_oci.origins import Origins
from cog_oci.resolver.base import Base
from cog_oci.resolver.debian import DebianResolver, suites
from cog_oci.store import Store


def main() -> None:
    """STORE AS_OF PYTHON PACKAGES…: from names to layers; those that were made before are made again."""
    root, as_of, python, *packages = sys.argv[1:]
    store, base, moment = Store(Path(root)), Base(python, "amd64"), datetime.fromisoformat(as_of)
    shutil.rmtree(store.root / "layers", ignore_errors=True)
    fetcher = Fetcher(store)
    origins = Origins(fetcher, moment)
    resolver = DebianResolver(fetcher, store, suites(base.suite), base.architecture, origins.archive, moment)
    found = resolver.resolve(base.packages, packages, base.pinned_debs)
    fetcher.artifacts(found.debs, origins.locate)
    check_scripts(found.debs, store)
    with ThreadPoolExecutor(2) as pool:  # as a build does it
        blobs = list(pool.map(partial(realise, store=store), deb_layers(base.suite, found.debs)))
    debs = [[deb.name, f"{store.path(deb.digest)}"] for deb in found.debs]
    print(json.dumps({"debs": debs, "layers": [[blob.diff_id, blob.uncompressed_size] for blob in blobs]}))


if __name__ == "__main__":
    main()
