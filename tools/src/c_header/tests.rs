//! The header is what the lists say, in every respect that a program in C can notice.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use flatmk_abi::{
    Access, EVENT_BYTES, FLAG_NO_WAIT, FLAGS_WINDOW, FaultAnswer, MAX_PRIORITY, MESSAGE_WORDS, MissingCapability,
    NO_TIMEOUT, SOFTUSER_ENTRY, WINDOW_SHIFT, WRITE_LIMIT_BYTES, layout, slots,
};

use super::functions::function;
use super::*;
use crate::{c_program, workspace};

/// What every compiler is asked for.
const STRICT: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-ffreestanding"];

/// What the compilers for each processor are asked for.
const NATIVE: &str = "-mgeneral-regs-only";
const RISCV: [&str; 2] = ["-march=rv32imc", "-mabi=ilp32"];

/// The header in the repository.
fn present() -> String {
    fs::read_to_string(workspace::root().join(HEADER)).unwrap_or_default()
}

/// The names and values of constants.
macro_rules! constants {
    ($($constant:path),+ $(,)?) => { [$((stringify!($constant), $constant as u64)),+] };
}

/// Every constant of the interface, with its value in Rust. What is missing here is found by a test.
#[expect(clippy::cast_lossless, reason = "the constants are of several types")]
fn constants() -> Vec<(&'static str, u64)> {
    let constants = constants![
        MESSAGE_WORDS,
        FLAG_NO_WAIT,
        SOFTUSER_ENTRY,
        WINDOW_SHIFT,
        FLAGS_WINDOW,
        SOFTUSER_ENTRY,
        NO_TIMEOUT,
        MAX_PRIORITY,
        WRITE_LIMIT_BYTES,
        layout::PAGE_SIZE,
        layout::LARGE_FRAME_SIZE,
        layout::USER_START,
        layout::USER_END,
        layout::SOFTUSER_END,
        layout::ROOT_RAMDISK,
        layout::ROOT_STACK_TOP,
        layout::ROOT_STACK_PAGES,
        slots::SLOTS_PER_TABLE,
        slots::POINTER_LIMIT,
        slots::REPLY,
        slots::SELF,
        slots::TABLE,
        slots::SPACE,
        slots::CONSOLE,
        slots::POWER,
        slots::INTERRUPTS,
        slots::PORTS,
        slots::WINDOW,
        slots::WINDOW_SLOTS,
        slots::MEMORY,
        slots::FRAMEBUFFER,
        slots::DEVICES,
        slots::TRACE,
        EVENT_BYTES,
    ];
    constants.map(|(path, value)| (path.rsplit(':').next().unwrap_or(path).trim(), value)).to_vec()
}

/// The sources of the interface.
fn sources() -> Vec<PathBuf> {
    let first = workspace::root().join(SOURCES);
    fs::read_dir(first.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// The constants of whole numbers in the sources.
fn constants_in_sources() -> BTreeSet<String> {
    let constant = regex(r"(?m)^pub const (\w+): u(?:8|16|32|64|size) =");
    // Marks are instructions, which the header has no function for.
    let files = sources().into_iter().filter(|file| !file.ends_with("marks.rs"));
    let texts: Vec<_> = files.map(|file| fs::read_to_string(file).unwrap()).collect();
    texts.iter().flat_map(|text| constant.captures_iter(text)).map(|parts| parts[1].to_owned()).collect()
}

/// What must be true of the header, as a program that compiles only if it is. `check` is the language's assertion.
fn assertions(check: &str) -> String {
    let mut text = String::from("#include <flatmk.h>\n#include <stddef.h>\n");
    let mut equal = |name: &str, number: &str| {
        let _ = writeln!(text, "{check}({name} == {number}, \"{name}\");");
    };
    for (name, number) in constants() {
        equal(&format!("FLATMK_{name}"), &format!("{number}u"));
    }
    for info in OPERATIONS {
        equal(&member("OPERATION", info.operation), &(info.operation as u8).to_string());
    }
    for &error in Error::ALL {
        equal(&member("ERROR", error), &error.status().to_string());
    }
    for kind in Kind::ALL {
        equal(&member("KIND", kind), &(kind as u8).to_string());
    }
    for &reason in FaultReason::ALL {
        equal(&member("FAULT_REASON", reason), &(reason as u64).to_string());
    }
    for answer in (0..).map_while(FaultAnswer::from_number) {
        equal(&member("FAULT_ANSWER", answer), &(answer as u64).to_string());
    }
    for choice in (0..).map_while(MissingCapability::from_number) {
        equal(&member("MISSING_CAPABILITY", choice), &(choice as u64).to_string());
    }
    for access in (0..).map_while(Access::from_number) {
        equal(&member("ACCESS", access), &(access as u8).to_string());
    }
    for (name, right) in Rights::all().iter_names() {
        equal(&format!("FLATMK_RIGHT_{name}"), &right.bits().to_string());
    }
    equal("FLATMK_RIGHTS_ALL", &Rights::all().bits().to_string());
    equal("sizeof(struct flatmk_result)", "40");
    equal("offsetof(struct flatmk_result, words)", "8");
    // Inline functions are compiled as far as the processor's registers only if something needs them.
    text.push_str(
        "typedef void (*function)(void);\nextern const function functions[];\nconst function functions[] = {\n",
    );
    OPERATIONS.iter().for_each(|info| {
        let _ = writeln!(text, "(function){},", function(info));
    });
    text + "};\n"
}

/// Compiles a source that includes the header; nothing, or what the compiler complains about.
fn complaint(compiler: impl Into<OsString>, options: &[&str], source: &str) -> String {
    let (compiler, folder) = (compiler.into(), TempDir::new().unwrap());
    let (file, object) = (folder.path().join("source"), folder.path().join("object"));
    fs::write(&file, source).unwrap();
    fs::write(folder.path().join("flatmk.h"), header(workspace::root()).unwrap()).unwrap();
    let mut command = Command::new(&compiler);
    command.args(options).args(STRICT).arg("-I").arg(folder.path()).arg("-c").arg(&file);
    let output = command.arg("-o").arg(&object).output();
    let output = output.unwrap_or_else(|error| panic!("this test needs {}: {error}", compiler.display()));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), complaint.is_empty(), "{complaint}");
    complaint
}

