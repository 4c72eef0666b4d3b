//! What Linux says of a block device (`Documentation/ABI/stable/sysfs-block`, `proc(5)`).

use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The unit in which sysfs tells sizes, whatever the device's own sectors are.
const SECTOR_BYTES: u64 = 512;

/// Why nothing can be said of a device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is no such file.
    #[error("there is no {path}: {cause}")]
    Missing {
        /// The path.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// Another kind of file.
    #[error("{0} is not a block device")]
    NotBlock(PathBuf),
    /// The kernel's description of it is incomplete.
    #[error("cannot read {path}: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

/// Where the system describes itself; elsewhere in tests.
#[derive(Debug, Clone)]
pub struct System {
    sys: PathBuf,
    proc: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        Self { sys: "/sys".into(), proc: "/proc".into() }
    }
}

/// A block device, and who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its name, such as `sdb`.
    pub name: String,
    /// What its maker calls it; empty if nobody says.
    pub model: String,
    /// Its size.
    pub size_bytes: u64,
    /// Its own sectors.
    pub sector_bytes: u64,
    /// Whether it is a part of a disk.
    pub is_partition: bool,
    /// Whether it cannot be written.
    pub is_read_only: bool,
    /// Whether it hangs on a USB bus.
    pub is_usb: bool,
    /// The names of its partitions.
    pub partitions: Vec<String>,
    /// What is made of it or of its partitions, such as volume groups and RAID arrays.
    pub holders: Vec<String>,
    /// What it is made of itself.
    pub parts: Vec<String>,
    /// Where it or its partitions are mounted.
    pub mounts: Vec<String>,
    /// Which of it and its partitions the system swaps to.
    pub swaps: Vec<String>,
}

impl System {
    /// A system that is described in another folder, which has `sys` and `proc`.
    pub fn at(folder: &Path) -> Self {
        Self { sys: folder.join("sys"), proc: folder.join("proc") }
    }

    /// What there is to know of the device with this special file.
    ///
    /// # Errors
    ///
    /// If it is none, or is not described.
    pub fn device(&self, path: &Path) -> Result<Device, DeviceError> {
        let metadata = fs::metadata(path).map_err(|cause| DeviceError::Missing { path: path.to_owned(), cause })?;
        if !metadata.file_type().is_block_device() {
            return Err(DeviceError::NotBlock(path.to_owned()));
        }
        let device = metadata.rdev();
        self.described(&format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device)))
    }

    /// The same by its number, `MAJOR:MINOR`.
    ///
    /// # Errors
    ///
    /// If it is not described.
    pub fn described(&self, number: &str) -> Result<Device, DeviceError> {
        let link = self.sys.join("dev/block").join(number);
        let folder = link.canonicalize().map_err(|cause| DeviceError::Unreadable { path: link, cause })?;
        let name = name_of(&folder);
        let size = number_in(&folder.join("size"))?;
        let partitions: Vec<PathBuf> =
            entries(&folder).into_iter().filter(|entry| entry.join("partition").exists()).collect();
        let all: Vec<&PathBuf> = std::iter::once(&folder).chain(&partitions).collect();
        let numbers: BTreeSet<String> = all.iter().filter_map(|folder| text_in(&folder.join("dev")).ok()).collect();
        let names: BTreeSet<String> = all.iter().map(|folder| name_of(folder)).collect();
        Ok(Device {
            model: text_in(&folder.join("device/model")).unwrap_or_default(),
            size_bytes: size * SECTOR_BYTES,
            sector_bytes: number_in(&folder.join("queue/logical_block_size")).unwrap_or(SECTOR_BYTES),
            is_partition: folder.join("partition").exists(),
            is_read_only: number_in(&folder.join("ro"))? != 0,
            is_usb: folder.components().any(|part| part.as_os_str().to_string_lossy().starts_with("usb")),
            partitions: partitions.iter().map(|partition| name_of(partition)).collect(),
            holders: all
                .iter()
                .flat_map(|folder| entries(&folder.join("holders")))
                .map(|path| name_of(&path))
                .collect(),
            parts: entries(&folder.join("slaves")).iter().map(|path| name_of(path)).collect(),
            mounts: self.mounts(&numbers, &names)?,
            swaps: self.swaps(&names)?,
            name,
        })
    }

    /// Where these devices are mounted. Some file systems have numbers of their own, and tell their device only by its name.
    fn mounts(&self, numbers: &BTreeSet<String>, names: &BTreeSet<String>) -> Result<Vec<String>, DeviceError> {
        let text = text_in(&self.proc.join("self/mountinfo"))?;
        let mount = |line: &str| {
            let mut words = line.split(' ');
            let (number, place) = (words.nth(2)?, words.nth(1)?);
            let source = line.split(" - ").nth(1)?.split(' ').nth(1)?;
            let is_named = Path::new(source).is_absolute() && names.contains(&name_of(&resolved(source)));
            (numbers.contains(number) || is_named).then(|| place.replace("\\040", " "))
        };
        Ok(text.lines().filter_map(mount).collect())
    }

    /// On which of these devices the system swaps.
    fn swaps(&self, names: &BTreeSet<String>) -> Result<Vec<String>, DeviceError> {
        let text = text_in(&self.proc.join("swaps"))?;
        let devices = text.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        Ok(devices.map(|path| name_of(&resolved(path))).filter(|name| names.contains(name)).collect())
    }
}

/// A path without links on the way, as far as it is there.
fn resolved(path: &str) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| PathBuf::from(path))
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// What is in a folder, which may not be there, in order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn text_in(path: &Path) -> Result<String, DeviceError> {
    let text = fs::read_to_string(path).map_err(|cause| DeviceError::Unreadable { path: path.to_owned(), cause })?;
    Ok(text.trim().to_owned())
}

fn number_in(path: &Path) -> Result<u64, DeviceError> {
    text_in(path)?.parse().map_err(|_| DeviceError::Unreadable {
        path: path.to_owned(),
        cause: io::Error::new(io::ErrorKind::InvalidData, "it has no number"),
    })
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
