//! What the book shows of a command.

use std::path::Path;

use flatmk_tools::shown::{self, SHELL, Shown};
use flatmk_tools::workspace;

/// All that a page of the book shows behind a prompt, in its order.
#[must_use]
#[track_caller]
pub fn session(page: &str, prompt: &str) -> Vec<Shown> {
    match shown::on_page(workspace::root(), &Path::new("book/src").join(page), prompt) {
        Ok(commands) if commands.is_empty() => panic!("{page} shows no command behind {prompt:?}"),
        Ok(commands) => commands,
        Err(error) => panic!("{error}"),
    }
}

/// What a page of the book shows of a command for the reader's shell.
#[must_use]
#[track_caller]
pub fn below(page: &str, command: &str) -> Shown {
    let mut commands = session(page, SHELL).into_iter();
    let found = commands.find(|shown| shown.command == command && !shown.output.is_empty());
    found.unwrap_or_else(|| panic!("{page} shows nothing below `{command}`"))
}

/// What a page of the book shows as a block of text whose first line has these words.
#[must_use]
#[track_caller]
pub fn text(page: &str, words: &str) -> Shown {
    match shown::texts_on_page(workspace::root(), &Path::new("book/src").join(page)) {
        Ok(texts) => {
            let found = texts.into_iter().find(|shown| shown.output.first().is_some_and(|line| line.contains(words)));
            found.unwrap_or_else(|| panic!("{page} shows no text that begins with {words:?}"))
        }
        Err(error) => panic!("{error}"),
    }
}

/// Fails unless the page shows what was printed.
#[track_caller]
pub fn assert_agrees(shown: &Shown, printed: &str) {
    let (page, line, output) = (shown.page.display(), shown.line, shown.output.join("\n"));
    assert!(shown.agrees_with(printed), "{page}:{line} shows:\n{output}\nand this is printed:\n{printed}");
}
