//! Takes the book's pictures of the screen anew: `cargo run --package flatmk-tests --example screenshots --target host-tuple`.

use std::path::Path;
use std::thread;
use std::time::Duration;

use flatmk_tests::built;
use flatmk_tests::machines::{TIME_LIMIT, start};
use flatmk_tests::shell::{Keys, Shell};
use flatmk_tools::machine::{Machine, Running};
use flatmk_tools::workspace;
use image::{RgbImage, imageops};

/// What is left of the empty part below and beside the text, in pixels.
const MARGIN: u32 = 16;

/// After this the screen driver has drawn what has come, and nothing moves.
const SETTLED: Duration = Duration::from_secs(2);

fn main() {
    let pictures = workspace::root().join("book/src/pictures");
    let mut shell = Shell::boot(Keys::Keyboard);
    for line in [
        "clear",
        "ps",
        "run crash null",
        "pipe generator | filter | checksum",
        "call softuser-forth \"12 dup * 102 -\"",
    ] {
        shell.command(line);
    }
    take(&mut shell.running, &pictures.join("shell.png"));
    drop(shell);
    let mut panicked = start(&Machine::new(built::broken("panic")).boot_option("exit", "none"));
    panicked.wait_for("The book's page \"Stop codes\" explains", TIME_LIMIT).expect("the kernel says why it stops");
    take(&mut panicked, &pictures.join("panic.png"));
}

fn take(running: &mut Running, path: &Path) {
    thread::sleep(SETTLED);
    let screen = running.screen().expect("QEMU shows its screen");
    without_margin(&screen).save(path).expect("the book's pictures can be written");
    println!("{}", path.display());
}

/// The picture without its empty part: what has the colour of the last pixel.
fn without_margin(screen: &RgbImage) -> RgbImage {
    let empty = screen.pixels().next_back();
    let text = screen.enumerate_pixels().filter(|(_, _, pixel)| Some(*pixel) != empty);
    let (right, bottom) = text.fold((0, 0), |(right, bottom), (x, y, _)| (right.max(x), bottom.max(y)));
    let (width, height) = ((right + MARGIN).min(screen.width()), (bottom + MARGIN).min(screen.height()));
    imageops::crop_imm(screen, 0, 0, width, height).to_image()
}