#[test]
fn the_header_is_what_the_interface_says() {
    let header = header(workspace::root()).unwrap();
    assert!(present() == header, "{HEADER} is not what kernel/abi says: `./x book` writes it anew");
}

#[test]
fn a_header_that_is_stale_is_written_anew_and_one_that_is_not_stays() {
    let repository = TempDir::new().unwrap();
    let copy = repository.path().join(SOURCES);
    fs::create_dir_all(copy.parent().unwrap()).unwrap();
    for source in sources() {
        fs::copy(&source, copy.with_file_name(source.file_name().unwrap())).unwrap();
    }
    let path = repository.path().join(HEADER);
    for stale in [None, Some("stale")] {
        stale.iter().for_each(|text| fs::write(&path, text).unwrap());
        update(repository.path()).unwrap();
        assert!(fs::read_to_string(&path).unwrap() == header(workspace::root()).unwrap(), "after {stale:?}");
    }
    let written = |path| fs::metadata(path).unwrap().modified().unwrap();
    let before = written(&path);
    update(repository.path()).unwrap();
    assert_eq!(written(&path), before);
}

#[test]
fn every_constant_is_compared() {
    let compared: BTreeSet<_> = constants().into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(compared, constants_in_sources(), "left what these tests compare, right what the sources have");
}

/// Clang is not needed, but where it is, it must be content, too.
#[test]
fn numbers_and_functions_are_right_in_c() {
    let clang = Command::new("clang").arg("--version").output().ok().map(|_| "clang".into());
    for compiler in std::iter::once(c_program::Target::Native.compiler()).chain(clang) {
        for optimization in ["-O0", "-O2"] {
            let options = ["-x", "c", "-std=c11", optimization, NATIVE];
            let complaint = complaint(&compiler, &options, &assertions("_Static_assert"));
            assert!(complaint.is_empty(), "{complaint}");
        }
    }
}

#[test]
fn numbers_and_functions_are_right_in_c_for_riscv() {
    for optimization in ["-O0", "-O2"] {
        let options = [&["-x", "c", "-std=c11", optimization][..], &RISCV].concat();
        let complaint = complaint(c_program::Target::Riscv.compiler(), &options, &assertions("_Static_assert"));
        assert!(complaint.is_empty(), "{complaint}");
    }
}

#[test]
fn numbers_and_functions_are_right_in_cpp() {
    for standard in ["-std=c++11", "-std=c++20"] {
        let complaint = complaint("c++", &["-x", "c++", standard, NATIVE], &assertions("static_assert"));
        assert!(complaint.is_empty(), "{complaint}");
    }
}

#[test]
fn a_wrong_number_is_noticed() {
    let source = "#include <flatmk.h>\n_Static_assert(FLATMK_OPERATION_YIELD == 3, \"yield\");\n";
    assert!(complaint(c_program::Target::Native.compiler(), &["-x", "c", "-std=c11"], source).contains("yield"));
}

/// A program for this machine, in which the body of an entry comes to its end.
#[test]
fn an_entry_whose_body_comes_back_ends_at_an_invalid_instruction() {
    const PROGRAM: &str = "#include <flatmk.h>
        FLATMK_ENTRY(entry, body)
        void body(uint64_t context, uint64_t word0, uint64_t word1, uint64_t word2, uint64_t word3)
        { (void)context, (void)word0, (void)word1, (void)word2, (void)word3; }
        int main(void) { entry(); return 0; }";
    const SIGILL: i32 = 4;
    let folder = TempDir::new().unwrap();
    let (source, program) = (folder.path().join("main.c"), folder.path().join("program"));
    fs::write(&source, PROGRAM).unwrap();
    fs::write(folder.path().join("flatmk.h"), header(workspace::root()).unwrap()).unwrap();
    let mut compiler = Command::new(c_program::Target::Native.compiler());
    let status = compiler.arg("-I").arg(folder.path()).arg(&source).arg("-o").arg(&program).status().unwrap();
    assert!(status.success());
    assert_eq!(Command::new(program).status().unwrap().signal(), Some(SIGILL));
}

#[test]
fn every_operation_has_its_function_and_every_error_its_place() {
    let header = header(workspace::root()).unwrap();
    for info in OPERATIONS {
        let (head, _) = header.split_once(&format!(" {}(", function(info))).expect(info.name);
        let comment = &head[head.rfind("/**").unwrap()..];
        for (error, _) in info.errors {
            assert!(comment.contains(&format!("@retval {} ", member("ERROR", error))), "{}: {error:?}", info.name);
        }
        assert_eq!(comment.matches("@param").count(), 1 + info.arguments.len(), "{}", info.name);
    }
}

#[test]
fn names_are_those_of_c() {
    let text = "of [`Error::Busy`] and [`Operation::MakeEndpoint`](x), not `Vec::New`
#define A 1048576
#define B 4096
#define C (1 << 40)
";
    let expected = "of `FLATMK_ERROR_BUSY` and `FLATMK_OPERATION_MAKE_ENDPOINT`, not `Vec::New`
#define A UINT64_C(0x100000)
#define B 4096
#define C (UINT64_C(1) << 40)
";
    assert_eq!(in_words_of_c(text), expected);
    assert!(!present().contains("[`"));
}
