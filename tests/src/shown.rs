//! What the book shows of a command, to be compared with what it prints.

use std::fs;

use flatmk_tools::workspace;

/// The lines that a page shows below a command. Fails if it does not show the command.
#[must_use]
#[track_caller]
pub fn below(page: &str, command: &str) -> Vec<String> {
    let path = workspace::root().join("book/src").join(page);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines().skip_while(|line| *line != format!("$ {command}"));
    assert!(lines.next().is_some(), "{page} shows no `{command}`");
    lines.take_while(|line| !line.starts_with("$ ") && !line.starts_with("```")).map(str::to_owned).collect()
}

/// Lines in which figures, and the folder of the reader, may differ.
#[must_use]
pub fn masked<'a>(lines: impl IntoIterator<Item = &'a str>, folder: &str) -> Vec<String> {
    let mask = |line: &str| {
        let line = line.trim_end().replace(folder, "FOLDER");
        let mut masked = String::new();
        for letter in line.chars() {
            match letter {
                '0'..='9' if masked.ends_with('N') => {}
                '0'..='9' => masked.push('N'),
                letter => masked.push(letter),
            }
        }
        masked
    };
    lines.into_iter().map(mask).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_folders_are_masked_and_words_are_not() {
        let lines = ["at /tmp/a b/kernel:12 (1234 ticks)", ""];
        assert_eq!(masked(lines, "/tmp/a b"), ["at FOLDER/kernel:N (N ticks)", ""]);
    }
}
