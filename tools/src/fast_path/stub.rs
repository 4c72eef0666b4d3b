//! The source of a stub: instructions with their comments, in the text of a `global_asm!`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use iced_x86::{Instruction, OpKind};
use regex::{Captures, Regex};

use super::{ListingError, code};

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

/// A comment: at the end of a line, or on lines of its own for the instructions after it, up to a blank line. Instructions of a macro
/// that have none there have that of the line with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Comment {
    pub(super) text: String,
    /// The line it begins in: two comments can have the same text.
    line: usize,
}

/// Names that the disassembler has for the same instructions. The last two are macros of all stubs.
const SAME: [(&str, &str); 7] = [
    ("jz", "je"),
    ("jnz", "jne"),
    ("jc", "jb"),
    ("jnc", "jae"),
    ("movabs", "mov"),
    ("leave_by_sysret", "sysretq"),
    ("leave_by_iret", "iretq"),
];

static LABEL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\w+:\s*").expect("a constant expression"));
static NAME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\{(\w+)\}").expect("a constant expression"));
static PARAMETER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\\\\(\w+)").expect("a constant expression"));
static FIELD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"offset_of!\((?:[\w$]+::)*(\w+), ([\w.]+)\)").expect("a constant expression"));

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

/// The source of a stub.
pub(super) struct Source<'a> {
    /// The text of its file.
    pub(super) text: &'a str,
    /// That of the file with the macros and operands that stubs share.
    pub(super) shared: &'a str,
}

/// A macro of the assembler: `.macro name parameter, parameter`, the lines, `.endm`.
struct Macro<'a> {
    parameters: Vec<&'a str>,
    lines: Vec<(usize, &'a str)>,
}

/// Reads the instructions from a label to the next one that other files know, or to the end of the text; those of macros in place of their names.
///
/// # Errors
///
/// If there is no such label, or an instruction without a comment.
pub(super) fn read(source: &Source<'_>, file: &'static str, label: &'static str) -> Result<Vec<Written>, ListingError> {
    let is_label = |line: &str| line.trim().strip_prefix(label) == Some(":");
    let mut lines = source.text.lines().enumerate().skip_while(|(_, line)| !is_label(line));
    lines.next().ok_or(ListingError::NoStub { file, label })?;
    let is_global = |line: &str| line.trim().starts_with(".global ");
    let lines: Vec<_> = lines.take_while(|(_, line)| !line.trim().starts_with('"') && !is_global(line)).collect();
    let mut reader = Reader { source, macros: source.macros(), found: Vec::new() };
    reader.read(&lines, None)?;
    Ok(reader.found)
}

struct Reader<'a> {
    source: &'a Source<'a>,
    macros: BTreeMap<&'a str, Macro<'a>>,
    found: Vec<Written>,
}

impl Reader<'_> {
    /// `around`: what the macro is for of which these are the lines.
    fn read(&mut self, lines: &[(usize, &str)], around: Option<&Comment>) -> Result<(), ListingError> {
        let mut group = around.cloned();
        let mut is_comment_open = false;
        let mut lines = lines.iter().copied();
        while let Some((number, line)) = lines.next() {
            let (code, comment) = line.split_once('#').unwrap_or((line, ""));
            let (code, comment) = (without_labels(code.trim()), comment.trim());
            if line.trim().is_empty() {
                group = around.cloned();
            } else if line.trim().starts_with('#') {
                match &mut group {
                    Some(group) if is_comment_open => group.text = format!("{} {comment}", group.text),
                    _ => group = Some(Comment { text: comment.to_owned(), line: number }),
                }
                is_comment_open = true;
                continue;
            } else if code.starts_with(".macro ") {
                lines.by_ref().find(|(_, line)| is_end(line));
            } else if !code.is_empty() && !code.starts_with('.') {
                let own = (!comment.is_empty()).then(|| Comment { text: comment.to_owned(), line: number });
                self.read_code(code, own.or_else(|| group.clone()))?;
            }
            is_comment_open = false;
        }
        Ok(())
    }

    /// An instruction, or the name of a macro with its arguments.
    fn read_code(&mut self, code: &str, comment: Option<Comment>) -> Result<(), ListingError> {
        let (name, arguments) = code.split_once(' ').unwrap_or((code, ""));
        if let Some(called) = self.macros.get(name) {
            let lines = called.expand(arguments);
            let lines: Vec<_> = lines.iter().map(|(number, line)| (*number, line.as_str())).collect();
            return self.read(&lines, comment.as_ref());
        }
        let comment = comment.ok_or_else(|| ListingError::NoComment(code.to_owned()))?;
        let names = NAME.captures_iter(code).filter_map(|name| name.get(1));
        let names = names.map(|name| self.source.meaning(name.as_str())).collect();
        self.found.push(Written { text: code.to_owned(), names, comment });
        Ok(())
    }
}

