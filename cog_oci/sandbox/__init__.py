"""Run a program in an image's root without a daemon: user namespaces through util-linux's `unshare`, root or not.

`_enter` is what happens inside the new namespaces before the program begins; `_settle`, `_places` and `_pivot` are the
parts of it that need more than a shell, each a program of its own. `_identities`, `_users` and `_user_namespace` are
who there is inside, `_become` is who a program there is when it is not root.
"""

from cog_oci.sandbox._identities import identities, remove_folder
from cog_oci.sandbox._sandbox import Keeping, Sandbox, SandboxUnavailableError, unavailable

__all__ = ["Keeping", "Sandbox", "SandboxUnavailableError", "identities", "remove_folder", "unavailable"]
