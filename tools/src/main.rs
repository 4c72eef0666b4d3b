//! `flatmk`, the host program behind `./x`.

mod commands;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use commands::{
    bench, book, boot, check, debug, diff, image, learn, pipes, preprocess, run, show, softuser, test, trace,
};

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
    Bench(bench::Arguments),
    Image(image::Arguments),
    Book(book::Arguments),
    Show(show::Arguments),
    Diff(diff::Arguments),
    Pipes(pipes::Arguments),
    #[command(name = pipes::RECEIVER, hide = true)]
    Receiver(pipes::Receiver),
    Softuser(softuser::Arguments),
    Trace(trace::Arguments),
    Learn(learn::Arguments),
    Check(check::Arguments),
    Debug(debug::Arguments),
    Preprocess(preprocess::Arguments),
    Boot(boot::Arguments),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return answer_caller(&answer),
    };
    let result = match arguments.command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Test(arguments) => test::test(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Image(arguments) => image::image(&arguments),
        Command::Book(arguments) => book::book(&arguments),
        Command::Show(arguments) => show::show(&arguments),
        Command::Diff(arguments) => diff::diff(&arguments),
        Command::Pipes(arguments) => pipes::pipes(&arguments),
        Command::Receiver(pipes::Receiver) => pipes::receive(),
        Command::Softuser(arguments) => softuser::softuser(&arguments),
        Command::Trace(arguments) => trace::trace(&arguments),
        Command::Learn(arguments) => learn::learn(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Debug(arguments) => debug::debug(&arguments),
        Command::Preprocess(preprocess::Arguments) => preprocess::preprocess(),
        Command::Boot(arguments) => boot::boot(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// Prints what the caller asked for, or in one sentence what is wrong with the command line.
fn answer_caller(answer: &clap::Error) -> ExitCode {
    if answer.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = answer.print();
        return ExitCode::FAILURE;
    }
    if !answer.use_stderr() {
        // Nobody may be listening any more.
        let _ = answer.print();
        return ExitCode::SUCCESS;
    }
    let text = answer.to_string();
    // After the first paragraph there is general advice.
    let sentence: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).map(str::trim).collect();
    eprintln!("{} (./x help, ./x COMMAND --help)", sentence.join(" "));
    ExitCode::FAILURE
}
