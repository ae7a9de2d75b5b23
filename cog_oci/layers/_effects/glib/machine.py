"""What a short function would do up to its first call or its end: enough of a processor to see with what it would call.

Some modules say what they are in a function of a few instructions that puts constants together. Nothing is run: the
instructions that compilers use for that are known, with what they do to addresses; at any other one the reading ends.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cog_oci.layers._effects.elf import SharedImage

__all__ = ["Called", "Machine", "Processor", "UnknownInstructionError", "argument", "called"]

Number = int | None
"""64 bits, without a sign; None for what is not known."""

_MASK = (1 << 64) - 1
_STACK = 1 << 60  # far from all addresses in a file
_MOST_STEPS = 64


class UnknownInstructionError(ValueError):
    """An instruction, or a place in memory, that is not known."""


@dataclass(slots=True)
class Machine:
    """Registers by number, vector registers as two halves, and what has been put on the stack."""

    image: SharedImage
    at: int
    stack_pointer: int
    registers: dict[int, Number] = field(default_factory=dict)
    vectors: dict[int, tuple[Number, Number]] = field(default_factory=dict)
    memory: dict[int, Number] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registers[self.stack_pointer] = _STACK

    def take(self, size: int) -> bytes:
        """The next bytes of the function."""
        self.at += size
        return self.image.at(self.at - size, size)

    def load(self, address: Number) -> Number:
        """Eight bytes of memory."""
        if address is None or address in self.image.imports:
            return None
        return self.memory.get(address) if address >= _STACK >> 1 else self.image.pointer(address)

    def store(self, address: Number, *values: Number) -> None:
        """Put values one behind the other, on the stack."""
        if address is None or address < _STACK >> 1:
            raise UnknownInstructionError("a store elsewhere than on the stack")
        for number, value in enumerate(values):
            self.memory[address + 8 * number] = value

    def moved(self, register: int, by: int) -> Number:
        """What a register has, and something more or less."""
        value = self.registers.get(register)
        return None if value is None else (value + by) & _MASK


def argument(number: int) -> int:
    """What a function's own argument is taken for: an address at which it may put something."""
    return _STACK + 4096 * (number + 1)


class Processor(Protocol):
    """How the instructions of an architecture are read."""

    @property
    def stack_pointer(self) -> int:
        """The register that has the end of the stack."""

    @property
    def arguments(self) -> Sequence[int]:
        """The registers that a call's first arguments are in."""

    def step(self, machine: Machine) -> str | None:
        """Read one instruction; the name of what it calls, if it is a call; none at a return."""


@dataclass(frozen=True, slots=True)
class Called:
    """The function that is called, by name (none where the function ends first), and its first arguments."""

    name: str
    arguments: tuple[Number, ...]
    machine: Machine


def called(image: SharedImage, symbol: str, processor: Processor) -> Called:
    """What a function of the image calls first. Raises UnknownInstructionError when that is not known."""
    machine = Machine(image, image.symbols[symbol], processor.stack_pointer)
    for number, register in enumerate(processor.arguments):
        machine.registers[register] = argument(number)
    for _ in range(_MOST_STEPS):
        if (name := processor.step(machine)) is not None:
            return Called(name, tuple(machine.registers.get(number) for number in processor.arguments), machine)
    raise UnknownInstructionError("a longer function")
