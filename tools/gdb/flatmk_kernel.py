"""Reads the kernel's objects out of a machine that stands still.

Names and places of fields are those of the kernel's debug information. What a field holds where its type does not say it
(a link, the words of a capability) is told where it is read.
"""

import pathlib
import re
import struct

import gdb

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

PAGE_SIZE = 4096

# Without them nothing of what is below is to be had.
LACKING = "the kernel's debug information lacks {}: ./x debug and `cargo build` make it, and a release has none"

# Where something cannot be read.
UNREADABLE = "in user mode the kernel may not be mapped; go on to a breakpoint in the kernel"


def fail(sentence):
    """Ends a command with a sentence."""
    raise gdb.GdbError(sentence)


def chapter():
    """The chapter of the kernel that is debugged, as the section `.flatmk` of its file says."""
    path = gdb.current_progspace().filename
    if path is None:
        fail("no kernel is loaded: start with ./x debug, or say `file KERNEL`")
    data = pathlib.Path(path).read_bytes()
    if data[:4] != b"\x7fELF":
        fail(f"{path} is not a kernel: it is not an ELF file")
    headers, size, count, names = *struct.unpack_from("<Q", data, 40), *struct.unpack_from("<3H", data, 58)
    sections = [struct.unpack_from("<IIQQQQ", data, headers + index * size) for index in range(count)]
    for name, _, _, _, offset, length in sections:
        start = sections[names][4] + name
        if data[start : data.index(b"\0", start)] == b".flatmk":
            return int(re.search(rb"chapter=(\d+)", data[offset : offset + length])[1])
    fail(f"{path} is not a FlatMk kernel: it has no section `.flatmk`")


def need(first, what):
    """Fails unless the kernel's chapter has something, which comes with the chapter `first`."""
    if (present := chapter()) < first:
        fail(f"chapter {present} has no {what} yet: chapter {first} brings that")


def need_machine():
    """Fails unless there is a machine that stands still."""
    if gdb.selected_thread() is None:
        fail("there is no machine to look into, or it has ended: ./x debug starts one")


def read(address, size):
    """Bytes at an address."""
    try:
        return gdb.selected_inferior().read_memory(address, size).tobytes()
    except gdb.MemoryError:
        fail(f"nothing can be read at {address:#x}: {UNREADABLE}")


def word(value):
    """The eight bytes of a value as a number: for links, of which the type is an `Option` that gdb shows in words."""
    return struct.unpack("<Q", read(int(value.address), 8))[0]


def inner(value):
    """What is in cells, atomics and other structures of one field."""
    while value.type.strip_typedefs().code == gdb.TYPE_CODE_STRUCT:
        fields = [field for field in value.type.fields() if field.type.sizeof > 0]
        if len(fields) != 1:
            break
        value = value[fields[0]]
    return value


def number(value):
    """The number in such a value."""
    return int(inner(value))


def name(value):
    """The variant of an enumeration without fields, in such a value."""
    value = inner(value)
    names = {field.enumval: field.name for field in value.type.fields()}
    return names.get(int(value), f"unknown {int(value)}").rsplit("::", 1)[-1]


def has(value, field):
    """Whether a structure has a field: later chapters add some."""
    return any(candidate.name == field for candidate in value.type.fields())


def type_of(path):
    """A type of the kernel by its path."""
    try:
        return gdb.lookup_type(path)
    except gdb.error:
        fail(LACKING.format(path))


def variants(path):
    """The variants of an enumeration, by number."""
    return {field.enumval: field.name.rsplit("::", 1)[-1] for field in type_of(path).fields()}


def static(path):
    """A static of the kernel by its path."""
    symbol = gdb.lookup_static_symbol(path) or gdb.lookup_global_symbol(path)
    if symbol is None:
        fail(LACKING.format(path))
    return symbol.value()


def at(address, path):
    """The value of a type at an address."""
    return gdb.Value(address).cast(type_of(path).pointer()).dereference()


def parse(text, advice):
    """A number on the command line, decimal or with 0x."""
    try:
        return int(text.replace("_", ""), 0)
    except ValueError:
        fail(f"`{text}` is not a number: {advice}")


def rights(value):
    """The names of the rights in a capability: constants, of which the source tells and debug information does not."""
    source = (REPOSITORY / "kernel/abi/src/rights.rs").read_text()
    bits, names = number(value), re.findall(r"^    ([A-Z]+) = (\d+),$", source, re.MULTILINE)
    return " ".join(name.lower() for name, bit in names if bits >> int(bit) & 1) or "none"
