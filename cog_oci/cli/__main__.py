"""`python -m cog_oci.cli` is `cog-oci`."""

from cog_oci.cli import main

main()
