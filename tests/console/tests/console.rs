//! Parts of chapter 1 on memory of our own: the screen draws what it should, and a value is lent once.

use bootloader_api::info::{FrameBuffer, FrameBufferInfo, PixelFormat};
use kernel::console::{Color, Colors, Screen};
use kernel::sync::Exclusive;

const WIDTH: usize = 200;
const HEIGHT: usize = 64;
const BYTES_PER_PIXEL: usize = 4;

const RED: Color = Color { red: 255, green: 0, blue: 0 };
const BLUE: Color = Color { red: 0, green: 0, blue: 255 };

/// A pixel as it lies in memory.
type Pixel = [u8; BYTES_PER_PIXEL];

/// A screen, and the memory to which it draws.
struct Display {
    screen: Screen,
    pixels: *mut Pixel,
}

impl Display {
    fn new(pixel_format: PixelFormat) -> Self {
        let pixels = Vec::leak(vec![[0; BYTES_PER_PIXEL]; WIDTH * HEIGHT]).as_mut_ptr();
        let byte_len = WIDTH * HEIGHT * BYTES_PER_PIXEL;
        let info = FrameBufferInfo {
            byte_len,
            width: WIDTH,
            height: HEIGHT,
            pixel_format,
            bytes_per_pixel: BYTES_PER_PIXEL,
            stride: WIDTH,
        };
        // SAFETY: the memory is never given back, and nobody else writes to it.
        let framebuffer = unsafe { FrameBuffer::new(pixels as u64, info) };
        Self { screen: Screen::on(framebuffer), pixels }
    }

    fn pixels(&self) -> Vec<Pixel> {
        // SAFETY: the pixels are there for ever, and the screen does not draw meanwhile.
        (0..WIDTH * HEIGHT).map(|index| unsafe { self.pixels.add(index).read() }).collect()
    }

    /// Spoils a pixel, so that it shows whether it is drawn again.
    fn spoil(&self, index: usize) {
        assert!(index < WIDTH * HEIGHT);
        // SAFETY: as above.
        unsafe { self.pixels.add(index).write([7; BYTES_PER_PIXEL]) };
    }

    fn write(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.screen.put(byte));
    }

    /// The first characters of the four lines.
    fn first_characters(&self) -> [char; 4] {
        [0, 1, 2, 3].map(|row| self.screen.character_at(row, 0).map_or('-', char::from))
    }
}

#[test]
fn a_value_that_is_lent_is_lent_to_nobody_else() {
    let value = Exclusive::new(1);
    let inner = value.with(|_| value.try_with(|number| *number));
    assert_eq!(inner, None);
    assert_eq!(value.try_with(|number| std::mem::replace(number, 2)), Some(1));
    assert_eq!(value.try_with(|number| *number), Some(2));
}

#[test]
fn a_screen_is_cleared_in_the_order_of_its_channels() {
    let background = Color { red: 1, green: 2, blue: 3 };
    for (format, bytes) in [(PixelFormat::Rgb, [1, 2, 3]), (PixelFormat::Bgr, [3, 2, 1]), (PixelFormat::U8, [3, 3, 3])]
    {
        let mut display = Display::new(format);
        display.screen.clear(Colors { text: background, background });
        assert!(display.pixels().iter().all(|pixel| pixel.starts_with(&bytes)), "{format:?}");
    }
}

#[test]
fn a_letter_is_drawn_in_its_cell_and_only_where_it_changes() {
    let mut display = Display::new(PixelFormat::Rgb);
    display.screen.clear(Colors { text: RED, background: BLUE });
    display.write("\r I");
    let pixels = display.pixels();
    let colored: Vec<usize> = (0..pixels.len()).filter(|&index| pixels[index][0] > 200).collect();
    assert!(!colored.is_empty(), "the letter is red");
    assert!(colored.iter().all(|index| index / WIDTH < 16 && (7..20).contains(&(index % WIDTH))), "in the second cell");
    assert_eq!([0, 1].map(|column| display.screen.character_at(0, column)), [Some(b' '), Some(b'I')]);
    // The same letter at the same place: nothing is drawn.
    display.spoil(colored[0]);
    display.write("\r I");
    assert_eq!(display.pixels()[colored[0]], [7; BYTES_PER_PIXEL]);
    display.write("\r  ");
    assert!(display.pixels().iter().all(|pixel| pixel[0] == 0), "a space takes the letter away");
}

#[test]
fn a_screen_that_is_full_scrolls_by_half() {
    let mut display = Display::new(PixelFormat::Rgb);
    display.write("a\nb\nc");
    assert_eq!(display.first_characters(), ['a', 'b', 'c', ' ']);
    display.write("\nd");
    assert_eq!(display.first_characters(), ['a', 'b', 'c', 'd'], "four lines fit");
    display.write("\n");
    assert_eq!(display.first_characters(), ['c', 'd', ' ', ' ']);
    display.write("e\nf\ng");
    assert_eq!(display.first_characters(), ['e', 'f', 'g', ' ']);
}
