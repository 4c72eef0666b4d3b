// An address on its way through the page tables.
"use strict";

flatmkFigures.make.walk = (call) => {
    const make = flatmkFigures;
    const EXAMPLES = [
        ["a small page", "0x402abc"],
        ["a page that is read-only", "0x401008"],
        ["a page of code", "0x400010"],
        ["a large page", "0x8abcde"],
        ["a page far up", "0x7fffffff0123"],
        ["not mapped, at the last level", "0x405000"],
        ["not mapped, at the first level", "0x123456789000"],
        ["not canonical", "0x800000000000"],
    ];
    const FIELDS = [[47, 39], [38, 30], [29, 21], [20, 12], [11, 0]];

    let walk = null;
    let shown = 0;

    const address = make.element("input", { type: "text", value: EXAMPLES[0][1], spellcheck: "false", autocomplete: "off", oninput: () => begin() });
    const examples = make.choice(EXAMPLES.map(([name, value]) => `${name}: ${value}`), () => {
        address.value = EXAMPLES[examples.value][1];
        begin();
    });
    const attempt = make.choice(["read", "write", "execute"], () => begin());
    const step = make.button("Step", () => show(shown + 1));
    const rest = make.button("To the end", () => show(Infinity));
    const again = make.button("Start again", () => begin());
    const fields = make.element("div", { class: "figure-fields" });
    const [table, rows] = make.table("Entries that were read", ["level", "index", "table at", "entry", "flags", "says"]);
    const answer = make.answer();

    // The address as a number of 64 bits, or nothing.
    function number() {
        const text = address.value.trim().replaceAll("_", "");
        if (!/^(0x[0-9a-f]{1,16}|[0-9]{1,19})$/i.test(text)) {
            return null;
        }
        const value = BigInt(text);
        return value < 2n ** 64n ? value : null;
    }

    function begin() {
        const value = number();
        address.setAttribute("aria-invalid", value === null);
        walk = value === null ? null : call("walk", BigInt.asIntN(64, value), Number(attempt.value));
        show(0);
    }

    function show(count) {
        const steps = walk ? walk.steps : [];
        // The end is a step more than the tables.
        shown = Math.min(count, steps.length + 1);
        const has_ended = shown > steps.length;
        make.enable(walk !== null && !has_ended, step, rest);
        rows.replaceChildren(...steps.slice(0, shown).map(row));
        draw_fields(has_ended ? null : steps[shown - 1]);
        if (!walk) {
            answer.textContent = "An address is a number below 2 to the power of 64, such as 0x402abc or 4205244.";
        } else if (has_ended) {
            answer.textContent = `The walk ends: ${walk.outcome.says}.`;
        } else if (shown > 0) {
            const { level, index, says } = steps[shown - 1];
            answer.textContent = `Level ${level}: the entry ${index} ${says}.`;
        } else {
            answer.textContent = "CR3 has the address of the table of level 4. Step reads its entry.";
        }
        answer.classList.toggle("figure-refused", has_ended && walk !== null && walk.outcome.physical === null);
    }

    function row({ level, index, table: at, entry, flags, says }) {
        const code = (text) => make.element("code", {}, text);
        const cells = [`${level}`, `${index}`, code(at), code(entry), flags.join(" ") || "none", says];
        return make.element("tr", {}, ...cells.map((cell) => make.element("td", {}, cell)));
    }

    // The parts of the address, the one that was used last marked.
    function draw_fields(current) {
        const value = number();
        fields.replaceChildren(...(value === null ? [] : FIELDS).map(([high, low], position) => {
            const part = (value >> BigInt(low)) & ((1n << BigInt(high - low + 1)) - 1n);
            const name = position < 4 ? `level ${4 - position}` : "in the page";
            const is_current = current && current.bits[0] === high;
            return make.element("div", { class: is_current ? "figure-current" : null },
                make.element("span", {}, `bits ${high} to ${low}`),
                make.element("strong", {}, `${part}`),
                make.element("span", {}, name));
        }));
    }

    begin();
    const form = make.element("div", { class: "figure-form" },
        make.labelled("Example", examples), make.labelled("Address", address), make.labelled("User mode tries to", attempt));
    return [form, make.element("div", { class: "figure-buttons" }, step, rest, again), fields, answer, table];
};
