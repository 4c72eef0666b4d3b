//! The figures of the book that can be tried, in a browser: by mouse and by keyboard, from files and from a server.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fs, thread};

use flatmk_tests::browser::{Browser, browser, file_url};
use flatmk_tools::{book_figures, cache, workspace};
use serde_json::json;
use test_case::test_case;
use walkdir::WalkDir;

const ANSWER: &str = ".figure-answer";
const WIDE: u32 = 1200;
const PHONE: u32 = 360;

/// The built book, by its folder.
fn book() -> PathBuf {
    static BOOK: OnceLock<PathBuf> = OnceLock::new();
    let build = || {
        book_figures::update(workspace::root()).expect("the figures build");
        let folder = workspace::metadata().expect("cargo answers").target_directory.join("end-to-end/book");
        let mut mdbook = Command::new(cache::mdbook());
        let status = mdbook.args(["build", "book", "--dest-dir"]).arg(&folder).current_dir(workspace::root()).status();
        assert!(status.expect("mdbook runs").success(), "the book builds");
        folder.into_std_path_buf()
    };
    BOOK.get_or_init(build).clone()
}

fn open(browser: &mut Browser, chapter: &str, width: u32) {
    browser.open(&file_url(&book().join(format!("chapters/{chapter}.html"))), width);
}

#[track_caller]
fn assert_answer(browser: &mut Browser, expected: &str) {
    let answer = browser.text(ANSWER);
    assert!(answer.contains(expected), "no `{expected}` in `{answer}`");
}

/// The first field of the figure has the keyboard from now on.
fn begin_with_keyboard(browser: &mut Browser, selector: &str) {
    browser.evaluate(&format!("document.querySelector('[data-figure] {selector}').focus()"));
}

/// Types a key until this is where the keyboard is.
#[track_caller]
fn tab_to(browser: &mut Browser, what: &str) {
    for _ in 0..30 {
        let active = "document.activeElement.textContent.trim() + (document.activeElement.name ?? '')";
        if browser.evaluate(active) == json!(what) {
            return;
        }
        browser.keys(&["Tab"]);
    }
    panic!("the keyboard does not come to `{what}`");
}

#[test]
fn an_address_is_walked_by_mouse() {
    let browser = &mut *browser();
    open(browser, "paging", WIDE);
    assert_answer(browser, "CR3 has the address of the table of level 4");
    browser.press("Step");
    assert_answer(browser, "Level 4: the entry 0 leads to a table of level 3");
    browser.press("Step");
    assert_answer(browser, "Level 3: the entry 0 leads to a table of level 2");
    browser.press("To the end");
    assert_answer(browser, "The walk ends: physical address 0x789abc; user mode may read and write there.");
    assert_eq!(browser.evaluate("document.querySelectorAll('[data-figure] tbody tr').length"), json!(4));
    // There is nothing more to do.
    browser.press("Step");
    assert_answer(browser, "The walk ends");
    browser.press("Start again");
    assert_answer(browser, "CR3 has");
    browser.assert_quiet(&["file://"]);
}

#[test]
fn an_address_is_walked_by_keyboard() {
    let browser = &mut *browser();
    open(browser, "paging", WIDE);
    begin_with_keyboard(browser, "input");
    browser.retype("0x40_1008");
    browser.keys(&["Tab", "ArrowDown"]);
    tab_to(browser, "To the end");
    browser.keys(&["Enter"]);
    let fault = "page fault: write to 0x401008 by user mode, where the page does not allow it; the error code is 0x7";
    assert_answer(browser, fault);
    assert_eq!(browser.evaluate("document.activeElement.textContent"), json!("To the end"), "the keyboard stays");
    begin_with_keyboard(browser, "input");
    for (address, answer) in [
        ("0x8abcde", "physical address 0x4abcde"),
        ("4214784", "where nothing is mapped"),
        ("0x800000000000", "not canonical"),
        ("0xffffffffffffffff", "where nothing is mapped"),
    ] {
        begin_with_keyboard(browser, "input");
        browser.retype(address);
        tab_to(browser, "To the end");
        browser.keys(&[" "]);
        assert_answer(browser, answer);
    }
    for nonsense in ["", "0x", "seven", "-1", "0x10000000000000000", "99999999999999999999"] {
        begin_with_keyboard(browser, "input");
        browser.retype(nonsense);
        if nonsense.is_empty() {
            browser.evaluate(
                "{ const field = document.activeElement; field.value = ''; field.dispatchEvent(new Event('input')) }",
            );
        }
        assert_answer(browser, "An address is a number below 2 to the power of 64");
    }
    browser.assert_quiet(&["file://"]);
}

