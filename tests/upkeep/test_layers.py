"""Which layers a change of the lock costs."""

from __future__ import annotations

from cog_oci.upkeep.layers import moved_layers
from tests.test_difference import AMD, deb, lock, wheel

BASE = (deb("libc6", "1", 500), wheel("numpy", "1.0", 3_000))


def parts(*packages):
    return lock(*packages).platforms[AMD]


def test_equal_locks_move_nothing():
    moved = moved_layers(parts(*BASE), parts(*BASE))

    assert (moved.new, moved.gone, moved.material) == ((), (), 0)
    assert moved.kept == 3


def test_another_wheel_moves_its_own_layer_only():
    moved = moved_layers(parts(*BASE), parts(BASE[0], wheel("numpy", "2.0", 4_000)))

    assert (moved.new, moved.gone) == (("python",), ("python",))
    assert (moved.kept, moved.material) == (2, 4_000)


def test_without_a_lock_before_all_is_new():
    moved = moved_layers(None, parts(*BASE))

    assert (len(moved.new), moved.kept, moved.material) == (3, 0, 3_500)
