//! The source of a stub: instructions with their comments, in the text of a `global_asm!`.

use std::sync::LazyLock;

use iced_x86::{Instruction, OpKind};
use regex::Regex;

use super::ListingError;

/// An instruction as it is written.
#[derive(Debug)]
pub(super) struct Written {
    /// Without labels and comment.
    pub(super) text: String,
    /// What its operands in braces stand for.
    pub(super) names: Vec<String>,
    /// What it is for.
    pub(super) comment: Comment,
}

/// A comment: at the end of a line, or on lines of its own for the instructions after it, up to a blank line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) text: String,
    /// The line it begins in: two comments can have the same text.
    line: usize,
}

/// Names that the disassembler has for the same instructions.
const SAME: [(&str, &str); 5] = [("jz", "je"), ("jnz", "jne"), ("jc", "jb"), ("jnc", "jae"), ("movabs", "mov")];

static LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\w+:\s*").expect("a constant expression"));
static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{(\w+)\}").expect("a constant expression"));
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"offset_of!\((\w+), ([\w.]+)\)").expect("a constant expression"));

impl Written {
    /// Whether a disassembled instruction can be this one: the operation, and those of the operands that are registers.
    pub(super) fn agrees_with(&self, instruction: &Instruction) -> bool {
        let (operation, operands) = self.text.split_once(' ').unwrap_or((&self.text, ""));
        let operation = SAME.iter().find(|(written, _)| *written == operation).map_or(operation, |(_, same)| same);
        let mut operands = operands.split(',').map(str::trim).filter(|operand| !operand.is_empty());
        let found = format!("{:?}", instruction.mnemonic()).to_lowercase();
        let agrees = |index: u32| {
            let is_register = instruction.op_kind(index) == OpKind::Register;
            let register = format!("{:?}", instruction.op_register(index)).to_lowercase();
            operands.next().is_some_and(|operand| !is_register || operand == register)
        };
        operation == found && (0..instruction.op_count()).all(agrees)
    }
}

/// Reads the instructions from a label to the end of the text.
///
/// # Errors
///
/// If there is no such label, or an instruction without a comment.
pub(super) fn read(source: &str, file: &'static str, label: &'static str) -> Result<Vec<Written>, ListingError> {
    let mut lines = source.lines().enumerate().skip_while(|(_, line)| line.trim() != format!("{label}:"));
    lines.next().ok_or(ListingError::NoStub { file, label })?;
    let mut found = Vec::new();
    let mut group: Option<Comment> = None;
    let mut is_comment_open = false;
    for (number, line) in lines.take_while(|(_, line)| !line.trim().starts_with('"')) {
        let (code, comment) = line.split_once('#').unwrap_or((line, ""));
        let (code, comment) = (without_labels(code.trim()), comment.trim());
        if line.trim().is_empty() {
            group = None;
        } else if line.trim().starts_with('#') {
            match &mut group {
                Some(group) if is_comment_open => group.text = format!("{} {comment}", group.text),
                _ => group = Some(Comment { text: comment.to_owned(), line: number }),
            }
            is_comment_open = true;
            continue;
        } else if !code.is_empty() && !code.starts_with('.') {
            let own = (!comment.is_empty()).then(|| Comment { text: comment.to_owned(), line: number });
            let comment = own.or_else(|| group.clone()).ok_or_else(|| ListingError::NoComment(code.to_owned()))?;
            let names = NAME.captures_iter(code).filter_map(|name| name.get(1));
            let names = names.map(|name| meaning(source, name.as_str())).collect();
            found.push(Written { text: code.to_owned(), names, comment });
        }
        is_comment_open = false;
    }
    Ok(found)
}

fn without_labels(mut code: &str) -> &str {
    while let Some(label) = LABEL.find(code) {
        code = code.get(label.end()..).unwrap_or_default();
    }
    code
}

/// What the source says that a name in braces stands for: `Task.context.rbx` for `offset_of!(Task, context) + offset_of!(Context, rbx)`.
fn meaning(source: &str, name: &str) -> String {
    let definition = source.lines().find_map(|line| {
        let value = line.trim().strip_prefix(name)?.strip_prefix(" = ")?;
        value.strip_prefix("sym ").or_else(|| value.strip_prefix("const "))
    });
    let Some(definition) = definition else { return name.to_owned() };
    let fields: Vec<_> = FIELD.captures_iter(definition).map(|field| field.extract::<2>().1).collect();
    match fields.as_slice() {
        [] => definition.trim_end_matches(',').trim_end_matches(" as u64").to_owned(),
        [[outer, ..], ..] => fields.iter().fold((*outer).to_owned(), |path, [_, field]| format!("{path}.{field}")),
    }
}

#[cfg(test)]
mod tests {
    use iced_x86::{Decoder, DecoderOptions};

    use super::*;

    const SOURCE: &str = r#"
global_asm!(
    "
    .balign 64
entry:
    # Both, for
    # a reason.
    mov rdx, rbx
    mov r10, [rax + {rbx}]      # its own

    # Another.
2:  jz 5f
    .byte 0
5:
    # The last.
    call {function}
    ",
    rbx = const offset_of!(Task, context) + offset_of!(Context, rbx),
    function = sym function,
);
"#;

    fn read_it(source: &str) -> Result<Vec<Written>, ListingError> {
        read(source, "a file", "entry")
    }

    #[test]
    fn instructions_have_the_comment_on_their_line_or_before() {
        let read = read_it(SOURCE).unwrap();
        let read: Vec<_> = read.iter().map(|line| (line.text.as_str(), line.comment.text.as_str())).collect();
        let expected = [
            ("mov rdx, rbx", "Both, for a reason."),
            ("mov r10, [rax + {rbx}]", "its own"),
            ("jz 5f", "Another."),
            ("call {function}", "The last."),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn names_stand_for_what_the_source_says() {
        let names: Vec<_> = read_it(SOURCE).unwrap().into_iter().flat_map(|line| line.names).collect();
        assert_eq!(names, ["Task.context.rbx", "function"]);
    }

    #[test]
    fn an_instruction_without_a_comment_is_refused() {
        for comment in ["    # Another.\n", "    # Both, for\n    # a reason.\n"] {
            assert!(SOURCE.contains(comment));
            assert!(matches!(read_it(&SOURCE.replace(comment, "")), Err(ListingError::NoComment(_))), "{comment}");
        }
        assert!(matches!(read_it(&SOURCE.replace("entry:", "")), Err(ListingError::NoStub { .. })));
    }

    #[test]
    fn a_line_agrees_with_its_instruction_only() {
        let agrees = |text: &str, bytes: &[u8]| {
            let written =
                Written { text: text.to_owned(), names: Vec::new(), comment: Comment { text: String::new(), line: 0 } };
            written.agrees_with(&Decoder::new(64, bytes, DecoderOptions::NONE).decode())
        };
        assert!(agrees("mov rdx, rbx", &[0x48, 0x89, 0xda]));
        assert!(!agrees("mov rdx, rcx", &[0x48, 0x89, 0xda]));
        assert!(!agrees("mov rdx", &[0x48, 0x89, 0xda]));
        assert!(agrees("jz 5f", &[0x74, 0x00]));
        assert!(!agrees("jnz 5f", &[0x74, 0x00]));
        assert!(agrees("sysretq", &[0x48, 0x0f, 0x07]));
        assert!(agrees("mov [rax + {rbx}], rbx", &[0x48, 0x89, 0x58, 0x08]));
        assert!(!agrees("mov [rax + {rbx}], rdx", &[0x48, 0x89, 0x58, 0x08]));
    }
}
