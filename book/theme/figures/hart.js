// A RISC-V program in the engine.
"use strict";

flatmkFigures.make.hart = (call) => {
    const make = flatmkFigures;
    const NAMES = ("zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6").split(" ");

    let before = null;

    const programs = make.choice(["add 1 to 5", "write a text", "store where there is no memory"], () => begin());
    const step = make.button("Step", () => show(call("hart_step")));
    const run = make.button("Run", () => show(call("hart_run")));
    const again = make.button("Start again", () => begin());
    const [code, lines] = make.table("Program", ["", "address", "bits", "instruction"]);
    const block = make.element("ol", { class: "figure-block", start: 0 });
    const registers = make.element("dl", { class: "figure-registers", "aria-label": "Registers" });
    const screen = make.element("pre", { class: "figure-console", "aria-label": "Console" });
    const answer = make.answer();

    function begin() {
        before = null;
        show(call("hart_begin", Number(programs.value)));
    }

    function show(view) {
        make.enable(!view.ended, step, run);
        answer.textContent = view.says;
        lines.replaceChildren(...view.code.map(({ pc, bits, text }) => {
            const is_current = pc === view.pc;
            const cells = [is_current ? "▶" : "", pc, bits, text].map((cell) => make.element("td", {}, make.element("code", {}, cell)));
            return make.element("tr", { class: is_current ? "figure-current" : null, "aria-current": is_current ? "step" : null }, ...cells);
        }));
        block.replaceChildren(...view.block.map((slot) => make.element("li", {}, slot)));
        // Registers that are not used stay out of the way.
        registers.replaceChildren(...view.registers.flatMap((value, index) => {
            const has_changed = before !== null && before[index] !== value;
            const is_used = value !== "0x0" || has_changed || ["a0", "t0", "t1", "s0", "s1"].includes(NAMES[index]);
            return is_used ? [make.element("div", { class: has_changed ? "figure-current" : null },
                make.element("dt", {}, NAMES[index]), make.element("dd", {}, value))] : [];
        }));
        before = view.registers;
        screen.textContent = view.console;
    }

    begin();
    const heading = (text) => make.element("p", { class: "figure-heading" }, text);
    return [
        make.element("div", { class: "figure-form" }, make.labelled("Program", programs)),
        make.element("div", { class: "figure-buttons" }, step, run, again),
        answer,
        make.element("div", { class: "figure-sides" }, code,
            make.element("div", {}, heading("Registers"), registers, heading("Console"), screen)),
        heading("What the engine makes of the code from here on, slot by slot"),
        block,
    ];
};
