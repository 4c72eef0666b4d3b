//! What the end-to-end tests have in common: kernels to boot, machines to boot them in, eyes to read their screens, and a browser.

#[expect(clippy::indexing_slicing, reason = "what a value of JSON does not have is null")]
pub mod browser;
pub mod built;
pub mod figures;
pub mod machines;
pub mod program;
pub mod screen_text;
pub mod shell;
pub mod shown;
