// A table of capabilities, and the tree of derivation.
"use strict";

flatmkFigures.make.tree = (call) => {
    const make = flatmkFigures;
    // In the order of their bits.
    const RIGHTS = ["read", "write", "execute", "grant", "call", "manage", "transfer"];
    const [ROW, INDENT, BOX] = [40, 34, 200];
    const group = `figure-slot-${Math.random().toString(36).slice(2)}`;

    let view = null;
    let chosen = 2;

    const picture = make.drawn("svg", { role: "img" });
    const [table, rows] = make.table("Slots that hold a capability", ["slot", "kind", "rights", "about"]);
    const left_out = RIGHTS.map((name) => make.element("input", { type: "checkbox", name }));
    const rights = make.element("fieldset", {}, make.element("legend", {}, "Rights to leave out"),
        ...RIGHTS.map((name, index) => make.element("label", {}, left_out[index], ` ${name}`)));
    const destination = make.element("input", { type: "number", min: 0, max: 63, value: 5 });
    const context = make.element("input", { type: "number", min: 0, max: 4294967295, value: 7 });
    const answer = make.answer();
    const buttons = [
        make.button("Copy", () => fill(call("tree_copy", chosen, number(destination), kept()))),
        make.button("Mint", () => fill(call("tree_mint", chosen, number(destination), kept(), number(context)))),
        make.button("Revoke", () => show(call("tree_revoke", chosen))),
        make.button("Delete", () => show(call("tree_delete", chosen))),
        make.button("Start again", () => { chosen = 2; fill(call("tree_reset")); }),
    ];

    // What is no number between 0 and the greatest of 32 bits is the latter, which the kernel refuses.
    function number(field) {
        const value = field.value.trim() === "" ? NaN : Number(field.value);
        return Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? value : 2 ** 32 - 1;
    }

    function kept() {
        return left_out.reduce((bits, box, bit) => (box.checked ? bits : bits | (1 << bit)), 0);
    }

    // After what was done a free slot is offered next.
    function fill(next) {
        show(next);
        if (!next.refused) {
            const used = next.slots.map(({ index }) => index);
            destination.value = Array.from({ length: 62 }, (_, index) => index + 1).find((index) => !used.includes(index)) ?? 62;
        }
    }

    function show(next) {
        view = next;
        if (!view.slots.some(({ index }) => index === chosen)) {
            chosen = view.slots.length > 0 ? view.slots[0].index : 1;
        }
        answer.textContent = view.says;
        answer.classList.toggle("figure-refused", view.refused);
        const had_focus = rows.contains(document.activeElement);
        rows.replaceChildren(...view.slots.map(row));
        if (had_focus) {
            rows.querySelector(":checked")?.focus();
        }
        draw();
    }

    function choose(index) {
        chosen = index;
        for (const box of rows.querySelectorAll("input")) {
            box.checked = Number(box.value) === index;
        }
        draw();
    }

    function row({ index, kind, rights, about }) {
        const box = make.element("input", {
            type: "radio", name: group, value: index, "aria-label": `choose slot ${index}, ${kind}`, onchange: () => choose(index),
        });
        box.checked = index === chosen;
        const cells = [make.element("label", {}, box, ` ${index}`), kind, rights.join(" ").toLowerCase() || "none", about];
        return make.element("tr", {}, ...cells.map((cell) => make.element("td", {}, cell)));
    }

    // Each capability in a row of its own, below the one from which it was derived.
    function draw() {
        const order = [];
        const visit = (parent, depth) => {
            for (const slot of view.slots.filter((slot) => slot.parent === parent)) {
                order.push({ slot, depth, row: order.length, parent });
                visit(slot.index, depth + 1);
            }
        };
        visit(null, 0);
        const row_of = new Map(order.map(({ slot, row }) => [slot.index, row]));
        const width = Math.max(...order.map(({ depth }) => depth), 0) * INDENT + BOX + 4;
        const height = order.length * ROW + 4;
        for (const [name, value] of Object.entries({
            viewBox: `0 0 ${width} ${height}`, width, height, "aria-label": order.map(words).join("; ") || "no capability",
        })) {
            picture.setAttribute(name, value);
        }
        picture.replaceChildren(...order.flatMap(({ slot, depth, row, parent }) => {
            const [left, top] = [depth * INDENT + 2, row * ROW + 4];
            const line = parent === null ? [] : [make.drawn("path", {
                d: `M ${left - INDENT + 14} ${row_of.get(parent) * ROW + ROW - 4} V ${top + 16} H ${left}`,
            })];
            const label = `${slot.index}  ${slot.kind}${slot.kind === "Endpoint" ? `, ${slot.about}` : ""}`;
            const box = make.drawn("g", { class: slot.index === chosen ? "figure-current" : null, onclick: () => choose(slot.index) },
                make.drawn("rect", { x: left, y: top, width: BOX, height: 32, rx: 4 }),
                make.drawn("text", { x: left + 10, y: top + 21 }, label));
            return [...line, box];
        }));
    }

    function words({ slot, parent }) {
        return `slot ${slot.index}, ${slot.kind}${parent === null ? "" : `, derived from slot ${parent}`}`;
    }

    fill(call("tree_reset"));
    const form = make.element("div", { class: "figure-form" }, make.labelled("To slot", destination), make.labelled("Context word (mint)", context));
    return [
        make.element("div", { class: "figure-sides" }, make.element("div", { class: "figure-picture" }, picture), table),
        rights, form, make.element("div", { class: "figure-buttons" }, ...buttons), answer,
    ];
};
