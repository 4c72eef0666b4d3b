"""Tasks, capabilities and events in words."""

import struct

import gdb
from flatmk_kernel import PAGE_SIZE, at, fail, has, name, number, parse, read, rights, variants, word

EVENT_SIZE = 32


def table(rows, headings):
    """Rows as lines, each column as wide as it has to be."""
    rows = [headings, *rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(headings))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def tasks(pages):
    """A line a task."""
    rows = []
    for page in pages.of_kind("Task"):
        task = pages.task(page)
        space = pages.space_of(page)
        row = [f"{page:#x}", name(task["state"]), f"{instruction(task):#x}", "none" if space is None else f"{space:#x}"]
        if has(task, "scheduling"):
            base, present = (number(task["scheduling"][field]) for field in ("base", "priority"))
            row.append(f"{base}" if base == present else f"{base}, now {present}")
        rows.append([*row, awaited(pages, task)])
    if not rows:
        fail("there is no task yet: the kernel makes the root task in `kernel::task::root::run_root_task`")
    headings = ["task", "state", "rip", "space"]
    return table(rows, [*headings, *(["priority"] if len(rows[0]) == 6 else []), "waits for"])


def instruction(task):
    """Where a task goes on, or where it is if it runs just now."""
    frame = gdb.newest_frame()
    in_user_mode = int(frame.read_register("cs")) & 3 == 3
    if name(task["state"]) == "Running" and in_user_mode:
        return int(frame.pc())
    return number(task["context"]["rip"])


def awaited(pages, task):
    """What a task waits for."""
    state = name(task["state"])
    if has(task, "calls") and (callee := word(task["calls"]["callee"])):
        callee = f"task {pages.number_at(callee):#x}"
        sentences = {
            "Calling": f"the answer of {callee}",
            "SoftuserCalling": f"the answer of {callee}",
            "Waiting": f"its turn at {callee}",
            "Faulting": f"its fault handler, {callee}",
        }
        if state in sentences:
            return sentences[state]
    if state != "Blocked":
        return ""
    reasons = []
    if notification := word(task["scheduling"]["notification"]):
        reasons.append(f"notification {pages.number_at(notification):#x}")
    timer = task["scheduling"]["timer"]
    if number(timer["is_queued"]):
        reasons.append(f"tick {number(timer['deadline'])}")
    return " or ".join(reasons)


def capabilities(pages, text):
    """A line a capability of a task's table, or of a table."""
    address = find_table(pages, text)
    slots = at(address, "kernel::capability::table::Table")["slots"]
    first, last = slots.type.range()
    rows = []
    for index in range(first, last + 1):
        slot = slots[index]
        if (kind := name(slot["kind"])) != "Empty":
            rows.append([str(index), kind, target(pages, kind, slot), rights(slot["rights"])])
    if not rows:
        fail(f"the table on page {pages.number_at(address):#x} is empty")
    return [f"table {pages.number_at(address):#x}", *table(rows, ["slot", "kind", "leads to", "rights"])]


def find_table(pages, text):
    """The address of the table that an argument names, by its page or by a task."""
    advice = "name a task, or a table, by the number of its page, or say `current`"
    if text != "current" and pages.kind(page := parse(text, advice)) == "Table":
        return pages.address_of(page)
    page = pages.choose_task(text)
    if (address := number(pages.task(page)["table"])) == 0:
        fail(f"task {page:#x} has no capability table: it is not configured")
    return address


def target(pages, kind, slot):
    """What a capability leads to. The words are those that the kernel's module of each kind puts there."""
    address = number(slot["page"])
    words = [number(slot["words"][index]) for index in range(3)]
    page = f"{pages.number_at(address):#x}"
    if kind == "DeviceMemory":
        return f"device memory from page {number(slot['parent']):#x}"
    if address == 0:
        return "the machine's"
    if kind == "Memory":
        # `Region::to_words`.
        return f"pages {page} to {(words[2] & 0xFFFF_FFFF) - 1:#x}"
    if kind in ("Endpoint", "SoftuserEndpoint"):
        # `EndpointRequest::perform`.
        return f"task {page}, entry {words[0]:#x}, context {words[1]:#x}"
    if kind in ("Frame", "LargeFrame"):
        return f"page {page}{mapping(pages, words)}"
    return f"{'task' if kind in ('Task', 'Reply') else 'page'} {page}"


