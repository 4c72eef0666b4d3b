"""Page tables, read as the processor does (Intel SDM vol. 3A, 4.5): by physical addresses, whatever is mapped just now."""

import struct

import gdb
from flatmk_kernel import UNREADABLE, fail, read

ENTRIES = 512
TOP_LEVEL = 4
PRESENT, WRITABLE, USER, LARGE, NO_EXECUTE = 1 << 0, 1 << 1, 1 << 2, 1 << 7, 1 << 63
ADDRESS = 0x000F_FFFF_FFFF_F000
SIZES = {1: "4 KiB", 2: "2 MiB", 3: "1 GiB"}


def read_table(address):
    """The entries of the page table at a physical address. QEMU is asked to take addresses as physical ones for so long."""
    packet = "maintenance packet Qqemu.PhyMemMode:"
    try:
        if "OK" not in gdb.execute(packet + "1", to_string=True):
            fail("this machine does not let its physical memory be read: it takes QEMU, as ./x debug starts it")
        return struct.unpack(f"<{ENTRIES}Q", read(address, ENTRIES * 8))
    finally:
        gdb.execute(packet + "0", to_string=True)


def top_table():
    """The physical address of the page table of the top level that the processor uses."""
    return int(gdb.newest_frame().read_register("cr3")) & ADDRESS


def shift(level):
    """How many bits of an address are below those that choose an entry of a level."""
    return 12 + 9 * (level - 1)


def walk(top, address):
    """The entries that lead to an address, from the top: level, entry."""
    table, steps = top, []
    for level in range(TOP_LEVEL, 0, -1):
        entry = read_table(table)[address >> shift(level) & ENTRIES - 1]
        steps.append((level, entry))
        if not entry & PRESENT or level < TOP_LEVEL and entry & LARGE:
            break
        table = entry & ADDRESS
    return steps


def end_of(steps, address):
    """The physical address to which such entries lead; `None` where nothing is mapped."""
    level, entry = steps[-1]
    if not entry & PRESENT:
        return None
    below = (1 << shift(level)) - 1
    return entry & ADDRESS & ~below | address & below


def physical_address(address):
    """The physical address behind an address that the kernel uses."""
    found = end_of(walk(top_table(), address), address)
    if found is None:
        fail(f"nothing is mapped at {address:#x}: {UNREADABLE}")
    return found


def access(entries):
    """What a page allows, by all entries that lead to it: each has to allow writing and user mode, none to forbid execution."""
    writable = all(entry & WRITABLE for entry in entries)
    executable = not any(entry & NO_EXECUTE for entry in entries)
    user = all(entry & USER for entry in entries)
    return f"r{'w' if writable else '-'}{'x' if executable else '-'} {'user' if user else 'kernel'}"


def canonical(address):
    """An address as the processor has it: the bits above the 48th are as the 48th."""
    return address | 0xFFFF << 48 if address >> 47 & 1 else address


def mappings(table, entries, level=TOP_LEVEL, base=0, above=()):
    """The pages below some entries of a table: address, size, access."""
    for index, entry in zip(entries, read_table(table)[entries.start : entries.stop]):
        if not entry & PRESENT:
            continue
        address, path = base + (index << shift(level)), (*above, entry)
        if level > 1 and not (level < TOP_LEVEL and entry & LARGE):
            yield from mappings(entry & ADDRESS, range(ENTRIES), level - 1, address, path)
        else:
            yield canonical(address), 1 << shift(level), access(path)


def ranges(pages):
    """Pages side by side with the same access as one range: start, end, access."""
    start, end, allowed = None, None, None
    for address, size, own in pages:
        if (address, own) == (end, allowed):
            end += size
            continue
        if start is not None:
            yield start, end, allowed
        start, end, allowed = address, address + size, own
    if start is not None:
        yield start, end, allowed
