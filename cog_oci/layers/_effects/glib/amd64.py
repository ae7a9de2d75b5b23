"""Instructions of x86-64 that put constants together (Intel's manual, volume 2), for `machine`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cog_oci.layers._effects.glib.machine import UnknownInstructionError

if TYPE_CHECKING:
    from cog_oci.layers._effects.glib.machine import Machine, Number

__all__ = ["Amd64"]

_RSP = 4
_ENDBR64 = bytes.fromhex("f30f1efa")
_BOUND = 0xF2  # of no meaning before a jump
_FS = 0x64
_LONGEST = 15  # bytes of an instruction


@dataclass(slots=True)
class _Instruction:
    """Prefixes, opcode, and operands: a register, and another one or an address."""

    prefixes: frozenset[int]
    wide: int
    opcode: int
    register: int = 0
    other: int | None = None
    address: Number = None
    extension: int = 0


class Amd64:
    """x86-64, as its System V ABI has it called."""

    stack_pointer = _RSP
    arguments = (7, 6, 2)

    def step(self, machine: Machine) -> str | None:
        """Read one instruction; the name of what it calls, if it is a call; none at a return."""
        if machine.image.at(machine.at, 4) == _ENDBR64:
            machine.at += 4
            return None
        one = _decoded(machine)
        if one.opcode in {0xE8, 0xE9}:
            return _linked(machine, machine.at + _signed(machine.take(4)) + 4)
        if one.opcode == 0xC3:
            return ""
        if one.opcode == 0xFF and one.extension in {2, 4}:
            return _imported(machine, one.address)
        if one.opcode > 0xFF:
            _vector(machine, one)
        else:
            _plain(machine, one)
        return None


def _decoded(machine: Machine) -> _Instruction:
    prefixes = set()
    start = machine.at
    while (byte := machine.take(1)[0]) in {0x66, 0xF2, 0xF3, _FS}:
        prefixes.add(byte)
        if machine.at - start >= _LONGEST:
            raise UnknownInstructionError("too long")
    rex = 0
    if byte & 0xF0 == 0x40:
        rex, byte = byte, machine.take(1)[0]
    if byte == 0x0F:
        byte = 0x0F00 | machine.take(1)[0]
    found = _Instruction(frozenset(prefixes), rex >> 3 & 1, byte)
    if byte in {0xE8, 0xE9, 0xC3}:
        return found
    if byte & 0xF8 in {0x50, 0xB8} and byte < 0x100:
        found.opcode, found.register = byte & 0xF8, byte & 7 | (rex & 1) << 3
        return found
    _operands(machine, found, rex, after=4 if byte in {0xC7, 0x81} else 1 if byte == 0x83 else 0)
    return found


def _operands(machine: Machine, found: _Instruction, rex: int, after: int) -> None:
    """The ModR/M byte and what belongs to it; `after` bytes follow before the next instruction."""
    byte = machine.take(1)[0]
    mode, found.extension, base = byte >> 6, byte >> 3 & 7, byte & 7
    found.register = found.extension | (rex >> 2 & 1) << 3
    if mode == 3:
        found.other = base | (rex & 1) << 3
        return
    if base == 5 and not mode:
        moved = _signed(machine.take(4))
        found.address = machine.at + after + moved
        return
    if base == 4:
        scale = machine.take(1)[0]
        if scale >> 3 & 7 != 4 or rex & 2 or (scale & 7 == 5 and not mode):
            if _FS in found.prefixes:
                machine.take(4)
                return
            raise UnknownInstructionError("an index")
        base = scale & 7
    by = _signed(machine.take((0, 1, 4)[mode])) if mode else 0
    found.address = None if _FS in found.prefixes else machine.moved(base | (rex & 1) << 3, by)


def _plain(machine: Machine, one: _Instruction) -> None:
    registers = machine.registers
    match one.opcode:
        case 0x50:
            registers[_RSP] = machine.moved(_RSP, -8)
            machine.store(registers[_RSP], registers.get(one.register))
        case 0xB8 if not one.wide:
            registers[one.register] = int.from_bytes(machine.take(4), "little")
        case 0x83 | 0x81 if one.extension in {0, 5} and one.wide and one.other is not None:
            by = _signed(machine.take(1 if one.opcode == 0x83 else 4))
            registers[one.other] = machine.moved(one.other, -by if one.extension else by)
        case 0x8D if one.other is None:
            registers[one.register] = one.address
        case 0x8B if one.wide:
            value = machine.load(one.address) if one.other is None else registers.get(one.other)
            registers[one.register] = value
        case 0x89 if one.other is not None:
            registers[one.other] = registers.get(one.register)
        case 0x89 if one.wide:
            machine.store(one.address, registers.get(one.register))
        case 0xC7 if not one.wide and not one.extension and one.other is None:
            machine.store(one.address, int.from_bytes(machine.take(4), "little"))
        case 0xC7 if one.wide and not one.extension:
            value = _signed(machine.take(4)) & (1 << 64) - 1
            if one.other is None:
                machine.store(one.address, value)
            else:
                registers[one.other] = value
        case 0x31 | 0x33 if one.other == one.register:
            registers[one.register] = 0
        case _:
            raise UnknownInstructionError(f"{one.opcode:#x}")


def _vector(machine: Machine, one: _Instruction) -> None:
    vectors = machine.vectors
    whole = vectors.get(one.register, (None, None))
    word = 0x66 in one.prefixes
    match one.opcode:
        case 0x0F6E if word and one.wide:
            value = machine.load(one.address) if one.other is None else machine.registers.get(one.other)
            vectors[one.register] = (value, 0)
        case 0x0F7E if 0xF3 in one.prefixes:
            low = machine.load(one.address) if one.other is None else vectors.get(one.other, (None, None))[0]
            vectors[one.register] = (low, 0)
        case 0x0F6C if word and one.other is not None:
            vectors[one.register] = (whole[0], vectors.get(one.other, (None, None))[0])
        case 0x0F16 if one.other is None:
            vectors[one.register] = (whole[0], machine.load(one.address))
        case 0x0F28 | 0x0F10 | 0x0F6F if not {0xF2} & one.prefixes and one.other is None:
            high = None if one.address is None else machine.load(one.address + 8)
            vectors[one.register] = (machine.load(one.address), high)
        case 0x0F28 | 0x0F6F if one.other is not None:
            vectors[one.register] = vectors.get(one.other, (None, None))
        case 0x0F29 | 0x0F11 | 0x0F7F if not {0xF2} & one.prefixes and one.other is None:
            machine.store(one.address, *whole)
        case 0x0FD6 if word and one.other is None:
            machine.store(one.address, whole[0])
        case 0x0FEF | 0x0F57 if one.other == one.register:
            vectors[one.register] = (0, 0)
        case _:
            raise UnknownInstructionError(f"{one.opcode:#x}")


def _linked(machine: Machine, target: int) -> str:
    """The name of what a call goes to by way of the procedure linkage table."""
    code = machine.image.at(target, 12)
    code = code.removeprefix(_ENDBR64)
    skipped = 12 - len(code) + (code[0] == _BOUND)
    code = code[code[0] == _BOUND :]
    if code[:2] != b"\xff\x25":
        raise UnknownInstructionError("a call that stays in the file")
    return _imported(machine, target + skipped + 6 + _signed(code[2:6]))


def _imported(machine: Machine, place: Number) -> str:
    name = None if place is None else machine.image.imports.get(place)
    if name is None:
        raise UnknownInstructionError("a call to nowhere")
    return name


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)