#[test]
fn capabilities_are_copied_and_revoked_by_mouse() {
    let browser = &mut *browser();
    open(browser, "capabilities", WIDE);
    let label = "document.querySelector('[data-figure] svg').getAttribute('aria-label')";
    browser.press("Copy");
    assert_answer(browser, "Copied slot 2 to slot 5.");
    // The copy, in the picture.
    browser
        .click("[...document.querySelectorAll('[data-figure] svg g')].find((box) => box.textContent.startsWith('5'))");
    browser.press("Copy");
    assert_answer(browser, "Copied slot 5 to slot 6.");
    let tree = "slot 1, Memory; slot 2, Frame, derived from slot 1; slot 5, Frame, derived from slot 2; slot 6, Frame, derived from slot 5; ";
    let present = browser.evaluate(label);
    assert!(
        present.as_str().is_some_and(|label| label.contains("slot 6, Frame, derived from slot 5")),
        "{present}, not {tree}"
    );
    browser.press("Mint");
    assert_answer(browser, "Refused, WrongKind:");
    browser.click("document.querySelector('[data-figure] input[value=\"2\"]')");
    browser.press("Revoke");
    assert_answer(browser, "Revoked slot 2, in ");
    assert_eq!(browser.evaluate("document.querySelectorAll('[data-figure] svg g').length"), json!(4));
    browser.click("document.querySelector('[data-figure] input[value=\"1\"]')");
    browser.press("Delete");
    assert_answer(browser, "Refused, InvalidState:");
    browser.press("Revoke");
    assert_answer(browser, "Revoked slot 1, in ");
    assert_eq!(browser.evaluate("document.querySelectorAll('[data-figure] svg g').length"), json!(1));
    browser.press("Start again");
    assert_eq!(browser.evaluate("document.querySelectorAll('[data-figure] svg g').length"), json!(4));
    browser.assert_quiet(&["file://"]);
}

#[test]
fn capabilities_are_minted_and_refused_by_keyboard() {
    let browser = &mut *browser();
    open(browser, "capabilities", WIDE);
    begin_with_keyboard(browser, "input:checked");
    browser.keys(&["ArrowDown", "ArrowDown"]);
    tab_to(browser, "grant");
    browser.keys(&[" "]);
    tab_to(browser, "Mint");
    browser.keys(&["Enter"]);
    assert_answer(browser, "Minted slot 4 to slot 5, with the context word 7.");
    assert_eq!(
        browser.evaluate("document.querySelector('[data-figure] tbody tr:last-child').textContent"),
        json!(" 5Endpointcall manage transfercontext word 7")
    );
    begin_with_keyboard(browser, "input:checked");
    browser.keys(&["ArrowDown"]);
    tab_to(browser, "Copy");
    browser.keys(&["Enter"]);
    assert_answer(browser, "Refused, MissingRight:");
    browser.assert_quiet(&["file://"]);
}

#[test]
fn a_program_is_stepped_by_mouse() {
    let browser = &mut *browser();
    open(browser, "softuser", WIDE);
    let current = "document.querySelector('[data-figure] [aria-current=step]').textContent";
    for instruction in ["addi a0, zero, 0", "addi t0, zero, 5", "add a0, a0, t0"] {
        let line = browser.evaluate(current);
        assert!(line.as_str().is_some_and(|line| line.ends_with(instruction)), "{line}, not {instruction}");
        browser.press("Step");
        assert_answer(browser, "Ran one instruction.");
    }
    assert!(browser.text(".figure-registers").contains("a00x5"));
    assert!(browser.text(".figure-block").contains("bne: rd 32, rs1 5, rs2 0, number 16"));
    browser.press("Run");
    assert_answer(browser, "by ebreak: the end of the program.");
    assert!(browser.text(".figure-registers").contains("a00xf"));
    browser.press("Start again");
    assert_answer(browser, "At the first instruction.");
    browser.assert_quiet(&["file://"]);
}

