//! Devices as a folder describes them that looks like `/sys` and `/proc`.

use std::os::unix::fs::symlink;

use super::super::guards::{Refusal, allow};
use super::*;

/// A system with a built-in disk `sda`, in use, and a stick `sdb`.
struct Fake(tempfile::TempDir);

const MOUNTS: &str = "\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
28 27 8:33 / /media/a\\040stick rw,relatime - vfat /dev/sdc1 rw
29 27 0:45 / /pool rw,relatime - btrfs /dev/sde rw
";
const SWAPS: &str = "Filename Type Size Used Priority\n/dev/sdd2 partition 100 0 -2\n";

impl Fake {
    fn new() -> Self {
        let fake = Self(tempfile::tempdir().unwrap());
        fake.write("proc/self/mountinfo", MOUNTS);
        fake.write("proc/swaps", SWAPS);
        fake.disk("pci0/ata1/sda", "8:0");
        fake.partition("pci0/ata1/sda", "sda1", "8:1");
        fake.disk("pci0/usb1/sdb", "8:16");
        fake.write("sys/devices/pci0/usb1/sdb/device/model", "Stick 2000\n");
        fake
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, number: &str, folder: &str) {
        let links = self.0.path().join("sys/dev/block");
        fs::create_dir_all(&links).unwrap();
        symlink(format!("../../devices/{folder}"), links.join(number)).unwrap();
    }

    fn disk(&self, folder: &str, number: &str) {
        for (file, text) in [("size", "2048"), ("ro", "0"), ("dev", number), ("queue/logical_block_size", "512")] {
            self.write(&format!("sys/devices/{folder}/{file}"), text);
        }
        self.link(number, folder);
    }

    fn partition(&self, disk: &str, name: &str, number: &str) {
        let folder = format!("{disk}/{name}");
        for (file, text) in [("size", "1024"), ("ro", "0"), ("dev", number), ("partition", "1")] {
            self.write(&format!("sys/devices/{folder}/{file}"), text);
        }
        self.link(number, &folder);
    }

    fn device(&self, number: &str) -> Device {
        System::at(self.0.path()).described(number).unwrap()
    }

    fn refusal(&self, number: &str) -> Option<Refusal> {
        allow(&self.device(number), 1 << 20).err()
    }
}

#[test]
fn a_free_stick_is_described_and_allowed() {
    let device = Fake::new().device("8:16");
    assert_eq!((device.name.as_str(), device.model.as_str(), device.size_bytes), ("sdb", "Stick 2000", 1 << 20));
    assert!(device.is_usb && !device.is_partition && !device.is_read_only);
    assert_eq!(allow(&device, 1 << 20), Ok(()));
}

#[test]
fn the_disk_of_the_system_is_refused() {
    let expected = Refusal::SystemDisk { name: "sda".to_owned(), place: "/".to_owned() };
    assert_eq!(Fake::new().refusal("8:0"), Some(expected));
}

#[test]
fn a_partition_is_refused() {
    let fake = Fake::new();
    fake.partition("pci0/usb1/sdb", "sdb1", "8:17");
    assert_eq!(fake.refusal("8:17"), Some(Refusal::Partition("sdb1".to_owned())));
    assert_eq!(fake.device("8:16").partitions, ["sdb1"]);
    assert_eq!(fake.refusal("8:16"), None, "what is on it may go");
}

#[test]
fn a_disk_with_a_mounted_partition_is_refused() {
    let fake = Fake::new();
    fake.disk("pci0/usb1/sdc", "8:32");
    fake.partition("pci0/usb1/sdc", "sdc1", "8:33");
    let expected = Refusal::Mounted { name: "sdc".to_owned(), places: vec!["/media/a stick".to_owned()] };
    assert_eq!(fake.refusal("8:32"), Some(expected));
}

/// Some file systems are of many devices, and have numbers of their own.
#[test]
fn a_disk_that_is_mounted_under_another_number_is_refused() {
    let fake = Fake::new();
    fake.disk("pci0/usb1/sde", "8:64");
    let expected = Refusal::Mounted { name: "sde".to_owned(), places: vec!["/pool".to_owned()] };
    assert_eq!(fake.refusal("8:64"), Some(expected));
}

#[test]
fn a_disk_with_swap_is_refused() {
    let fake = Fake::new();
    fake.disk("pci0/usb1/sdd", "8:48");
    fake.partition("pci0/usb1/sdd", "sdd2", "8:50");
    assert_eq!(fake.refusal("8:48"), Some(Refusal::Swap(vec!["sdd2".to_owned()])));
}

#[test]
fn a_disk_of_which_a_volume_is_made_is_refused_and_so_is_the_volume() {
    let fake = Fake::new();
    fake.partition("pci0/usb1/sdb", "sdb1", "8:17");
    fake.write("sys/devices/pci0/usb1/sdb/sdb1/holders/dm-0/x", "");
    let expected = Refusal::Held { name: "sdb".to_owned(), holders: vec!["dm-0".to_owned()] };
    assert_eq!(fake.refusal("8:16"), Some(expected));
    fake.disk("virtual/dm-0", "253:0");
    fake.write("sys/devices/virtual/dm-0/slaves/sdb1/x", "");
    let expected = Refusal::Composed { name: "dm-0".to_owned(), parts: vec!["sdb1".to_owned()] };
    assert_eq!(fake.refusal("253:0"), Some(expected));
}

#[test]
fn what_cannot_hold_the_image_is_refused() {
    let fake = Fake::new();
    let device = fake.device("8:16");
    let too_small = allow(&device, (1 << 20) + 1);
    assert!(matches!(too_small, Err(Refusal::TooSmall { .. })), "{too_small:?}");
    let read_only = allow(&Device { is_read_only: true, ..device.clone() }, 1);
    assert_eq!(read_only, Err(Refusal::ReadOnly("sdb".to_owned())));
    let large_sectors = allow(&Device { sector_bytes: 4096, ..device }, 1);
    assert!(matches!(large_sectors, Err(Refusal::Sectors { sector_bytes: 4096, .. })), "{large_sectors:?}");
}

#[test]
fn what_is_no_block_device_is_refused() {
    let system = System::default();
    for path in ["/dev/null", "/proc", "Cargo.toml"] {
        let error = system.device(Path::new(path)).unwrap_err();
        assert!(matches!(error, DeviceError::NotBlock(_)), "{error}");
    }
    let error = system.device(Path::new("/dev/no such device")).unwrap_err();
    assert!(matches!(error, DeviceError::Missing { .. }), "{error}");
}
