use std::process::Command;

use super::copy::{self, CopyError};
use super::progress::Progress;
use super::*;

const SOURCE: &str = "fn before() {}\n\nimpl Thing {\n    fn answer(&self) -> u64 {\n        // ANCHOR: exercise-1-1\n        let seven = 7;\n\n        6 * seven\n        // ANCHOR_END: exercise-1-1\n    }\n}\n";

fn step() -> Step {
    Step {
        chapter: 1,
        number: 1,
        title: "Find the answer".to_owned(),
        file: "kernel/src/thing.rs".into(),
        tests: Tests::Test("chapter01_boot".to_owned()),
        target: None,
        shows: vec!["the_answer_is_right".to_owned()],
        hints: vec!["It is a product of two numbers.".to_owned(), "One of them is 6.".to_owned()],
    }
}

#[test]
fn a_body_is_taken_out_and_everything_else_stays() {
    let expected = "fn before() {}\n\nimpl Thing {\n    fn answer(&self) -> u64 {\n        // ANCHOR: exercise-1-1\n        // Exercise 1.1: Find the answer.\n        // It is a product of two numbers.\n        todo!(\"exercise 1.1\")\n        // ANCHOR_END: exercise-1-1\n    }\n}\n";
    assert_eq!(text::start(SOURCE, &step()).as_deref(), Some(expected));
    assert_eq!(text::body(SOURCE, &step()).unwrap(), "        let seven = 7;\n\n        6 * seven\n");
    assert_eq!(text::line(SOURCE, &step()), Some(6));
}

#[test]
fn a_body_whose_anchor_is_missing_or_open_is_not_found() {
    for source in ["", &SOURCE.replace("_END", ""), &SOURCE.replace("exercise-1-1", "exercise-1-10")] {
        assert_eq!(text::start(source, &step()), None);
        assert!(matches!(text::body(source, &step()), Err(ExerciseError::NoBody { .. })));
    }
}

#[test]
fn long_hints_are_wrapped() {
    let step = Step { hints: vec!["word ".repeat(60)], ..step() };
    let started = text::start(SOURCE, &step).unwrap();
    assert!(started.lines().all(|line| line.len() < 120 && line.trim_end() == line), "{started}");
}

#[test]
fn lists_say_what_they_lack() {
    let folder = tempfile::tempdir().unwrap();
    let chapter = folder.path().join("chapters/01-boot");
    fs::create_dir_all(&chapter).unwrap();
    assert!(matches!(steps(folder.path(), 2), Err(ExerciseError::NoChapter(2, _))));
    assert!(matches!(steps(folder.path(), 1), Err(ExerciseError::File { .. })));
    let list = chapter.join("exercises.toml");
    let whole = "[[step]]\ntitle = \"Find the answer\"\nfile = \"kernel/src/thing.rs\"\ntest = \"chapter01_boot\"\nshows = [\"the_answer_is_right\"]\nhints = [\"It is a product of two numbers.\", \"One of them is 6.\"]\n";
    fs::write(&list, whole).unwrap();
    assert_eq!(steps(folder.path(), 1).unwrap(), [step()]);
    for line in whole.lines().skip(1) {
        fs::write(&list, whole.replace(line, "")).unwrap();
        assert!(matches!(steps(folder.path(), 1), Err(ExerciseError::List { .. })), "without {line}");
    }
}

#[test]
fn a_hint_more_is_given_each_time_the_same_step_fails() {
    let mut progress = Progress::default();
    assert_eq!(
        [progress.fail(0), progress.fail(0), progress.fail(1), progress.fail(1), progress.fail(0)],
        [1, 2, 1, 2, 1]
    );
}

#[test]
fn progress_that_cannot_be_read_is_that_of_a_beginner() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Progress::read(folder.path()), Progress::default());
    let progress = Progress { start: "abc".to_owned(), passed: 2, hints: 1 };
    progress.write(folder.path()).unwrap();
    assert_eq!(Progress::read(folder.path()), progress);
    fs::write(folder.path().join("flatmk-progress.json"), "{").unwrap();
    assert_eq!(Progress::read(folder.path()), Progress::default());
}

