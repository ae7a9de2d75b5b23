"""Instructions of AArch64 that put constants together (Arm Architecture Reference Manual, C4 and C6), for `machine`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.machine import UnknownInstructionError

if TYPE_CHECKING:
    from cog_oci.layers._effects.glib.machine import Machine, Number

__all__ = ["Arm64"]

_SP = 31  # as a register of addresses; as one of values, 31 is zero


class Arm64:
    """AArch64, as its procedure call standard has it called."""

    stack_pointer = _SP
    arguments = (0, 1, 2)

    def step(self, machine: Machine) -> str | None:
        """Read one instruction; the name of what it calls, if it is a call; none at a return."""
        here = machine.at
        word = int.from_bytes(machine.take(4), "little")
        if word & 0x7C000000 == 0x14000000:  # b, bl
            return _linked(machine, here + 4 * _signed(word, 26))
        if word == 0xD65F03C0:  # ret
            return ""
        if word & 0xFFFFF01F == 0xD503201F:  # hints: nop, bti, paciasp
            return None
        if not (_constant(machine, word, here) or _pair(machine, word) or _single(machine, word)):
            raise UnknownInstructionError(f"{word:#010x}")
        return None


def _constant(machine: Machine, word: int, here: int) -> bool:
    """Addresses, sums and moves."""
    registers, target, source = machine.registers, word & 31, word >> 5 & 31
    if word & 0x1F000000 == 0x10000000:  # adr, adrp
        by = _signed((word >> 5 & 0x7FFFF) << 2 | word >> 29 & 3, 21)
        registers[target] = (here & ~0xFFF) + (by << 12) if word >> 31 else here + by
    elif word & 0xBF800000 == 0x91000000:  # add and sub, immediate
        by = (word >> 10 & 0xFFF) << (12 * (word >> 22 & 1))
        registers[target] = machine.moved(source, -by if word >> 30 & 1 else by)
    elif word & 0x7FE0FFE0 == 0x2A0003E0:  # mov
        registers[target] = _value(machine, word >> 16 & 31)
    elif word & 0x7F800000 == 0x52800000:  # movz
        registers[target] = (word >> 5 & 0xFFFF) << (16 * (word >> 21 & 3))
    else:
        return False
    return True


def _pair(machine: Machine, word: int) -> bool:
    """Stores and loads of pairs (stp, ldp) of 64 bits, before, after or without a change of the base."""
    if word & 0xFE000000 != 0xA8000000:
        return False
    mode, base, by = word >> 23 & 3, word >> 5 & 31, 8 * _signed(word >> 15, 7)
    first, second = word & 31, word >> 10 & 31
    moved = machine.moved(base, by)
    address = machine.registers.get(base) if mode == 1 else moved
    if word >> 22 & 1:
        machine.registers[first] = machine.load(address)
        machine.registers[second] = machine.load(None if address is None else address + 8)
    else:
        machine.store(address, _value(machine, first), _value(machine, second))
    if mode in {1, 3}:
        machine.registers[base] = moved
    return True


def _single(machine: Machine, word: int) -> bool:
    """Stores and loads (str, ldr) of 64 bits and of vectors, and those at any distance (stur, ldur)."""
    target, base = word & 31, word >> 5 & 31
    if word & 0xFF800000 == 0xF9000000:
        address = machine.moved(base, 8 * (word >> 10 & 0xFFF))
    elif word & 0xFFC00000 == 0xB9000000:  # of 32 bits, stores only
        machine.store(machine.moved(base, 4 * (word >> 10 & 0xFFF)), _value(machine, target))
        return True
    elif word & 0xFFA00C00 == 0xF8000000:
        address = machine.moved(base, _signed(word >> 12, 9))
    elif word & 0xFF800000 == 0x3D800000:
        address = machine.moved(base, 16 * (word >> 10 & 0xFFF))
        if word >> 22 & 1:
            high = machine.load(None if address is None else address + 8)
            machine.vectors[target] = (machine.load(address), high)
        else:
            machine.store(address, *machine.vectors.get(target, (None, None)))
        return True
    else:
        return False
    if word >> 22 & 1:
        machine.registers[target] = machine.load(address)
    else:
        machine.store(address, _value(machine, target))
    return True


def _value(machine: Machine, register: int) -> Number:
    return 0 if register == 31 else machine.registers.get(register)


def _linked(machine: Machine, target: int) -> str:
    """The name of what a call goes to by way of the procedure linkage table: adrp x16, ldr x17, add, br."""
    words = [int.from_bytes(machine.image.at(target + 4 * number, 4), "little") for number in range(3)]
    if words[0] & 0xFFFFF01F == 0xD503201F:
        target, words = target + 4, words[1:]
    page, load = words[:2]
    if page & 0x9F00001F == 0x90000010 and load & 0xFFC003FF == 0xF9400211:
        by = _signed((page >> 5 & 0x7FFFF) << 2 | page >> 29 & 3, 21)
        name = machine.image.imports.get((target & ~0xFFF) + (by << 12) + 8 * (load >> 10 & 0xFFF))
        if name is not None:
            return name
    raise UnknownInstructionError("a call that stays in the file")


def _signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number
