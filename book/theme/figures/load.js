// The figures of the book that can be tried. Where a page has one, an element with `data-figure`, this loads the program that is the kernel's own
// code, and replaces the element by what `walk.js`, `tree.js` or `hart.js` makes. Nothing is fetched: a page that was opened as a file may not.
"use strict";

const flatmkFigures = {
    // What makes a figure, by the value of `data-figure`.
    make: {},

    // element("button", { type: "button" }, "Step"): attributes that begin with `on` are functions; children are elements or texts.
    element(name, attributes = {}, ...children) {
        return this.filled(document.createElement(name), attributes, children);
    },

    drawn(name, attributes = {}, ...children) {
        return this.filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
    },

    filled(element, attributes, children) {
        for (const [key, value] of Object.entries(attributes)) {
            if (key.startsWith("on")) {
                element.addEventListener(key.slice(2), value);
            } else if (value !== null) {
                element.setAttribute(key, value);
            }
        }
        element.append(...children);
        return element;
    },

    // A button, the keyboard's as well as the mouse's.
    button(text, action) {
        const button = this.element("button", { type: "button", "aria-disabled": false }, text);
        button.addEventListener("click", () => button.getAttribute("aria-disabled") === "true" || action());
        return button;
    },

    // Makes buttons work, or not. Those that do not keep the keyboard's focus, lest it be lost at the end of a program.
    enable(is_enabled, ...buttons) {
        buttons.forEach((button) => button.setAttribute("aria-disabled", !is_enabled));
    },

    // A field with its label.
    labelled(text, field) {
        return this.element("label", {}, this.element("span", {}, text), field);
    },

    // A choice among texts, by their numbers.
    choice(texts, action) {
        const options = texts.map((text, index) => this.element("option", { value: index }, text));
        return this.element("select", { onchange: action }, ...options);
    },

    // What the last action came to. It is read aloud when it changes.
    answer() {
        return this.element("p", { class: "figure-answer", role: "status", "aria-live": "polite" });
    },

    // A table whose head stays. Returns the table and its body.
    table(caption, heads) {
        const body = this.element("tbody");
        const row = this.element("tr", {}, ...heads.map((head) => this.element("th", { scope: "col" }, head)));
        const table = this.element("table", {}, this.element("caption", {}, caption), this.element("thead", {}, row), body);
        // What is too wide for a phone is scrolled by itself, by the keyboard too.
        const region = { class: "figure-table", role: "region", "aria-label": caption, tabindex: 0 };
        return [this.element("div", region, table), body];
    },

    // Calls a function of the program, whose answer is JSON.
    caller(exports) {
        return (name, ...values) => {
            const length = exports[name](...values);
            const bytes = new Uint8Array(exports.memory.buffer, exports.answer_start(), length);
            return JSON.parse(new TextDecoder().decode(bytes));
        };
    },

    // Sets `flatmkFiguresProgram`, the program in base64.
    load() {
        return new Promise((resolve, reject) => {
            const source = `${path_to_root}figures/program.js`;
            const missing = () => reject(new Error(`${source} is missing: run ./x book, which makes it`));
            document.head.append(this.element("script", { src: source, onload: resolve, onerror: missing }));
        });
    },

    async start() {
        const places = [...document.querySelectorAll("[data-figure]")];
        if (places.length === 0) {
            return;
        }
        try {
            await this.load();
            const bytes = Uint8Array.from(atob(flatmkFiguresProgram), (character) => character.charCodeAt(0));
            const program = await WebAssembly.compile(bytes);
            for (const place of places) {
                // Each figure has a machine of its own.
                const instance = await WebAssembly.instantiate(program, {});
                const figure = this.make[place.dataset.figure](this.caller(instance.exports));
                place.replaceChildren(...figure);
                place.classList.add("figure-ready");
            }
        } catch (error) {
            for (const place of places.filter((place) => !place.classList.contains("figure-ready"))) {
                place.append(this.element("p", { role: "alert" }, `This figure does not work here: ${error.message}.`));
            }
        }
    },
};

document.addEventListener("DOMContentLoaded", () => flatmkFigures.start());
