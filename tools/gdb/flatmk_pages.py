"""The table of pages, and what is found by it: tasks, and the tables of address spaces."""

from flatmk_kernel import PAGE_SIZE, at, fail, name, need, number, parse, read, static, type_of, variants, word
from flatmk_paging import ENTRIES, physical_address, top_table


class Pages:
    """The table of pages, and the window in which the kernel sees all physical memory."""

    def __init__(self):
        need(3, "table of pages")
        self.address = number(static("kernel::memory::pages::TABLE_ADDRESS"))
        self.count = number(static("kernel::memory::pages::TABLE_LENGTH"))
        if self.count == 0:
            fail(
                "the kernel has not made its table of pages yet: let it run a little, "
                "as with `tbreak kernel::chapter::demonstrate` and `continue`"
            )
        self.window = self.address - physical_address(self.address)
        self.entry_type = type_of("kernel::memory::pages::PageEntry")

    def number_at(self, address):
        """The number of the page that the kernel sees at an address."""
        return (address - self.window) // PAGE_SIZE

    def address_of(self, page):
        """Where the kernel sees a page."""
        return self.window + page * PAGE_SIZE

    def entry(self, page):
        """The entry of a page."""
        if not 0 <= page < self.count:
            fail(f"there is no page {page:#x} in the table of pages, which has {self.count:#x} entries")
        return at(self.address + page * self.entry_type.sizeof, "kernel::memory::pages::PageEntry")

    def kind(self, page):
        """What a page is used for."""
        return name(self.entry(page)["kind"])

    def of_kind(self, kind):
        """The numbers of all pages of a kind."""
        kinds = {name: value for value, name in variants("kernel::memory::pages::PageKind").items()}
        (field,) = (field for field in self.entry_type.fields() if field.name == "kind")
        size = self.entry_type.sizeof
        column = read(self.address, self.count * size)[field.bitpos // 8 :: size]
        found = column.find(kinds[kind])
        while found >= 0:
            yield found
            found = column.find(kinds[kind], found + 1)

    def task(self, page):
        """The task on a page."""
        return at(self.address_of(page), "kernel::task::object::Task")

    def choose_task(self, text):
        """The page of the task that an argument names."""
        if text == "current":
            if (address := word(static("kernel::task::scheduler::CURRENT"))) == 0:
                fail("no task runs now: `flatmk tasks` lists those that there are")
            return self.number_at(address)
        page = parse(text, "a task is named by the number of its page, as `flatmk tasks` lists it, or `current`")
        if self.kind(page) != "Task":
            fail(f"page {page:#x} is no task but {self.kind(page)}: `flatmk tasks` lists the tasks")
        return page

    def space_of(self, task):
        """The page of a task's address space, if it has one."""
        slot = self.task(task)["space_slot"]
        return self.number_at(number(slot["page"])) if name(slot["kind"]) == "AddressSpace" else None


def choose_table(text):
    """What an argument of `flatmk pagetable` names: the table of the top level, and which of its entries to show."""
    lower, upper = range(ENTRIES // 2), range(ENTRIES // 2, ENTRIES)
    if text == "current":
        return top_table(), range(ENTRIES)
    if text == "kernel":
        need(3, "page table of the kernel's own (`flatmk pagetable current` shows the boot loader's)")
        if (top := number(static("kernel::memory::kernel::KERNEL_TOP"))) == 0:
            fail("the kernel has no page table of its own yet: `flatmk pagetable current` shows the boot loader's")
        return top * PAGE_SIZE, upper
    need(5, "tasks")
    pages = Pages()
    task = pages.choose_task(text)
    if (space := pages.space_of(task)) is None:
        fail(f"task {task:#x} has no address space: it is not configured, or has lost it")
    return space * PAGE_SIZE, lower
