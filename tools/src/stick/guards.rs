//! Which devices are not written, whatever the user says.

use super::Device;

/// The sectors that the boot loader reads and the partition table counts.
const SECTOR_BYTES: u64 = 512;

/// Where the running system itself is mounted from.
const SYSTEM: [&str; 6] = ["/", "/boot", "/boot/efi", "/efi", "/usr", "/var"];

/// Why a device is not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A part of a disk.
    #[error("{0} is a partition: name the whole disk")]
    Partition(String),
    /// The running system is on it.
    #[error("{name} is a disk of this system: {place} is on it")]
    SystemDisk {
        /// The device.
        name: String,
        /// What is on it.
        place: String,
    },
    /// A file system on it is in use.
    #[error("{name} is mounted at {}: unmount it first", .places.join(" and "))]
    Mounted {
        /// The device.
        name: String,
        /// Where.
        places: Vec<String>,
    },
    /// The system swaps to it.
    #[error("the system swaps to {}", .0.join(" and "))]
    Swap(Vec<String>),
    /// Something is made of it.
    #[error("{name} is part of {}", .holders.join(" and "))]
    Held {
        /// The device.
        name: String,
        /// Of what.
        holders: Vec<String>,
    },
    /// It is made of something.
    #[error("{name} is made of {}: name a disk", .parts.join(" and "))]
    Composed {
        /// The device.
        name: String,
        /// Of what.
        parts: Vec<String>,
    },
    /// It cannot be written.
    #[error("{0} is read-only")]
    ReadOnly(String),
    /// The image does not fit.
    #[error("{name} is too small: it has {size_bytes} bytes, and the image {image_bytes}")]
    TooSmall {
        /// The device.
        name: String,
        /// What it has.
        size_bytes: u64,
        /// What is needed.
        image_bytes: u64,
    },
    /// The partition table would mean something else.
    #[error("{name} has sectors of {sector_bytes} bytes, and the image is for those of 512")]
    Sectors {
        /// The device.
        name: String,
        /// Its sectors.
        sector_bytes: u64,
    },
}

// ANCHOR: guards
/// Whether an image of this size may be written to a device: the first reason against it.
///
/// # Errors
///
/// That reason.
pub fn allow(device: &Device, image_bytes: u64) -> Result<(), Refusal> {
    let name = || device.name.clone();
    if device.is_partition {
        return Err(Refusal::Partition(name()));
    }
    if let Some(place) = SYSTEM.into_iter().find(|place| device.mounts.iter().any(|mount| mount == place)) {
        return Err(Refusal::SystemDisk { name: name(), place: place.to_owned() });
    }
    if !device.mounts.is_empty() {
        return Err(Refusal::Mounted { name: name(), places: device.mounts.clone() });
    }
    if !device.swaps.is_empty() {
        return Err(Refusal::Swap(device.swaps.clone()));
    }
    if !device.holders.is_empty() {
        return Err(Refusal::Held { name: name(), holders: device.holders.clone() });
    }
    if !device.parts.is_empty() {
        return Err(Refusal::Composed { name: name(), parts: device.parts.clone() });
    }
    if device.is_read_only {
        return Err(Refusal::ReadOnly(name()));
    }
    if device.size_bytes < image_bytes {
        return Err(Refusal::TooSmall { name: name(), size_bytes: device.size_bytes, image_bytes });
    }
    if device.sector_bytes != SECTOR_BYTES {
        return Err(Refusal::Sectors { name: name(), sector_bytes: device.sector_bytes });
    }
    Ok(())
}
// ANCHOR_END: guards
