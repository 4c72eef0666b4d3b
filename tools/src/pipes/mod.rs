//! What comes of the experiment with pipes on this machine: ratios, what limits them, a table, JSON and a plot.

mod limit;
mod plot;
mod summary;
mod table;

pub use limit::{PARTS, Parts};
pub use plot::{PlotError, plot};
pub use summary::{Compared, Measured, Quartiles, Report, contestants};
pub use table::{json, table};
