//! A text screen on a framebuffer.
//!
//! Text goes through three stages, one module each:
//!
//! - [`Console`] takes bytes. The crate `vte` tells letters from escape sequences, [`editor`] does what they say: it changes the cells of a grid, and
//!   knows nothing of pixels.
//! - [`grid`] holds these cells, and remembers which of them may have changed.
//! - [`painter`] compares them with those on the screen, and writes the pixels that differ. It never reads the framebuffer, which is slow.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod color;
mod console;
mod cursor;
mod editor;
mod escape;
mod grid;
mod mixes;
mod pace;
mod painter;
mod pixels;
#[cfg(test)]
mod tests;

pub use color::{Color, Pen};
pub use console::Console;
pub use grid::{Cell, Grid, MOST_COLUMNS, MOST_ROWS};
pub use painter::Grids;
pub use pixels::{Format, Order, Surface};
