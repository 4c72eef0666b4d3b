//! One disk for both kinds of firmware.
//!
//! The crate makes a disk for a BIOS: boot sector with partition table, second stage, and a FAT file system with kernel and ramdisk. UEFI
//! firmware starts a removable disk by the file `\EFI\BOOT\BOOTX64.EFI` of a FAT file system on it (UEFI specification 2.10, 3.5.1.1), and
//! its loader looks for the kernel beside that file. So one file more makes it a disk for both, and kernel and ramdisk are there once.

use std::fs::{self, File};
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result};
use bootloader::DiskImageBuilder;
use fatfs::{Dir, FatType, FileSystem, FormatVolumeOptions, FsOptions, ReadWriteSeek};
use mbrman::{BOOT_ACTIVE, BOOT_INACTIVE, CHS, MBR};

/// Where UEFI firmware looks on a removable disk.
const UEFI_PROGRAM: &str = "efi/boot/bootx64.efi";

/// The crate's name of its UEFI loader in a folder for booting over a network, the only form in which it gives it away.
const NETWORK_NAME: &str = "bootloader";

const SECTOR_BYTES: u32 = 512;

/// How much the loader's second stage reads at a time.
const CLUSTER_BYTES: u32 = 16 * 1024;

/// The geometry that every BIOS makes up for a disk that has none.
const MOST_CYLINDERS: u16 = 1024;
const HEADS: u8 = 255;
const SECTORS_OF_TRACK: u8 = 63;

pub fn create(builder: &mut DiskImageBuilder, output: &Path) -> Result<()> {
    builder.set_file_contents(UEFI_PROGRAM.to_owned(), uefi_loader()?);
    builder.create_bios_image(output).with_context(|| format!("cannot make {}", output.display()))?;
    enlarge_clusters(output).with_context(|| format!("cannot arrange the files in {}", output.display()))?;
    correct_partitions(output).with_context(|| format!("cannot correct the partition table of {}", output.display()))
}

/// For each cluster the second stage asks the BIOS for 16 KiB, and for a piece of the table that says which cluster is next. The crate chooses clusters of 1 or
/// 2 KiB, so that nearly all of that is read for nothing, some thousand times. The files are put into a file system of the same size with larger clusters.
fn enlarge_clusters(output: &Path) -> Result<()> {
    let mut disk = File::options().read(true).write(true).open(output)?;
    let table = MBR::read_from(&mut disk, SECTOR_BYTES)?;
    let used = table.iter().filter(|(_, partition)| partition.is_used());
    let (_, partition) = used.last().context("there is no partition with files")?;
    let start = SeekFrom::Start(u64::from(partition.starting_lba) * u64::from(SECTOR_BYTES));
    let mut before = vec![0; partition.sectors as usize * SECTOR_BYTES as usize];
    disk.seek(start)?;
    disk.read_exact(&mut before)?;

    let mut after = Cursor::new(vec![0; before.len()]);
    let options = FormatVolumeOptions::new().fat_type(FatType::Fat12).bytes_per_cluster(CLUSTER_BYTES);
    fatfs::format_volume(&mut after, options)?;
    let from = FileSystem::new(Cursor::new(before), FsOptions::new())?;
    let to = FileSystem::new(&mut after, FsOptions::new())?;
    copy(&from.root_dir(), &to.root_dir())?;
    to.unmount()?;
    disk.seek(start)?;
    Ok(disk.write_all(after.get_ref())?)
}

/// Copies all files, and those of the folders below.
fn copy<F: ReadWriteSeek, T: ReadWriteSeek>(from: &Dir<'_, F>, to: &Dir<'_, T>) -> io::Result<()> {
    for entry in from.iter() {
        let entry = entry?;
        let name = entry.file_name();
        match name.as_str() {
            "." | ".." => {}
            _ if entry.is_dir() => copy(&entry.to_dir(), &to.create_dir(&name)?)?,
            _ => {
                io::copy(&mut entry.to_file(), &mut to.create_file(&name)?)?;
            }
        }
    }
    Ok(())
}

fn uefi_loader() -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    DiskImageBuilder::empty().create_uefi_tftp_folder(folder.path())?;
    Ok(fs::read(folder.path().join(NETWORK_NAME))?)
}

/// The crate marks both partitions as the one to boot from, and leaves out where they are in cylinders, heads and sectors. The loader
/// does not care; some BIOSes do, of which some take a disk with such a table for a floppy.
fn correct_partitions(output: &Path) -> Result<()> {
    let mut disk = File::options().read(true).write(true).open(output)?;
    let mut table = MBR::read_from(&mut disk, SECTOR_BYTES)?;
    let mut boot = BOOT_ACTIVE;
    for (_, partition) in table.iter_mut().filter(|(_, partition)| partition.is_used()) {
        partition.boot = boot;
        boot = BOOT_INACTIVE;
        let last = partition.starting_lba + partition.sectors - 1;
        partition.first_chs = cylinder_head_sector(partition.starting_lba)?;
        partition.last_chs = cylinder_head_sector(last)?;
    }
    table.write_into(&mut disk)?;
    Ok(())
}

fn cylinder_head_sector(sector: u32) -> Result<CHS> {
    Ok(CHS::from_lba_exact(sector, MOST_CYLINDERS, HEADS, SECTORS_OF_TRACK)?)
}
