//! What a kernel says about itself: the section `.flatmk` of its ELF file, with lines `key=value`.
//!
//! `chapter=N` and `kind=kernel` or `kind=test` must be there. `root=PACKAGE` names another root task than the usual one,
//! and each `option=KEY=VALUE` is a boot option.

use std::fs;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSection, ObjectSegment};

use crate::CHAPTERS;
use crate::ramdisk::BootOptions;
use crate::workspace;

/// A bootable kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelFile {
    /// The ELF file.
    pub path: PathBuf,
    /// The chapter it was built for.
    pub chapter: u8,
    /// What it does once booted.
    pub kind: Kind,
    /// The package whose program is its root task, where it is not the usual one.
    pub root: Option<String>,
    /// Boot options that it wants.
    pub options: BootOptions,
    /// The lowest and the highest address of its machine code.
    pub text: (u64, u64),
}

#[cfg(test)]
impl KernelFile {
    /// One that need not be there, with its machine code between these addresses.
    pub(crate) fn nowhere(text: (u64, u64)) -> Self {
        let options = BootOptions::new();
        Self { path: "/nowhere".into(), chapter: 1, kind: Kind::Kernel, root: None, options, text }
    }
}

/// What a kernel does once booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It demonstrates itself.
    Kernel,
    /// It runs tests and reports their results.
    Test,
}

/// Why a file cannot be booted.
#[derive(Debug, thiserror::Error)]
pub enum KernelFileError {
    /// It cannot be read.
    #[error("cannot read the kernel {path}: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: std::io::Error,
    },
    /// It is not an ELF file for this machine.
    #[error("{0} is not a kernel: it is not an ELF file for x86-64")]
    NotElf(PathBuf),
    /// The section is missing.
    #[error("{0} is not a FlatMk kernel: it has no section `.flatmk`")]
    NoSection(PathBuf),
    /// The section is not understood.
    #[error("{path} is not a FlatMk kernel that can be booted: its section `.flatmk` {problem}")]
    BadSection {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl KernelFile {
    /// Reads the section `.flatmk` of an ELF file.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or is not a kernel.
    pub fn read(path: impl Into<PathBuf>) -> Result<Self, KernelFileError> {
        let path = path.into();
        match fs::read(&path) {
            Ok(bytes) => Self::parse(path, &bytes),
            Err(cause) => Err(KernelFileError::Read { path, cause }),
        }
    }

    fn parse(path: PathBuf, bytes: &[u8]) -> Result<Self, KernelFileError> {
        let file = match object::File::parse(bytes) {
            Ok(file) if file.architecture() == object::Architecture::X86_64 => file,
            _ => return Err(KernelFileError::NotElf(path)),
        };
        let Some(section) = file.section_by_name(".flatmk") else {
            return Err(KernelFileError::NoSection(path));
        };
        let text = section.data().ok().and_then(|data| std::str::from_utf8(data).ok());
        let keys = text.ok_or_else(|| "is not text".to_owned()).and_then(Keys::parse);
        let Keys { chapter, kind, root, options } = match keys {
            Ok(keys) => keys,
            Err(problem) => return Err(KernelFileError::BadSection { path, problem }),
        };
        let executable = file.segments().filter(|segment| segment.permissions().executable());
        let text = executable.fold((u64::MAX, 0), |(low, high), segment| {
            (low.min(segment.address()), high.max(segment.address() + segment.size()))
        });
        Ok(Self { path, chapter, kind, root, options, text })
    }

    /// Whether the boot ramdisk carries user programs.
    #[must_use]
    pub fn has_programs(&self) -> bool {
        self.chapter >= 5
    }

    /// Whether it carries programs for RISC-V, too.
    #[must_use]
    pub fn has_softuser(&self) -> bool {
        self.chapter >= 10
    }

    /// The package whose program starts first.
    #[must_use]
    pub fn root_package(&self) -> &str {
        self.root.as_deref().unwrap_or(workspace::USUAL_ROOT)
    }

    /// A short name for messages.
    #[must_use]
    pub fn name(&self) -> String {
        let stem = Path::new(&self.path).file_name().unwrap_or_default().to_string_lossy().into_owned();
        match stem.rsplit_once('-') {
            // Cargo adds a hash to the name of a test.
            Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                name.to_owned()
            }
            _ => stem,
        }
    }
}

struct Keys {
    chapter: u8,
    kind: Kind,
    root: Option<String>,
    options: BootOptions,
}

impl Keys {
    fn parse(text: &str) -> Result<Self, String> {
        let (mut chapter, mut kind, mut root, mut options) = (None, None, None, BootOptions::new());
        for line in text.trim_end_matches('\0').lines().filter(|line| !line.is_empty()) {
            match line.split_once('=') {
                Some(("chapter", number)) => {
                    let number = number.parse().ok().filter(|number| CHAPTERS.contains(number));
                    chapter = Some(number.ok_or_else(|| format!("has no such chapter: `{line}`"))?);
                }
                Some(("kind", "kernel")) => kind = Some(Kind::Kernel),
                Some(("kind", "test")) => kind = Some(Kind::Test),
                Some(("root", name)) if !name.is_empty() => root = Some(name.to_owned()),
                Some(("option", option)) if option.contains('=') => {
                    options.extend(option.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned())));
                }
                _ => return Err(format!("has a line that is not known: `{line}`")),
            }
        }
        Ok(Self {
            chapter: chapter.ok_or("has no line `chapter=N`")?,
            kind: kind.ok_or("has no line `kind=kernel` or `kind=test`")?,
            root,
            options,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read() {
        let keys = Keys::parse("chapter=5\nkind=test\nroot=echo\noption=a=b=c\n\0\0").unwrap();
        assert_eq!((keys.chapter, keys.kind, keys.root.as_deref()), (5, Kind::Test, Some("echo")));
        assert_eq!(keys.options, BootOptions::from([("a".to_owned(), "b=c".to_owned())]));
    }

    #[test]
    fn bad_keys_are_refused() {
        for text in [
            "",
            "chapter=5\n",
            "kind=test\n",
            "chapter=0\nkind=test\n",
            "chapter=13\nkind=test\n",
            "chapter",
            "chapter=5\nkind=test\noption=a\n",
        ] {
            assert!(Keys::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn other_files_are_refused() {
        let parse = |bytes: &[u8]| KernelFile::parse("file".into(), bytes);
        assert!(matches!(parse(b""), Err(KernelFileError::NotElf(_))));
        assert!(matches!(parse(b"#!/bin/sh\n"), Err(KernelFileError::NotElf(_))));
        assert!(matches!(parse(b"\x7fELF\x02\x01\x01"), Err(KernelFileError::NotElf(_))));
        // This test program is an ELF file, and no kernel.
        let own = std::env::current_exe().unwrap();
        assert!(matches!(KernelFile::read(own), Err(KernelFileError::NoSection(_))));
        assert!(matches!(KernelFile::read("/nowhere"), Err(KernelFileError::Read { .. })));
    }
}
