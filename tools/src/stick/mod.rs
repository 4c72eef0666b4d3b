//! Writing the image to a USB stick: what the [device](device) is, whether it may be [written](guards), and [doing it](write).

pub mod device;
pub mod guards;
pub mod write;

pub use device::{Device, DeviceError, System};
pub use guards::Refusal;
