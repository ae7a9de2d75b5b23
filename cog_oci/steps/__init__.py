"""Commands that build an image, in the sandbox: what they change in the root becomes a layer.

`difference` runs one command on the layers below it and gives the entries of what it changed: `_capture` finds them,
`_left_out` is what does not count. `StepRunner` runs the steps of cog.yaml: `_secrets` are what they are given,
`_tools` what apt and pip know meanwhile.
"""

from cog_oci.steps._difference import Command, CommandError, UnfitChangeError, difference
from cog_oci.steps._runner import Allowance, CannotRunError, StepError, StepRunner, cannot_run
from cog_oci.steps._secrets import Secret

__all__ = [
    "Allowance",
    "CannotRunError",
    "Command",
    "CommandError",
    "Secret",
    "StepError",
    "StepRunner",
    "UnfitChangeError",
    "cannot_run",
    "difference",
]
