//! `flatmk`, the host program behind `./x`.

mod commands;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use commands::{book, boot, image, run, test};

/// Builds, boots and checks FlatMk.
#[derive(Parser)]
#[command(name = "flatmk", bin_name = "./x")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Run(run::Arguments),
    Test(test::Arguments),
    Image(image::Arguments),
    Book(book::Arguments),
    Boot(boot::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Image(arguments) => image::image(&arguments),
        Command::Book(arguments) => book::book(&arguments),
        Command::Boot(arguments) => boot::boot(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
