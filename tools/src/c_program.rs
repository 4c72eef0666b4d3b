//! Programs in C: each folder of `userland` with a `main.c` is one.
//!
//! They are built by the host's own C compiler, which links the host's programs, too: for a bare machine nothing differs
//! but the options. Those that the kernel runs as RISC-V code are built from the same sources by a compiler for that. There is no library: `userland/c-support` has the four functions that a compiler calls on its own
//! account.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use crate::c_header;
use crate::workspace::{self, BuildError, Executable};

/// The sources that are part of every program.
const SUPPORT: &str = "userland/c-support";

/// The folder of the header.
const INCLUDE: &str = "kernel/abi/include";

// ANCHOR: options
/// How programs are compiled: nothing but the program,
const COMPILE: [&str; 16] = [
    "-std=c11",
    "-O2",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",
    "-fno-pic",
    "-fno-pie",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-ffunction-sections",
    "-fdata-sections",
    "-nostdlib",
    "-static",
    "-no-pie",
];

/// and linked as Rust's programs are (`userland/link.rs`), so that each page has one kind of access.
const LINK: [&str; 5] = [
    "-Wl,--build-id=none",
    "-Wl,--gc-sections",
    "-Wl,-z,max-page-size=4096",
    "-Wl,-z,noexecstack",
    "-Wl,--fatal-warnings",
];

/// On this machine they are for user mode, in which there is no floating-point state.
const NATIVE: [&str; 5] =
    ["-mgeneral-regs-only", "-mno-red-zone", "-fcf-protection=none", "-Wl,-z,separate-code", "-Wl,-z,norelro"];

/// For RISC-V they have the instructions that the kernel has. Nobody sets the register `gp`, which a linker likes to use; the functions for
/// numbers of 64 bits are in the compiler's library.
const RISCV: [&str; 4] = ["-march=rv32imc", "-mabi=ilp32", "-Wl,--no-relax", "-lgcc"];
// ANCHOR_END: options

/// What a program is built for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// This machine.
    Native,
    /// RISC-V.
    Riscv,
}

impl Target {
    /// The compiler: `cc` and `riscv64-unknown-elf-gcc`, or what the environment variables `CC` and `CC_RISCV` name.
    #[must_use]
    pub fn compiler(self) -> OsString {
        let (variable, usual) = match self {
            Target::Native => ("CC", "cc"),
            Target::Riscv => ("CC_RISCV", "riscv64-unknown-elf-gcc"),
        };
        env::var_os(variable).filter(|name| !name.is_empty()).unwrap_or_else(|| usual.into())
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Target::Native => &NATIVE,
            Target::Riscv => &RISCV,
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Target::Native => "c-programs",
            Target::Riscv => "c-programs-riscv",
        }
    }
}

/// Builds all programs in C of a repository, after bringing their header up to date.
///
/// # Errors
///
/// If the header cannot be made, there is no C compiler, or it finds a mistake; its messages are on stderr then.
pub fn build_all(repository: &Path, target: Target) -> Result<Vec<Executable>, BuildError> {
    let folders = folders(repository).map_err(|cause| BuildError::Read { path: repository.join("userland"), cause })?;
    if folders.is_empty() {
        return Ok(vec![]);
    }
    c_header::update(repository)?;
    let output = workspace::metadata()?.target_directory.join(target.folder()).into_std_path_buf();
    folders.iter().map(|folder| build(repository, folder, &output, target, &target.compiler())).collect()
}

/// The folders of the programs, in the order of their names.
fn folders(repository: &Path) -> io::Result<Vec<PathBuf>> {
    let userland = repository.join("userland");
    if !userland.is_dir() {
        return Ok(vec![]);
    }
    let entries = fs::read_dir(userland)?.collect::<io::Result<Vec<_>>>()?;
    let mut folders: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("main.c").is_file());
    folders.sort();
    Ok(folders)
}

/// Compiles and links one program.
fn build(
    repository: &Path,
    folder: &Path,
    output: &Path,
    target: Target,
    compiler: &OsStr,
) -> Result<Executable, BuildError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = |path: &Path, cause| BuildError::Read { path: path.to_owned(), cause };
    let mut sources = sources(folder).map_err(|cause| read(folder, cause))?;
    let support = repository.join(SUPPORT);
    if support.is_dir() {
        sources.extend(self::sources(&support).map_err(|cause| read(&support, cause))?);
    }
    fs::create_dir_all(output).map_err(|cause| read(output, cause))?;
    // A program that is being read, by another build, is left alone: the new one takes its place when it is done.
    let (path, new) = (output.join(&name), output.join(format!("{name}.{}", std::process::id())));
    let mut command = Command::new(compiler);
    // A library comes behind what needs it.
    command.args(COMPILE).args(LINK).arg("-I").arg(repository.join(INCLUDE)).args(&sources).args(target.options());
    command.arg("-o").arg(&new);
    let status = command.status().map_err(|cause| BuildError::NoCCompiler { compiler: compiler.into(), cause })?;
    if !status.success() {
        return Err(BuildError::Failed(format!("the program `{name}` in C")));
    }
    fs::rename(&new, &path).map_err(|cause| read(&path, cause))?;
    Ok(Executable { name, path, chapter: 0 })
}

