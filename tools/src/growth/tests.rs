//! The kernels of all chapters.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use super::pages::{Pages, diff, show};
use super::*;
use crate::workspace;

/// What a page of the book may have, with what the book tool puts around it.
const PAGE_LIMIT: usize = 1 << 20;
const FRAME: usize = 32 << 10;

/// Made once for all tests.
static PAGES: LazyLock<Pages> =
    LazyLock::new(|| Pages::read(workspace::root()).unwrap_or_else(|error| panic!("{error}")));

fn kernel(chapter: u8) -> &'static Kernel {
    PAGES.kernel(chapter).unwrap()
}

/// That they are formatted and compile is a step of the checks.
#[test]
fn kernels_have_no_conditions_of_chapters() {
    for File { path, text } in CHAPTERS.flat_map(|chapter| &kernel(chapter).files) {
        for mark in ["feature = \"chapter", "ANCHOR", "#[cfg", "optional = true"] {
            assert!(!text.contains(mark), "{}: {mark}", path.display());
        }
    }
}

#[test]
fn each_kernel_has_the_modules_of_its_chapter() {
    let modules = |chapter| {
        let mut modules: Vec<_> = kernel(chapter).files.iter().filter_map(File::module).collect();
        modules.dedup();
        modules.join(" ")
    };
    let first = "arch boot console power processor stop sync testing";
    assert_eq!(modules(1), format!("{first} chapter"));
    assert_eq!(modules(3), format!("{first} interrupts memory planted chapter"));
    assert_eq!(
        modules(12),
        format!(
            "{first} interrupts memory planted capability syscall task ipc scheduling pcid softuser devices trace hardware chapter"
        )
    );
}

#[test]
fn what_a_chapter_adds_is_counted() {
    assert_eq!(
        PAGES.difference(kernel(8)).summary(),
        "chapter       1 changed; lines +1 -1\nall           1 changed; lines +1 -1\n"
    );
    let first = kernel(1);
    let lines: usize = first.files.iter().map(|file| file.text.lines().count()).sum();
    let all = format!("all           {} added; lines +{lines} -0\n", first.files.len());
    let everything = PAGES.difference(first).summary();
    assert!(everything.ends_with(&all), "{everything}");
    let pcid = PAGES.difference(kernel(9));
    let removed: Vec<_> = pcid
        .modules
        .iter()
        .flat_map(|module| &module.changes)
        .filter(|change| change.kind == ChangeKind::Removed)
        .collect();
    assert_eq!(removed.len(), 1, "there is another address space root from then on");
    assert!(removed.iter().all(|change| change.text.contains("\n+++ /dev/null\n")));
}

#[test]
fn what_a_chapter_adds_makes_its_kernel_of_the_one_before() {
    for chapter in 2..=*CHAPTERS.end() {
        let text = |kernel: &Kernel, path: &Path| {
            let file = kernel.files.iter().find(|file| file.path == path);
            file.map(|file| file.text.clone()).unwrap_or_default()
        };
        for change in PAGES.difference(kernel(chapter)).modules.iter().flat_map(|module| &module.changes) {
            let (old, new) = (text(kernel(chapter - 1), &change.path), text(kernel(chapter), &change.path));
            assert_eq!(patched(&old, &change.text), new, "chapter {chapter}: {}", change.path.display());
        }
    }
}

/// What `patch` does.
fn patched(old: &str, patch: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let (mut new, mut at) = (String::new(), 0);
    for line in patch.split_inclusive('\n').skip(2) {
        if let Some(place) = line.strip_prefix("@@ -") {
            let start: usize = place.split([',', ' ']).next().and_then(|start| start.parse().ok()).unwrap();
            let start = start.saturating_sub(1);
            new.push_str(&old[at..start].concat());
            at = start;
            continue;
        }
        let (sign, text) = line.split_at(1);
        if sign != "+" {
            assert_eq!(old[at], text);
            at += 1;
        }
        if sign != "-" {
            new.push_str(text);
        }
    }
    new.push_str(&old[at..].concat());
    new
}

#[test]
fn each_page_of_the_book_can_be_loaded() {
    for chapter in CHAPTERS {
        for page in [show(kernel(chapter)), diff(&PAGES.difference(kernel(chapter)))] {
            let size: usize =
                page.chars().map(|letter| if "<>&\"'".contains(letter) { 6 } else { letter.len_utf8() }).sum();
            assert!(size + FRAME < PAGE_LIMIT, "chapter {chapter}: {size} bytes: split the page");
        }
        for directive in ["show", "diff"] {
            let name = if directive == "show" { "kernel" } else { "added" };
            let page =
                fs::read_to_string(workspace::root().join(format!("book/src/source/{name}-{chapter}.md"))).unwrap();
            assert!(page.ends_with(&format!("\n{{{{#{directive} {chapter}}}}}\n")), "{page}");
        }
    }
}

#[test]
fn a_page_without_its_chapter_is_refused() {
    let book = |content: &str| {
        let chapter = serde_json::json!({"Chapter": {"name": "A page", "content": content, "number": null, "sub_items": [],
            "path": "a.md", "source_path": "a.md", "parent_names": []}});
        let context = serde_json::json!({"root": "/", "config": {}, "renderer": "html", "mdbook_version": "0.5.4"});
        serde_json::json!([context, {"items": [chapter]}]).to_string()
    };
    let preprocess = |content: &str| preprocess(workspace::root(), book(content).as_bytes());
    assert!(preprocess("Nothing of ours: {{#include a}}").is_ok());
    let error = preprocess("{{#show 13}}").unwrap_err().to_string();
    assert_eq!(error, "A page wants the kernel of chapter 13: there are chapters 1 to 12");
    assert!(super::preprocess(workspace::root(), &b"{}"[..]).unwrap_err().to_string().contains("mdbook build book"));
}

#[test]
fn a_folder_is_written_only_where_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let [present, absent] = ["", "new/folder"].map(|name| folder.path().join(name));
    assert!(check_empty(&present).is_ok() && check_empty(&absent).is_ok());
    write(workspace::root(), kernel(5), &absent).unwrap();
    assert!(absent.join("kernel/image/src/lib.rs").is_file() && absent.join("kernel/src/memory/root.rs").is_file());
    assert!(matches!(check_empty(&absent), Err(GrowthError::NotEmpty(_))));
    assert!(matches!(check_empty(&absent.join("Cargo.toml")), Err(GrowthError::Write { .. })));
    // Another chapter in the same place.
    write(workspace::root(), kernel(9), &absent).unwrap();
    assert!(!absent.join("kernel/src/memory/root.rs").exists() && absent.join("kernel/src/pcid/mod.rs").is_file());
}

#[test]
fn what_is_missing_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        (MANIFEST, ""),
        (BUILD_SCRIPT, ""),
        (ROOTS[0], ""),
        (ROOTS[1], "mod there;\nmod missing;\n"),
        ("kernel/src/there.rs", ""),
    ];
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(""))).unwrap();
        fs::write(path, text).unwrap();
    }
    let error = Growth::read(folder.path()).unwrap_err().to_string();
    assert_eq!(error, "kernel/src/lib.rs names the module `missing`, which has no file");
    fs::write(folder.path().join("kernel/src/there.rs"), "fn f() {}\n)").unwrap();
    let error = Growth::read(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with("kernel/src/there.rs, line 2: "), "{error}");
}
