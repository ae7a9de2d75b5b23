"""Whether an image is what its lock makes of it, or what another image is; and if not, where it departs."""

from cog_oci.verify._against import compare_images
from cog_oci.verify._report import Outcome, Report, Verdict
from cog_oci.verify._verify import fitting, verify

__all__ = ["Outcome", "Report", "Verdict", "compare_images", "fitting", "verify"]