def mapping(pages, words):
    """Where a frame is mapped: space, its generation, address (`kernel/src/capability/frame.rs`)."""
    space, generation, address = words
    if space == 0 or not 0 <= (page := pages.number_at(space)) < pages.count:
        return ""
    entry = pages.entry(page)
    high = sum(int(entry["generation_high"]["value"]["value"][index]) << 8 * index for index in range(3))
    present = number(entry["generation_low"]) | high << 32
    if name(entry["kind"]) != "AddressSpace" or present != generation:
        return ""
    return f", mapped at {address:#x} in space {page:#x}"


def page_in_words(pages, page):
    """What the table of pages has of a page."""
    entry = pages.entry(page)
    kind, anchor, owner = name(entry["kind"]), number(entry["anchor"]), number(entry["owner"])
    lines = [f"page {page:#x}, at {page * PAGE_SIZE:#x}: {kind}"]
    if region := number(entry["region"]):
        lines.append(f"  region: taken from that which begins with page {region:#x}")
    if anchor and kind not in ("Free", "Dying", "Reserved"):
        lines.append(f"  anchor: {slot_in_words(pages, anchor)}")
    # `PageEntry::owner`.
    if owner & 1:
        lines.append(f"  first page of a region that went into that of page {owner >> 1:#x}")
    elif owner:
        lines.append(f"  first page of a region, whose memory capability is {slot_in_words(pages, owner)}")
    return lines


def slot_in_words(pages, address):
    """A capability by where it is: in a table, or in another object of one page."""
    page, offset = pages.number_at(address), address % PAGE_SIZE
    slot = at(address, "kernel::capability::slot::Slot")
    home = pages.kind(page)
    place = f"slot {offset // slot.type.sizeof} of table {page:#x}" if home == "Table" else f"a slot of {home} {page:#x}"
    return f"{place} ({name(slot['kind'])})"


def events(pages, trace, most):
    """The last events of the kernel's trace."""
    ring = trace["ring"]
    written = number(ring["written"])
    slot = word(ring["slot"])
    if slot == 0 or name((slot := at(slot, "kernel::capability::slot::Slot"))["kind"]) == "Empty":
        fail("nothing is traced, nor was: a program begins a trace with `SetTrace`, and ./x debug --trace boots one that does")
    size = 512 * PAGE_SIZE if name(slot["kind"]) == "LargeFrame" else PAGE_SIZE
    capacity = size // EVENT_SIZE
    first = max(0, written - min(most, capacity))
    rows = [event(number(slot["page"]) + index % capacity * EVENT_SIZE) for index in range(first, written)]
    state = "on" if number(trace["is_on"]) else "off"
    return [f"tracing is {state}; {written} events were written", *table(rows, ["time", "task", "event", "first", "second"])]


def event(address):
    """An event, four words (`Event::to_words`)."""
    time, what, first, second = struct.unpack("<4Q", read(address, EVENT_SIZE))
    kind = variants("flatmk_abi::trace::EventKind").get(what & 0xFF, f"event {what & 0xff}")
    detail = what >> 8 & 0xFF_FFFF
    if kind == "SystemCall":
        kind = f"{kind} {variants('flatmk_abi::operation::Operation').get(detail, detail)}"
    elif kind == "Failure":
        kind = f"{kind} {detail}"
    elif kind in ("Interrupt", "Handle"):
        kind = f"{kind} of line {detail}"
    elif detail:
        kind = f"{kind}, reason {detail}"
    return [str(time), f"{what >> 32:#x}", kind, f"{first:#x}", f"{second:#x}"]
