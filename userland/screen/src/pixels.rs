//! How pixels lie in a framebuffer.

use crate::color::Color;

/// The framebuffer's memory, to which pixels are written.
pub trait Surface {
    /// Makes every byte of it 0: black, in every format.
    fn clear(&mut self);

    /// Writes a pixel, its lowest byte first. The pixel lies within the memory.
    fn write(&mut self, offset_bytes: usize, pixel: u32);
}

/// Where the channels of a pixel are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Red, green, blue, a byte each.
    Rgb,
    /// Blue, green, red, a byte each.
    Bgr,
    /// One byte of gray.
    Gray,
    /// Bytes that begin at these bits.
    Other {
        /// First bit of red.
        red: u8,
        /// First bit of green.
        green: u8,
        /// First bit of blue.
        blue: u8,
    },
}

impl Order {
    /// The order as the kernel describes it: see `Describe` in the list of operations.
    #[must_use]
    pub fn from_description(word: u64) -> Option<Order> {
        let [number, red, green, blue, ..] = word.to_le_bytes();
        match number {
            0 => Some(Order::Rgb),
            1 => Some(Order::Bgr),
            2 => Some(Order::Gray),
            3 => Some(Order::Other { red, green, blue }),
            _ => None,
        }
    }
}

/// The size of a framebuffer, and how pixels lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    width: usize,
    height: usize,
    stride: usize,
    bytes_per_pixel: usize,
    order: Order,
}

impl Format {
    /// A framebuffer of this size in pixels, with so many pixels from line to line; `None` where it does not fit into its memory, or a pixel has other than
    /// 1 to 4 bytes.
    #[must_use]
    pub fn new(
        [width, height]: [usize; 2],
        stride: usize,
        bytes_per_pixel: usize,
        order: Order,
        size_bytes: usize,
    ) -> Option<Self> {
        let needed_bytes = stride.checked_mul(height)?.checked_mul(bytes_per_pixel)?;
        let fits = needed_bytes <= size_bytes && width <= stride && (1..=4).contains(&bytes_per_pixel);
        fits.then_some(Self { width, height, stride, bytes_per_pixel, order })
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(self) -> usize {
        self.height
    }

    /// How many bytes a pixel has.
    #[must_use]
    pub fn bytes_per_pixel(self) -> usize {
        self.bytes_per_pixel
    }

    /// How many bytes there are from a pixel to the one below.
    pub(crate) fn line_bytes(self) -> usize {
        self.stride * self.bytes_per_pixel
    }

    /// A colour as a pixel. On a screen without colours, and on one whose pixels have no whole byte for each, the brightest channel is legible.
    pub(crate) fn encode(self, Color { red, green, blue }: Color) -> u32 {
        let gray = u32::from(red.max(green).max(blue)) * 0x0101_0101;
        let pixel = match self.order {
            _ if self.bytes_per_pixel < 3 => gray,
            Order::Rgb => u32::from_le_bytes([red, green, blue, 0]),
            Order::Bgr => u32::from_le_bytes([blue, green, red, 0]),
            Order::Gray => gray,
            Order::Other { red: red_bit, green: green_bit, blue: blue_bit } => {
                let channels = [(red, red_bit), (green, green_bit), (blue, blue_bit)];
                channels.into_iter().fold(0, |pixel, (value, bit)| {
                    pixel | u32::from(value).checked_shl(u32::from(bit)).unwrap_or_default()
                })
            }
        };
        // What lies behind the pixel is not its own.
        if self.bytes_per_pixel == 4 { pixel } else { pixel & ((1 << (8 * self.bytes_per_pixel)) - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORANGE: Color = Color { red: 0xff, green: 0x80, blue: 0x01 };

    fn pixel(bytes_per_pixel: usize, order: Order) -> u32 {
        Format::new([1, 1], 1, bytes_per_pixel, order, 4).expect("it fits").encode(ORANGE)
    }

    #[test]
    fn channels_lie_where_the_format_says() {
        assert_eq!(pixel(4, Order::Rgb), 0x0001_80ff);
        assert_eq!(pixel(3, Order::Bgr), 0x00ff_8001);
        assert_eq!(pixel(4, Order::Other { red: 24, green: 16, blue: 8 }), 0xff80_0100);
        assert_eq!(pixel(4, Order::Other { red: 255, green: 0, blue: 32 }), 0x80);
    }

    #[test]
    fn a_pixel_without_room_for_colours_is_gray() {
        assert_eq!(pixel(1, Order::Gray), 0xff);
        assert_eq!(pixel(1, Order::Rgb), 0xff);
        assert_eq!(pixel(2, Order::Other { red: 11, green: 5, blue: 0 }), 0xffff);
        assert_eq!(pixel(3, Order::Gray), 0x00ff_ffff);
    }

    #[test]
    fn a_format_that_cannot_be_is_refused() {
        let format =
            |size, stride, bytes_per_pixel, bytes| Format::new(size, stride, bytes_per_pixel, Order::Rgb, bytes);
        assert!(format([640, 480], 640, 4, 640 * 480 * 4).is_some());
        assert_eq!(format([640, 480], 640, 4, 640 * 480 * 4 - 1), None);
        assert_eq!(format([641, 480], 640, 4, usize::MAX), None);
        assert_eq!(format([640, 480], 640, 0, usize::MAX), None);
        assert_eq!(format([640, 480], 640, 5, usize::MAX), None);
        assert_eq!(format([1, 1 << 40], 1 << 40, 4, usize::MAX), None);
    }

    #[test]
    fn an_order_is_what_the_kernel_describes() {
        assert_eq!(Order::from_description(1), Some(Order::Bgr));
        assert_eq!(Order::from_description(3 | 16 << 8 | 8 << 16), Some(Order::Other { red: 16, green: 8, blue: 0 }));
        assert_eq!(Order::from_description(4), None);
    }
}
