"""What programs of GLib and GTK compile from packages' files, byte for byte."""

from __future__ import annotations

from cog_oci.layers._effects.glib.gio_modules import gio_modules
from cog_oci.layers._effects.glib.icon_caches import icon_caches
from cog_oci.layers._effects.glib.input_methods import input_methods
from cog_oci.layers._effects.glib.schemas import glib_schemas

__all__ = ["gio_modules", "glib_schemas", "icon_caches", "input_methods"]
