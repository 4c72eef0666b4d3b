//! Screens of any size and format, with any text: what is drawn is what a screen drawn from nothing would show, and no pixel is written that does not change.

extern crate std;

use std::boxed::Box;
use std::string::{String, ToString};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::vec::Vec;
use std::{format, vec};

use proptest::prelude::*;

use crate::{Color, Console, Format, Grids, MOST_COLUMNS, MOST_ROWS, Order, Surface};

/// A framebuffer that counts, and that has noise where nothing was ever written to.
struct Counting {
    bytes: Vec<u8>,
    bytes_per_pixel: usize,
    /// Pixels that were written, and those of them that were as wanted before.
    written: AtomicUsize,
    in_vain: AtomicUsize,
}

impl Counting {
    fn new(size_bytes: usize, bytes_per_pixel: usize) -> Self {
        Self { bytes: vec![0x5a; size_bytes], bytes_per_pixel, written: 0.into(), in_vain: 0.into() }
    }

    fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }
}

impl Surface for Counting {
    fn clear(&mut self) {
        self.bytes.fill(0);
    }

    fn write(&mut self, offset_bytes: usize, pixel: u32) {
        let place = &mut self.bytes[offset_bytes..offset_bytes + self.bytes_per_pixel];
        let new = &pixel.to_le_bytes()[..self.bytes_per_pixel];
        self.written.fetch_add(1, Ordering::Relaxed);
        self.in_vain.fetch_add(usize::from(place == new), Ordering::Relaxed);
        place.copy_from_slice(new);
    }
}

fn console(format: Format, size_bytes: usize) -> Console<'static, Counting> {
    let grids = Box::leak(Box::new(Grids::BLANK));
    Console::new(Counting::new(size_bytes, format.bytes_per_pixel()), format, grids)
}

/// A screen of so many characters.
fn small(columns: usize, rows: usize) -> Console<'static, Counting> {
    let [width, height] = [columns * 7, rows * 16];
    let size_bytes = width * height * 4;
    console(Format::new([width, height], width, 4, Order::Bgr, size_bytes).expect("it fits"), size_bytes)
}

fn rows(console: &mut Console<'static, Counting>) -> Vec<String> {
    (0..console.size().0).map(|row| console.row_text(row).collect()).collect()
}

/// What a screen of 10 columns and 4 rows shows after this text.
#[track_caller]
fn assert_shows(text: &str, expected: [&str; 4]) {
    let mut console = small(10, 4);
    console.write(text.as_bytes(), || 0);
    assert_eq!(rows(&mut console), expected, "{text:?}");
}

#[test]
fn text_goes_on_in_the_next_row() {
    assert_shows("0123456789", ["0123456789", "", "", ""]);
    assert_shows("0123456789x", ["0123456789", "x", "", ""]);
    assert_shows("0123456789\nx", ["0123456789", "x", "", ""]);
    assert_shows("a\rb\n\tc", ["b", "        c", "", ""]);
    assert_shows("1\n2\n3\n4\n5", ["2", "3", "4", "5"]);
}

#[test]
fn escape_sequences_do_what_terminals_do() {
    assert_shows("abc\x1b[2Dx", ["axc", "", "", ""]);
    assert_shows("abc\x1b[2;3Hx\x1b[Ay", ["abcy", "  x", "", ""]);
    assert_shows("abcdef\x1b[3D\x1b[K", ["abc", "", "", ""]);
    assert_shows("abcdef\x1b[3D\x1b[1K", ["    ef", "", "", ""]);
    assert_shows("abcdef\x1b[2Kx", ["      x", "", "", ""]);
    assert_shows("a\nb\nc\x1b[2;1H\x1b[J", ["a", "", "", ""]);
    assert_shows("a\nb\nc\x1b[2;1H\x1b[1J", ["", "", "c", ""]);
    assert_shows("a\nb\x1b[2J\x1b[Hc", ["c", "", "", ""]);
    assert_shows("abcdef\x1b[4D\x1b[2P", ["abef", "", "", ""]);
    assert_shows("abcdef\x1b[4D\x1b[2@", ["ab  cdef", "", "", ""]);
    assert_shows("abcdef\x1b[4D\x1b[2X", ["ab  ef", "", "", ""]);
    assert_shows("a\nb\nc\x1b[2;1H\x1b[L", ["a", "", "b", "c"]);
    assert_shows("a\nb\nc\x1b[2;1H\x1b[M", ["a", "c", "", ""]);
    assert_shows("a\x1b7b\nc\x1b8d", ["ad", "c", "", ""]);
    assert_shows("a\x1b[999;999Hb\x1b[999Dc", ["a", "", "", "c        b"]);
}

#[test]
fn a_backspace_goes_back_and_erases_nothing() {
    assert_shows("abc\x08\x08x", ["axc", "", "", ""]);
    assert_shows("0123456789\x08x", ["01234567x9", "", "", ""]);
    assert_shows("a\x08\x08\x08b", ["b", "", "", ""]);
}