#[test]
fn programs_are_chosen_and_run_by_keyboard() {
    let browser = &mut *browser();
    open(browser, "softuser", WIDE);
    begin_with_keyboard(browser, "select");
    browser.keys(&["ArrowDown"]);
    tab_to(browser, "Run");
    browser.keys(&["Enter"]);
    assert_eq!(browser.text(".figure-console"), "Hello from RISC-V\n");
    begin_with_keyboard(browser, "select");
    browser.keys(&["ArrowDown"]);
    tab_to(browser, "Step");
    browser.keys(&["Enter"; 6]);
    assert!(browser.text(".figure-registers").contains("t10xe"), "{}", browser.text(".figure-registers"));
    browser.keys(&["Enter"; 2]);
    assert_answer(browser, "Stopped at 0x10012: an access to 0x20000, where the program has no memory.");
    browser.assert_quiet(&["file://"]);
}

#[test_case("paging")]
#[test_case("capabilities")]
#[test_case("softuser")]
fn a_figure_fits_on_a_phone(chapter: &str) {
    let browser = &mut *browser();
    open(browser, chapter, PHONE);
    let fits = "(element) => element.scrollWidth <= element.clientWidth";
    for element in ["document.documentElement", "document.querySelector('[data-figure]')"] {
        assert_eq!(browser.evaluate(&format!("({fits})({element})")), json!(true), "{element}");
    }
    browser.assert_quiet(&["file://"]);
}

/// All pages but the one for printing, and the twelve kernels, which are folded code.
fn pages() -> Vec<PathBuf> {
    let is_read = |path: &Path| {
        let is_page = path.extension().is_some_and(|kind| kind == "html");
        is_page
            && !["print.html", "toc.html"].iter().any(|name| path.ends_with(name))
            && !path.iter().any(|part| part == "source")
    };
    let files = WalkDir::new(book()).sort_by_file_name().into_iter().map(|entry| entry.expect("an entry").into_path());
    files.filter(|path| is_read(path)).collect()
}

#[test]
fn every_page_fits_on_a_phone() {
    let browser = &mut *browser();
    browser.screen(PHONE);
    let pages = pages();
    assert!(pages.len() > 30, "the book has become short: {pages:?}");
    for page in pages {
        browser.open_without_figures(&file_url(&page));
        // Listings and tables scroll by themselves.
        let width = browser.evaluate("document.documentElement.scrollWidth");
        assert!(width.as_u64().is_some_and(|width| width <= u64::from(PHONE)), "{} is {width} wide", page.display());
    }
}

/// By the contrast of each text with its ground: 4.5 is what the Web Content Accessibility Guidelines want (WCAG 2.2, 1.4.3).
#[test_case("light")]
#[test_case("dark")]
fn every_page_is_legible(scheme: &str) {
    let browser = &mut *browser();
    browser.screen(WIDE);
    browser.prefer(scheme);
    let mut faint = Vec::new();
    for page in pages() {
        browser.open_without_figures(&file_url(&page));
        let found = browser.evaluate(FAINT);
        faint.extend((found != json!([])).then(|| format!("{}: {found}", page.display())));
    }
    browser.prefer("light");
    assert!(faint.is_empty(), "{}", faint.join("\n"));
}

