//! Nothing: the tests are in `tests/console.rs`.
#![no_std]