impl<'a> Source<'a> {
    /// By their names.
    fn macros(&self) -> BTreeMap<&'a str, Macro<'a>> {
        let mut macros = BTreeMap::new();
        for text in [self.shared, self.text] {
            let mut lines = text.lines().enumerate();
            while let Some((_, line)) = lines.next() {
                let Some(head) = line.trim().strip_prefix(".macro ") else { continue };
                let (name, parameters) = head.split_once(' ').unwrap_or((head, ""));
                let lines = lines.by_ref().take_while(|(_, line)| !is_end(line)).collect();
                macros.insert(name, Macro { parameters: parameters.split(',').map(str::trim).collect(), lines });
            }
        }
        macros
    }

    /// What a name in braces stands for: `Task.context.rbx` for `offset_of!(Task, context.rbx)`.
    fn meaning(&self, name: &str) -> String {
        let mut lines = self.text.lines().chain(self.shared.lines());
        let Some(value) = lines.find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(" = ")) else {
            return name.to_owned();
        };
        let value = value.trim_end_matches(',');
        if let Some(symbol) = value.strip_prefix("sym ") {
            return code::short(symbol).to_owned();
        }
        match FIELD.captures(value) {
            None => value.trim_start_matches("const ").trim_end_matches(" as u64").to_owned(),
            Some(field) => field.extract::<2>().1.join("."),
        }
    }
}

impl Macro<'_> {
    /// Its lines with the arguments in place of the parameters. A backslash is two, because the text is a literal of Rust.
    fn expand(&self, arguments: &str) -> Vec<(usize, String)> {
        let arguments: Vec<&str> = arguments.split(',').map(str::trim).collect();
        let argument = |found: &Captures<'_>| {
            let [name] = found.extract().1;
            let index = self.parameters.iter().position(|parameter| *parameter == name);
            index.and_then(|index| arguments.get(index)).copied().unwrap_or_default()
        };
        let lines = self.lines.iter();
        lines.map(|(number, line)| (*number, PARAMETER.replace_all(line, argument).into_owned())).collect()
    }
}

/// Whether a macro ends here.
fn is_end(line: &str) -> bool {
    line.trim() == ".endm"
}

fn without_labels(mut code: &str) -> &str {
    while let Some(label) = LABEL.find(code) {
        code = code.get(label.end()..).unwrap_or_default();
    }
    code
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

    .macro count register, function
    inc \\register
    # Inside.
    call {\\function}
    dec \\register               # back
    .endm

    # Outside.
    count rcx, function

    exchange r8                 # shared

    # Another.
2:  jz 5f
    .byte 0
5:
    # The last.
    call {function}
    ",
    rbx = const offset_of!(Task, context.rbx),
    function = sym path::function,
);
"#;

    const SHARED: &str = r#"
    .macro exchange register
    xchg [\\register + {place}], r9
    .endm
            ",
            place = const ::core::mem::offset_of!($crate::task::Task, place),
"#;

    fn read_it(source: &str) -> Result<Vec<Written>, ListingError> {
        read(&Source { text: source, shared: SHARED }, "a file", "entry")
    }

    #[test]
    fn instructions_have_the_comment_on_their_line_or_before() {
        let read = read_it(SOURCE).unwrap();
        let read: Vec<_> = read.iter().map(|line| (line.text.as_str(), line.comment.text.as_str())).collect();
        let expected = [
            ("mov rdx, rbx", "Both, for a reason."),
            ("mov r10, [rax + {rbx}]", "its own"),
            ("inc rcx", "Outside."),
            ("call {function}", "Inside."),
            ("dec rcx", "back"),
            ("xchg [r8 + {place}], r9", "shared"),
            ("jz 5f", "Another."),
            ("call {function}", "The last."),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn names_stand_for_what_the_source_says() {
        let names: Vec<_> = read_it(SOURCE).unwrap().into_iter().flat_map(|line| line.names).collect();
        assert_eq!(names, ["Task.context.rbx", "function", "Task.place", "function"]);
    }

    #[test]
    fn an_instruction_without_a_comment_is_refused() {
        for comment in ["    # Another.\n", "    # Both, for\n    # a reason.\n", "    # Outside.\n", "# shared"] {
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
        assert!(agrees("leave_by_sysret", &[0x48, 0x0f, 0x07]));
        assert!(!agrees("leave_by_iret", &[0x48, 0x0f, 0x07]));
        assert!(agrees("mov [rax + {rbx}], rbx", &[0x48, 0x89, 0x58, 0x08]));
        assert!(!agrees("mov [rax + {rbx}], rdx", &[0x48, 0x89, 0x58, 0x08]));
    }
}
