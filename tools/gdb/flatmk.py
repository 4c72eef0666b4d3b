"""Commands for GDB that show what FlatMk's kernel knows. `./x debug` loads this file; `source` does, too."""

import pathlib
import sys

import gdb

# Nothing is left beside the sources.
sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import flatmk_objects as objects
import flatmk_paging as paging
from flatmk_kernel import PAGE_SIZE, UNREADABLE, fail, need, need_machine, parse, static
from flatmk_pages import Pages, choose_table


class Flatmk(gdb.Command):
    """What FlatMk's kernel knows: tasks, capabilities, page tables, pages, and its trace."""

    def __init__(self):
        super().__init__("flatmk", gdb.COMMAND_DATA, prefix=True)

    def invoke(self, text, from_tty):
        if text:
            fail(f"there is no command `flatmk {text}`: `help flatmk` lists them")
        gdb.execute("help flatmk")


class Shown(gdb.Command):
    """A command that prints lines."""

    def __init__(self, name):
        super().__init__(f"flatmk {name}", gdb.COMMAND_DATA)

    def invoke(self, text, from_tty):
        need_machine()
        try:
            for line in self.lines(gdb.string_to_argv(text)):
                gdb.write(line + "\n")
        except gdb.MemoryError as error:
            fail(f"{error}: {UNREADABLE}")


class Tasks(Shown):
    """All tasks: page, state, instruction pointer, address space, priority, and what they wait for.

    flatmk tasks"""

    def lines(self, arguments):
        if arguments:
            fail("`flatmk tasks` takes no argument")
        need(5, "tasks")
        return objects.tasks(Pages())


class Capabilities(Shown):
    """The capabilities in the table of a task: slot, kind, what it leads to, rights.

    flatmk caps TASK
TASK is the number of its page, as `flatmk tasks` lists it, or `current`; a capability table's page will do, too."""

    def lines(self, arguments):
        if len(arguments) != 1:
            fail("name one task: `flatmk caps TASK`, with a number that `flatmk tasks` lists, or `current`")
        need(5, "tasks")
        return objects.capabilities(Pages(), arguments[0])


class PageTable(Shown):
    """The mapped ranges of an address space, with what they allow.

    flatmk pagetable TASK|kernel|current
TASK is the number of its page, as `flatmk tasks` lists it; `current` means what the processor uses now."""

    def lines(self, arguments):
        if len(arguments) != 1:
            fail("name one address space: `flatmk pagetable TASK`, or `kernel` or `current` in place of TASK")
        top, entries = choose_table(arguments[0])
        lines = [
            f"{start:#018x} to {end - 1:#018x}  {(end - start) // 1024:>9} KiB  {access}"
            for start, end, access in paging.ranges(paging.mappings(top, entries))
        ]
        return lines or ["nothing is mapped there"]


class Page(Shown):
    """How an address is translated, and what the table of pages has of the page behind it.

    flatmk page ADDRESS
    flatmk page number NUMBER
The first takes an address by the page tables that the processor uses now; the second a page by its number."""

    def lines(self, arguments):
        if len(arguments) == 2 and arguments[0] == "number":
            need(3, "table of pages")
            number = parse(arguments[1], "a page is named by its number, its address divided by 4096")
            return objects.page_in_words(Pages(), number)
        if len(arguments) != 1:
            fail("name one address: `flatmk page ADDRESS`, or `flatmk page number NUMBER`")
        return self.translated(self.address(arguments[0]))

    def address(self, text):
        try:
            return int(gdb.parse_and_eval(text)) & 0xFFFF_FFFF_FFFF_FFFF
        except (gdb.error, ValueError):
            fail(f"`{text}` is not an address: give a number, or a register as in `$rsp`")

    def translated(self, address):
        steps = paging.walk(paging.top_table(), address)
        lines = [f"level {level}: {entry:#018x}  {self.meaning(level, entry)}" for level, entry in steps]
        found = paging.end_of(steps, address)
        if found is None:
            return [*lines, f"{address:#x} is not mapped"]
        lines.append(f"{address:#x} is physical address {found:#x}, {paging.access([entry for _, entry in steps])}")
        try:
            need(3, "table of pages")
            pages = Pages()
        except gdb.GdbError as error:
            return [*lines, str(error)]
        if found // PAGE_SIZE >= pages.count:
            return [*lines, "the table of pages ends before it: it is no memory"]
        return [*lines, *objects.page_in_words(pages, found // PAGE_SIZE)]

    def meaning(self, level, entry):
        if not entry & paging.PRESENT:
            return "not present"
        is_page = level == 1 or level < paging.TOP_LEVEL and entry & paging.LARGE
        what = f"page of {paging.SIZES[level]}" if is_page else "table"
        return f"{what} at {entry & paging.ADDRESS:#x}, {paging.access([entry])}"


class Trace(Shown):
    """The last events of the kernel's trace: time, task, event and its two words.

    flatmk trace [COUNT]
Shows 20 events where nothing else is said. Tasks are named by the numbers of their pages."""

    def lines(self, arguments):
        if len(arguments) > 1:
            fail("`flatmk trace` takes one number at most: how many events to show")
        most = parse(arguments[0], "say how many events to show") if arguments else 20
        if most < 1:
            fail("show at least one event")
        need(11, "traces")
        return objects.events(Pages(), static("kernel::trace::TRACE"), most)


Flatmk()
Tasks("tasks")
Capabilities("caps")
PageTable("pagetable")
Page("page")
Trace("trace")
