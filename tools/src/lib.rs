//! What stands behind `./x`: builds FlatMk, makes disk images, boots them in emulators, and checks everything.
//!
//! The end-to-end tests use the [`machine`] module, too.

pub mod bench;
pub mod book_figures;
pub mod c_header;
pub mod c_program;
pub mod cache;
pub mod checks;
pub mod cleanup;
pub mod counts;
pub mod debugger;
pub mod disk;
pub mod exercises;
pub mod fast_path;
pub mod figures;
mod generated;
pub mod growth;
pub mod kernel_file;
pub mod listings;
pub mod machine;
mod operations;
pub mod pipes;
pub mod protocol;
pub mod ramdisk;
pub mod reference;
pub mod report;
pub mod rust_wrappers;
pub mod session;
pub mod shown;
pub mod softuser;
pub mod spelling;
pub mod stick;
mod strip;
pub mod symbols;
pub mod terminal;
pub mod trace;
pub mod workspace;

use std::ops::RangeInclusive;

/// The chapters, and the features of the kernel.
pub const CHAPTERS: RangeInclusive<u8> = 1..=12;

/// The chapter with the whole system.
pub const LAST_CHAPTER: u8 = 12;
