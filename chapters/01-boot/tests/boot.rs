//! The kernel boots, and its console, boot options and lending of values do what they say.
#![no_std]
#![no_main]
#![feature(custom_test_frameworks)]
#![test_runner(kernel::testing::run)]
#![reexport_test_harness_main = "test_main"]
#![expect(clippy::indexing_slicing, reason = "an index out of bounds fails the test")]

use core::fmt::Write;

use bootloader_api::info::{FrameBuffer, FrameBufferInfo, PixelFormat};
use kernel::boot::{Exit, Isolation, Options, Timer, options, ramdisk};
use kernel::console::{self, Color, Colors, Screen};
use kernel::processor::Processor;
use kernel::sync::Exclusive;
use kernel::{arch, println};

kernel::test_entry!();

#[test_case]
fn a_serial_port_is_found() {
    assert!(console::with(|console| console.has_serial_port()));
}

#[test_case]
fn the_boot_options_come_from_the_ramdisk() {
    assert!(!ramdisk().is_empty());
    // The runner always says how the run ends; the default would be to halt.
    assert_ne!(options().exit, Exit::Halt);
}

#[test_case]
fn options_are_read_line_by_line_and_unknown_ones_reported() {
    let mut unknown = None;
    let text = "exit=bochs\n\n  interactive=yes  \nfast_path=off\npcid=off\nmeltdown=on\ntimer=pit\ndemonstration=no\nlayout=de\ncolour=red\n";
    let options = Options::parse(text, |line| unknown = Some(line));
    let expected = Options {
        exit: Exit::Bochs,
        interactive: true,
        fast_path: false,
        pcid: false,
        meltdown: Isolation::On,
        timer: Timer::Pit,
    };
    assert_eq!(options, expected);
    assert_eq!(unknown, Some("colour=red"));
    let meltdown = |value| Options::parse(value, |line| panic!("unknown option {line}")).meltdown;
    assert_eq!(["meltdown=off", "meltdown=auto"].map(meltdown), [Isolation::Off, Isolation::Auto]);
}

#[test_case]
fn an_empty_option_text_gives_the_defaults_of_a_real_machine() {
    let options = Options::parse("", |line| panic!("unknown option {line}"));
    let expected = Options {
        exit: Exit::Halt,
        interactive: false,
        fast_path: true,
        pcid: true,
        meltdown: Isolation::Auto,
        timer: Timer::Auto,
    };
    assert_eq!(options, expected);
}

// ANCHOR: lent
#[test_case]
fn a_lent_value_cannot_be_borrowed_again() {
    let value = Exclusive::new(1);
    let inner = value.with(|_| value.try_with(|number| *number));
    assert_eq!(inner, None);
    assert_eq!(value.with(|number| *number), 1);
}
// ANCHOR_END: lent

#[test_case]
fn the_time_stamp_counter_advances() {
    let first = arch::time_stamp();
    assert!(arch::time_stamp() > first);
}

#[test_case]
fn the_processor_has_a_name_and_the_needed_features() {
    let mut text = TextBuffer { bytes: [0; 256], length: 0 };
    write!(text, "{}", Processor::identify()).expect("the description fits");
    for feature in [" tsc", " msr", " syscall", " nx"] {
        assert!(text.as_str().contains(feature), "{}", text.as_str());
    }
}

const WIDTH: usize = 200;
const HEIGHT: usize = 64;

/// A screen on memory of our own, so that its pixels can be read back.
fn test_screen(pixel_format: PixelFormat) -> (Screen, &'static [u8]) {
    static mut PIXELS: [u8; WIDTH * HEIGHT * 4] = [0; WIDTH * HEIGHT * 4];
    let info = FrameBufferInfo {
        byte_len: WIDTH * HEIGHT * 4,
        width: WIDTH,
        height: HEIGHT,
        pixel_format,
        bytes_per_pixel: 4,
        stride: WIDTH,
    };
    let start = (&raw mut PIXELS).cast::<u8>();
    // SAFETY: tests run one after the other, and each makes one screen, so the memory has one writer.
    let framebuffer = unsafe { FrameBuffer::new(start as u64, info) };
    // SAFETY: the bytes are read while the screen is not drawing.
    (Screen::on(framebuffer), unsafe { core::slice::from_raw_parts(start, WIDTH * HEIGHT * 4) })
}

#[test_case]
fn a_letter_appears_in_the_text_color() {
    let (mut screen, pixels) = test_screen(PixelFormat::Rgb);
    screen.clear(Colors {
        text: Color { red: 255, green: 0, blue: 0 },
        background: Color { red: 0, green: 0, blue: 255 },
    });
    assert!(pixels.chunks(4).all(|pixel| pixel[..3] == [0, 0, 255]));
    screen.put(b'I');
    assert!(pixels.chunks(4).any(|pixel| pixel[0] > 200 && pixel[2] < 100));
    assert_eq!(screen.character_at(0, 0), Some(b'I'));
}

#[test_case]
fn the_order_of_the_channels_is_the_framebuffers() {
    let (mut screen, pixels) = test_screen(PixelFormat::Bgr);
    screen.clear(Colors { text: Color { red: 0, green: 0, blue: 0 }, background: Color { red: 1, green: 2, blue: 3 } });
    assert_eq!(pixels[..3], [3, 2, 1]);
}

// ANCHOR: scroll
#[test_case]
fn a_full_screen_scrolls_by_half() {
    let (mut screen, _) = test_screen(PixelFormat::Rgb);
    for line in *b"abcd" {
        screen.put(line);
        screen.put(b'\n');
    }
    // Four lines fit. The line feed after the last one has moved the upper half out.
    let shown = [0, 1, 2, 3].map(|row| screen.character_at(row, 0));
    assert_eq!(shown, [Some(b'c'), Some(b'd'), Some(b' '), Some(b' ')]);
    screen.put(b'e');
    assert_eq!(screen.character_at(2, 0), Some(b'e'));
}
// ANCHOR_END: scroll

#[test_case]
fn a_long_line_goes_on_in_the_next() {
    let (mut screen, _) = test_screen(PixelFormat::Rgb);
    let columns = (0..).take_while(|&column| {
        screen.put(b'x');
        screen.character_at(1, 0) == Some(b' ') && column < 1000
    });
    let columns = columns.count();
    assert!((20..40).contains(&columns), "{columns} characters of 200 pixels");
    assert_eq!(screen.character_at(1, 0), Some(b'x'));
}

#[test_case]
fn what_the_font_lacks_shows_as_a_question_mark() {
    let (mut screen, _) = test_screen(PixelFormat::Rgb);
    screen.put(0xe9);
    assert_eq!(screen.character_at(0, 0), Some(b'?'));
}

#[test_case]
fn printing_reaches_the_screen() {
    println!("\na line of this test");
    let found = console::with(|console| {
        let screen = console.screen().expect("the emulators have a framebuffer");
        (0..100).any(|row| (0..6).all(|column| screen.character_at(row, column) == Some(b"a line"[column])))
    });
    assert!(found);
}

struct TextBuffer {
    bytes: [u8; 256],
    length: usize,
}

impl TextBuffer {
    fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).expect("only text was written")
    }
}

impl Write for TextBuffer {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(core::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
