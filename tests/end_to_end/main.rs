//! Machines as a whole, from outside: what boots where, what is typed and shown, and what is said when something is wrong.

mod bad_kernel_input;
mod bad_programs;
mod book;
mod boot_matrix;
mod c_program;
mod chain;
mod commands;
mod counts;
mod debug;
mod drivers;
mod faulty_drivers;
mod figures;
mod growth;
mod host_errors;
mod keyboard;
mod learn;
mod pipes;
mod reports;
mod screen;
mod shell;
mod softuser;
mod stages;
mod stopped;
mod texts;