/// Texts of the page with too little contrast, each kind of them once.
const FAINT: &str = r#"(() => {
    const parts = (color) => color.match(/[0-9.]+/g).map(Number);
    const ground = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const color = parts(getComputedStyle(at).backgroundColor);
            if (color.length < 4 || color[3] > 0.9) return color;
        }
        return [255, 255, 255];
    };
    const light = (color) => {
        const [r, g, b] = color.map((part) => part / 255).map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faint = new Map();
    const texts = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (!texts.currentNode.data.trim() || element.closest('svg, style, script') || !element.checkVisibility()) continue;
        const [one, other] = [light(parts(getComputedStyle(element).color)), light(ground(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        const kind = element.tagName + '.' + element.className;
        if (contrast < 4.5 && !faint.has(kind)) faint.set(kind, `${kind} "${texts.currentNode.data.trim().slice(0, 30)}": ${contrast.toFixed(2)}: ${getComputedStyle(element).color} on ${ground(element)}`);
    }
    return [...faint.values()];
})()"#;

/// From files, as a reader without a network does it.
#[test]
fn words_are_searched_for_by_keyboard() {
    let browser = &mut *browser();
    browser.screen(WIDE);
    browser.open_without_figures(&file_url(&book().join("introduction.html")));
    browser.click("document.getElementById('mdbook-search-toggle')");
    browser.wait_for("document.activeElement.id === 'mdbook-searchbar'");
    browser.retype("time slice");
    browser.wait_for("document.querySelectorAll('#mdbook-searchresults a').length > 3");
    let first = browser.evaluate("document.querySelector('#mdbook-searchresults a').href");
    assert!(first.as_str().is_some_and(|link| link.contains("scheduling.html")), "{first}");
    browser.assert_quiet(&["file://"]);
}

#[test]
fn the_page_for_printing_has_every_page_and_hides_the_kernels_on_paper() {
    let browser = &mut *browser();
    browser.screen(WIDE);
    browser.open_without_figures(&file_url(&book().join("print.html")));
    let headings = browser.evaluate("[...document.querySelectorAll('main h1')].map((heading) => heading.textContent)");
    let headings: Vec<&str> =
        headings.as_array().expect("headings").iter().filter_map(serde_json::Value::as_str).collect();
    for page in ["FlatMk", "Paging", "Hardware", "Glossary", "Bibliography"] {
        assert!(headings.iter().any(|heading| heading.contains(page)), "{page}: {headings:?}");
    }
    let kernels = "[...document.querySelectorAll('details.source')]";
    assert!(browser.evaluate(&format!("{kernels}.length")).as_u64() > Some(23));
    browser.on_paper(true);
    let shown = browser.evaluate(&format!("{kernels}.filter((kernel) => kernel.checkVisibility()).length"));
    browser.on_paper(false);
    assert_eq!(shown, json!(0));
}

/// Without JavaScript there is a sentence, and a picture; and the program is loaded where there is a figure only.
#[test]
fn a_page_without_a_figure_loads_no_program_and_a_figure_says_what_it_needs() {
    for (chapter, picture) in [("paging", "walk"), ("capabilities", "derivation"), ("softuser", "block")] {
        let page = fs::read_to_string(book().join(format!("chapters/{chapter}.html"))).expect("it was built");
        assert!(page.contains("To try this figure you need JavaScript. The picture above"), "{chapter}");
        assert!(page.contains(&format!("pictures/{picture}.svg")), "{chapter}");
        assert!(!page.contains("program.js"), "{chapter}");
    }
    let browser = &mut *browser();
    browser.open(&file_url(&book().join("chapters/paging.html")), WIDE);
    assert!(browser.requests().iter().any(|url| url.ends_with("/figures/program.js")), "{:?}", browser.requests());
    browser.open_without_figures(&file_url(&book().join("chapters/boot.html")));
    assert!(!browser.requests().iter().any(|url| url.ends_with("/figures/program.js")), "{:?}", browser.requests());
}

/// `mdbook serve`, until it is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn figures_work_as_mdbook_serves_them() {
    book();
    // Free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let folder = tempfile::tempdir().expect("a folder");
    let serve = Command::new(cache::mdbook())
        .args(["serve", "book", "--hostname", "127.0.0.1", "--port", &port.to_string(), "--dest-dir"])
        .arg(folder.path())
        .current_dir(workspace::root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _server = Server(serve.expect("mdbook runs"));
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(start.elapsed() < Duration::from_secs(60), "no answer from mdbook");
        thread::sleep(Duration::from_millis(50));
    }
    let browser = &mut *browser();
    browser.open(&format!("http://127.0.0.1:{port}/chapters/softuser.html"), WIDE);
    browser.press("Run");
    assert_answer(browser, "by ebreak: the end of the program.");
    browser.assert_quiet(&[&format!("http://127.0.0.1:{port}/"), &format!("ws://127.0.0.1:{port}/")]);
    // The page watches the server, which goes now.
    browser.leave();
}