/// The sources in a folder, in C and in assembly.
fn sources(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    let mut sources: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    sources.retain(|path| path.extension().is_some_and(|extension| extension == "c" || extension == "S"));
    sources.sort();
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A program for this machine, which has the functions of `c-support` under other names beside the machine's own.
    const COMPARISON: &str = r#"
#include <string.h>
void *own_memcpy(void *, const void *, size_t);
void *own_memmove(void *, const void *, size_t);
void *own_memset(void *, int, size_t);
int own_memcmp(const void *, const void *, size_t);
static unsigned char one[64], other[64], start[64];
static int sign(int number) { return (number > 0) - (number < 0); }
static void reset(void) { memcpy(one, start, 64); memcpy(other, start, 64); }
int main(void)
{
    for (int index = 0; index < 64; index++)
        start[index] = (unsigned char)(index * 37 + 200);
    for (size_t to = 0; to < 32; to++) {
        for (size_t size = 0; size <= 32; size++) {
            for (size_t from = 0; from < 32; from++) {
                reset();
                if (own_memmove(one + to, one + from, size) != one + to) return 1;
                memmove(other + to, other + from, size);
                if (memcmp(one, other, 64) != 0) return 2;
                if (sign(own_memcmp(one + to, one + from, size)) != sign(memcmp(one + to, one + from, size))) return 3;
            }
            reset();
            if (own_memcpy(one + to, start, size) != one + to) return 4;
            memcpy(other + to, start, size);
            if (own_memset(one + to, 0x1c3, size) != one + to) return 5;
            memset(other + to, 0xc3, size);
            if (memcmp(one, other, 64) != 0) return 6;
        }
    }
    return 0;
}
"#;

    #[test]
    fn what_compilers_call_does_what_the_standard_says() {
        let folder = TempDir::new().unwrap();
        let (main, support) = (folder.path().join("main.c"), folder.path().join("support.o"));
        fs::write(&main, COMPARISON).unwrap();
        let names = ["memcpy", "memmove", "memset", "memcmp"].map(|name| format!("-D{name}=own_{name}"));
        let source = workspace::root().join(SUPPORT).join("memory.c");
        let run = |command: &mut Command| command.status().unwrap().code();
        let compile = &mut Command::new(Target::Native.compiler());
        assert_eq!(
            run(compile.args(COMPILE).args(NATIVE).args(names).arg("-c").arg(source).arg("-o").arg(&support)),
            Some(0)
        );
        let program = folder.path().join("program");
        // The machine's own functions are called as such, and not replaced by the compiler.
        let link = &mut Command::new(Target::Native.compiler());
        assert_eq!(
            run(link.args(["-fno-builtin", "-no-pie"]).args([&main, &support]).arg("-o").arg(&program)),
            Some(0)
        );
        assert_eq!(run(&mut Command::new(program)), Some(0), "the number of the comparison that failed");
    }

    /// A repository with one program.
    fn repository(source: &str) -> TempDir {
        let repository = TempDir::new().unwrap();
        let folder = repository.path().join("userland/one");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("main.c"), source).unwrap();
        repository
    }

    fn build_one(repository: &TempDir, compiler: &str) -> Result<Executable, BuildError> {
        let folders = folders(repository.path()).unwrap();
        assert_eq!(folders, [repository.path().join("userland/one")]);
        build(repository.path(), &folders[0], &repository.path().join("target"), Target::Native, compiler.as_ref())
    }

    #[test]
    fn a_program_is_built_under_the_name_of_its_folder() {
        let repository = repository("void _start(void);\nvoid _start(void) { for (;;); }\n");
        fs::create_dir_all(repository.path().join("userland/in-rust/src")).unwrap();
        let built = build_one(&repository, "cc").unwrap();
        assert_eq!(built.name, "one");
        let file = fs::read(&built.path).unwrap();
        assert!(file.starts_with(b"\x7fELF"));
        let left: Vec<_> = fs::read_dir(repository.path().join("target")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }

    #[test]
    fn a_mistake_is_an_error_that_names_the_program() {
        let start = "void _start(void);\nvoid _start(void) { puts(\"\"); }";
        // The last is a warning, which counts as much.
        for source in ["int", start, "static int unused;"] {
            let error = build_one(&repository(source), "cc").unwrap_err();
            assert_eq!(error.to_string(), "building the program `one` in C failed, see above");
        }
    }

    #[test]
    fn a_missing_compiler_is_named() {
        let error = build_one(&repository(""), "/nowhere/cc").unwrap_err().to_string();
        assert!(error.starts_with("cannot run the C compiler /nowhere/cc (No such file or directory"), "{error}");
    }
}