#[test]
fn letters_beyond_ascii_are_shown_and_others_are_marked() {
    assert_shows("äÖß é", ["äÖß é", "", "", ""]);
    assert_shows("a→b\u{1f600}c", ["a?b?c", "", "", ""]);
}

#[test]
fn a_letter_may_come_in_two_parts() {
    let mut console = small(10, 4);
    console.write(b"\xc3", || 0);
    console.write(b"\xa4\x1b[", || 0);
    console.write(b"2Cx", || 0);
    assert_eq!(rows(&mut console)[0], "ä  x");
}

#[test]
fn colors_are_seen_in_pixels() {
    let mut console = small(10, 4);
    console.write(b"\x1b[44m \x1b[0m\x1b[41m\x1b[K", || 0);
    let pixel = |x: usize, y: usize| {
        let offset = (y * 70 + x) * 4;
        let [blue, green, red] = console.surface().bytes[offset..offset + 3].try_into().expect("a pixel");
        Color { red, green, blue }
    };
    assert_eq!(pixel(3, 8), Color::from_number(4));
    // The cursor stands in the next cell; behind it all is red.
    assert_eq!(pixel(10, 8), Color::from_number(7));
    assert_eq!(pixel(69, 15), Color::from_number(1));
    assert_eq!(pixel(0, 16), Color::from_number(0));
}

#[test]
fn writing_the_same_again_writes_no_pixel() {
    let mut console = small(40, 10);
    console.write(b"\x1b[?25lThe quick brown fox\r", || 0);
    let written = console.surface().written();
    assert!(written > 0);
    console.write(b"The quick brown fox\r", || 0);
    assert_eq!(console.surface().written(), written);
}

#[test]
fn clearing_forgets_half_a_sequence() {
    let mut console = small(10, 4);
    console.write(b"abc\x1b[31;4", || 0);
    console.clear();
    console.write(b"2m", || 0);
    assert_eq!(rows(&mut console), ["2m", "", "", ""]);
}

#[test]
fn the_largest_and_the_smallest_screens_work() {
    for (width, height) in [(3840, 2160), (7, 16), (6, 15), (0, 0), (1, 4000)] {
        let size_bytes = width * height * 4;
        let format = Format::new([width, height], width, 4, Order::Rgb, size_bytes).expect("it fits");
        let mut console = console(format, size_bytes);
        console.write("text\n".repeat(300).as_bytes(), || 0);
        assert!(console.size().0 <= MOST_ROWS && console.size().1 <= MOST_COLUMNS);
    }
}

/// Text in which escape sequences are more frequent than by chance.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![Just(String::new()), (0_u32..300).prop_map(|number| number.to_string())];
    let sequence = (proptest::collection::vec(number, 0..4), "[?]?", "[@-~]")
        .prop_map(|(numbers, mark, action)| format!("\x1b[{mark}{}{action}", numbers.join(";")).into_bytes());
    let part = prop_oneof![
        4 => "[ -~äöü\r\n\t\x08]{0,30}".prop_map(String::into_bytes),
        4 => sequence,
        1 => "\x1b[78DEMc]".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(part, 0..30).prop_map(|parts| parts.concat())
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Rgb),
        Just(Order::Bgr),
        Just(Order::Gray),
        (0_u8..32, 0_u8..32, 0_u8..32).prop_map(|(red, green, blue)| Order::Other { red, green, blue }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn a_screen_shows_what_one_drawn_anew_shows(
        width in 0_usize..200,
        height in 0_usize..120,
        margin in 0_usize..20,
        bytes_per_pixel in 1_usize..=4,
        order in order(),
        texts in proptest::collection::vec(text(), 1..6),
        period_ns in prop_oneof![Just(0_u64), Just(1_000_000), Just(1_000_000_000)],
    ) {
        let stride = width + margin;
        let size_bytes = stride * height * bytes_per_pixel + margin;
        let format = Format::new([width, height], stride, bytes_per_pixel, order, size_bytes).expect("it fits");
        let mut many = console(format, size_bytes);
        for (index, text) in (0..).zip(&texts) {
            many.write(text, || index * period_ns);
        }
        prop_assert_eq!(many.surface().in_vain.load(Ordering::Relaxed), 0, "pixels were written that did not change");
        // Everything at once is drawn once, from an empty screen. The same time makes it scroll alike.
        if period_ns == 0 {
            let mut once = console(format, size_bytes);
            once.write(&texts.concat(), || 0);
            prop_assert!(once.surface().bytes == many.surface().bytes, "the screens differ");
            prop_assert!(once.surface().written() <= width * height + 7 * 16);
        }
        // Beside and below the text there is nothing.
        let (rows, columns) = many.size();
        for (index, &byte) in many.surface().bytes.iter().enumerate() {
            let (y, x) = (index / bytes_per_pixel / stride.max(1), index / bytes_per_pixel % stride.max(1));
            prop_assert!(byte == 0 || (y < rows * 16 && x < columns * 7), "byte {} is {}", index, byte);
        }
    }
}