/// A checkout with one exercise, and the folder around it.
fn checkout() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let checkout = folder.path().join("flat mk");
    fs::create_dir_all(checkout.join("chapters/01-boot")).unwrap();
    fs::create_dir_all(checkout.join("kernel/src")).unwrap();
    let list = "[[step]]\ntitle = \"Find the answer\"\nfile = \"kernel/src/thing.rs\"\ntest = \"chapter01_boot\"\nshows = [\"x\"]\nhints = [\"It is a product.\"]\n";
    fs::write(checkout.join("chapters/01-boot/exercises.toml"), list).unwrap();
    fs::write(checkout.join("kernel/src/thing.rs"), SOURCE).unwrap();
    git(&checkout, &["init", "--quiet", "--initial-branch=main"]);
    git(&checkout, &["add", "--all"]);
    git(&checkout, &["commit", "--quiet", "--message", "All"]);
    (folder, checkout)
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=A", "-c", "user.email=a@localhost"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_working_copy_stands_beside_the_checkout_and_leaves_it_alone() {
    let (folder, checkout) = checkout();
    let begun = copy::begin(&checkout, 1, None, false).unwrap();
    assert_eq!(begun.copy.folder, folder.path().join("flat mk-chapter1"));
    assert_eq!((begun.was_there, begun.without_changes, begun.kept), (false, false, None));
    assert!(
        fs::read_to_string(begun.copy.folder.join("kernel/src/thing.rs")).unwrap().contains("todo!(\"exercise 1.1\")")
    );
    assert_eq!(git(&checkout, &["status", "--porcelain"]), "");
    assert_eq!(fs::read_to_string(checkout.join("kernel/src/thing.rs")).unwrap(), SOURCE);
    assert_eq!(copy::original(&begun.copy, Path::new("kernel/src/thing.rs")).unwrap(), SOURCE);
    // Without the record, the commit is found by its subject.
    Progress::default().write(&begun.copy.git_folder).unwrap();
    assert_eq!(copy::original(&begun.copy, Path::new("kernel/src/thing.rs")).unwrap(), SOURCE);
    assert_eq!(copy::find(&checkout, None).unwrap(), begun.copy);
    assert_eq!(copy::find(&begun.copy.folder, None).unwrap(), begun.copy);
    assert!(matches!(copy::find(&checkout, Some(2)), Err(CopyError::NotBegun(2))));
    assert!(matches!(copy::begin(&begun.copy.folder, 1, None, false), Err(CopyError::WithinCopy)));
}

#[test]
fn work_in_a_working_copy_is_never_lost() {
    let (_folder, checkout) = checkout();
    let copy = copy::begin(&checkout, 1, None, false).unwrap().copy;
    let source = copy.folder.join("kernel/src/thing.rs");
    fs::write(&source, "mine").unwrap();
    // Begun again, it stays as it is.
    assert!(copy::begin(&checkout, 1, None, false).unwrap().was_there);
    assert_eq!(fs::read_to_string(&source).unwrap(), "mine");
    // What is not committed stands in the way of a new beginning.
    assert!(matches!(copy::begin(&checkout, 1, None, true), Err(CopyError::Dirty(_))));
    assert_eq!(fs::read_to_string(&source).unwrap(), "mine");
    git(&copy.folder, &["commit", "--quiet", "--all", "--message", "Mine"]);
    // What is committed is kept on another branch, each time.
    for number in 1..=2 {
        let kept = copy::begin(&checkout, 1, None, true).unwrap().kept.unwrap();
        assert_eq!(kept, format!("learn/chapter1-before-{number}"));
        assert!(fs::read_to_string(&source).unwrap().contains("todo!"));
    }
    assert_eq!(git(&checkout, &["show", "learn/chapter1-before-1:kernel/src/thing.rs"]), "mine");
    // And when the folder is gone, its branch is not.
    fs::write(&source, "mine again").unwrap();
    git(&copy.folder, &["commit", "--quiet", "--all", "--message", "Mine again"]);
    fs::remove_dir_all(&copy.folder).unwrap();
    assert!(matches!(copy::find(&checkout, None), Err(CopyError::NoneBegun)));
    assert!(copy::begin(&checkout, 1, None, false).unwrap().was_there);
    assert_eq!(fs::read_to_string(&source).unwrap(), "mine again");
}

#[test]
fn a_working_copy_needs_a_free_folder_and_git() {
    let (folder, checkout) = checkout();
    assert!(matches!(copy::begin(&checkout, 1, Some(folder.path()), false), Err(CopyError::FolderIsThere(_))));
    assert!(matches!(copy::begin(&checkout, 2, None, false), Err(CopyError::Exercise(ExerciseError::NoChapter(2, _)))));
    fs::write(checkout.join("new"), "").unwrap();
    assert!(copy::begin(&checkout, 1, None, false).unwrap().without_changes);
    assert!(matches!(copy::begin(folder.path(), 1, None, false), Err(CopyError::NoCheckout { .. })));
}

/// What the proof finds as well, but only where somebody runs it.
#[test]
fn every_step_has_a_body_hints_and_tests() {
    let root = crate::workspace::root();
    let folders = ["chapters", "kernel", "tests", "userland"].map(|folder| root.join(folder));
    let sources = folders.iter().flat_map(|folder| walkdir::WalkDir::new(folder).into_iter().flatten());
    let sources = sources.filter(|entry| entry.path().extension().is_some_and(|kind| kind == "rs"));
    let sources: String = sources.map(|entry| fs::read_to_string(entry.path()).unwrap()).collect();
    for chapter in crate::CHAPTERS {
        let steps = steps(root, chapter).unwrap();
        assert!(steps.len() >= 4, "chapter {chapter}");
        for step in steps {
            let name = step.name();
            let source = fs::read_to_string(root.join(&step.file)).unwrap();
            assert!(text::body(&source, &step).is_ok_and(|body| body.lines().count() >= 3), "{name} is too short");
            assert!(step.hints.len() >= 3, "hints of {name}");
            assert!(!step.shows.is_empty(), "tests of {name}");
            for word in &step.shows {
                let test = format!("fn {}", word.rsplit("::").next().unwrap());
                assert!(sources.contains(&test), "{name} is shown by {word}, which is no test");
            }
        }
    }
}
