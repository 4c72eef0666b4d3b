//! Writing an image to a device, and reading it back.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::fs::Advice;

/// How much is written, or compared, at a time.
const PART_BYTES: usize = 1 << 20;

/// The boot sector, and where a GUID partition table would begin.
const HEAD_BYTES: usize = 4096;

/// Why the device does not have the image.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The device cannot be opened.
    #[error("cannot open {0}: {1}")]
    Open(String, io::Error),
    /// The image cannot be read.
    #[error("cannot read the image: {0}")]
    Image(io::Error),
    /// The device does not take it.
    #[error("the device cannot be written: {0}; it is not bootable now")]
    Write(io::Error),
    /// The device does not give back what it was given.
    #[error("the device differs from the image after byte {0}, although it took it all: the stick is broken")]
    Differs(u64),
    /// The device cannot be read.
    #[error("the device cannot be read back: {0}")]
    Read(io::Error),
}

/// What is being done, for whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The image goes to the device.
    Writing,
    /// It is compared.
    Verifying,
}

/// What an image is written to.
pub trait Target: Read + Write + Seek {
    /// Waits until the device has all that was written.
    ///
    /// # Errors
    ///
    /// If it does not take it.
    fn settle(&mut self) -> io::Result<()>;

    /// Forgets what memory has of it: what is read next is what the device has.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    fn forget(&mut self) -> io::Result<()>;
}

impl Target for File {
    fn settle(&mut self) -> io::Result<()> {
        self.sync_all()
    }

    fn forget(&mut self) -> io::Result<()> {
        Ok(rustix::fs::fadvise(&*self, 0, None, Advice::DontNeed)?)
    }
}

// ANCHOR: write
/// Writes an image, and reads it back. `progress` is told how many bytes are done.
///
/// The first sectors come last, so a device that was pulled out half-way does not boot into half a system.
///
/// # Errors
///
/// If the device refuses, or has something else in the end.
pub fn write(
    image: &mut File,
    device: &mut impl Target,
    mut progress: impl FnMut(Phase, u64),
) -> Result<(), WriteError> {
    let end = device.seek(SeekFrom::End(0)).map_err(WriteError::Write)?;
    let blank = [0; HEAD_BYTES];
    // A partition table of before has a copy in the last sector.
    for place in [0, end.saturating_sub(HEAD_BYTES as u64)] {
        put(device, place, &blank)?;
    }
    device.settle().map_err(WriteError::Write)?;
    let mut head = Vec::new();
    let mut done = 0;
    while let Some(part) = next(image).map_err(WriteError::Image)? {
        let mut place = done;
        done += part.len() as u64;
        let body = if place == 0 {
            let (first, body) = part.split_at(HEAD_BYTES.min(part.len()));
            (head, place) = (first.to_vec(), first.len() as u64);
            body
        } else {
            &part
        };
        put(device, place, body)?;
        progress(Phase::Writing, done);
    }
    device.settle().map_err(WriteError::Write)?;
    put(device, 0, &head)?;
    device.settle().map_err(WriteError::Write)?;
    verify(image, device, progress)
}
// ANCHOR_END: write

fn put(device: &mut impl Target, place: u64, bytes: &[u8]) -> Result<(), WriteError> {
    device.seek(SeekFrom::Start(place)).and_then(|_| device.write_all(bytes)).map_err(WriteError::Write)
}

/// Compares the device itself with the image, and not what is still in memory of it.
fn verify(image: &mut File, device: &mut impl Target, mut progress: impl FnMut(Phase, u64)) -> Result<(), WriteError> {
    device.forget().map_err(WriteError::Read)?;
    image.rewind().map_err(WriteError::Image)?;
    device.rewind().map_err(WriteError::Read)?;
    let mut done = 0;
    while let Some(part) = next(image).map_err(WriteError::Image)? {
        let mut read = vec![0; part.len()];
        device.read_exact(&mut read).map_err(WriteError::Read)?;
        if let Some(place) = part.iter().zip(&read).position(|(wanted, found)| wanted != found) {
            return Err(WriteError::Differs(done + place as u64));
        }
        done += part.len() as u64;
        progress(Phase::Verifying, done);
    }
    Ok(())
}

/// The next part of a file; nothing at its end.
fn next(file: &mut File) -> io::Result<Option<Vec<u8>>> {
    let mut part = Vec::new();
    file.take(PART_BYTES as u64).read_to_end(&mut part)?;
    Ok((!part.is_empty()).then_some(part))
}

/// Opens a device so that nobody else can mount it meanwhile: the kernel refuses if somebody uses it.
///
/// # Errors
///
/// If somebody does, or the caller may not write to it.
pub fn open(path: &Path) -> Result<File, WriteError> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = File::options();
    options.read(true).write(true).custom_flags(libc::O_EXCL);
    options.open(path).map_err(|error| WriteError::Open(path.display().to_string(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn contents(file: &mut File) -> Vec<u8> {
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn the_image_arrives_and_the_last_sectors_are_cleared() {
        for length in [100, HEAD_BYTES, HEAD_BYTES + 1, PART_BYTES, 3 * PART_BYTES + 17] {
            let bytes: Vec<u8> = (0..length).map(|index| (index % 251) as u8 + 1).collect();
            let mut device = file(&vec![0xaa; 4 * PART_BYTES]);
            let mut phases = Vec::new();
            write(&mut file(&bytes), &mut device, |phase, done| phases.push((phase, done))).unwrap();
            let written = contents(&mut device);
            assert!(written.starts_with(&bytes), "{length} bytes");
            assert!(written.ends_with(&[0; HEAD_BYTES]), "{length} bytes");
            assert_eq!(written.len(), 4 * PART_BYTES);
            let [writing, verifying] = [Phase::Writing, Phase::Verifying].map(|phase| (phase, length as u64));
            assert!(phases.contains(&writing) && phases.last() == Some(&verifying), "{phases:?}");
        }
    }

    #[test]
    fn a_device_that_does_not_keep_what_it_takes_is_found_out() {
        let mut device = file(&[0xaa; 2 * HEAD_BYTES]);
        write(&mut file(&[1; HEAD_BYTES]), &mut device, |_, _| {}).unwrap();
        let error = verify(&mut file(&[2; 1]), &mut device, |_, _| {}).unwrap_err();
        assert!(matches!(error, WriteError::Differs(0)), "{error}");
    }

    /// A stick that is pulled out when it has taken so many bytes. What it was given since it last settled may be on it, or not.
    struct Pulled {
        contents: io::Cursor<Vec<u8>>,
        left_bytes: usize,
        /// Where it was written since it last settled.
        unsettled: Vec<u64>,
    }

    impl Pulled {
        fn after(left_bytes: usize) -> Self {
            Self { contents: io::Cursor::new(vec![0xaa; 4 * PART_BYTES]), left_bytes, unsettled: Vec::new() }
        }

        fn head(&self) -> &[u8] {
            self.contents.get_ref().get(..HEAD_BYTES).unwrap()
        }
    }

    impl Read for Pulled {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            self.contents.read(bytes)
        }
    }

    impl Seek for Pulled {
        fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
            self.contents.seek(place)
        }
    }

    impl Write for Pulled {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.left_bytes == 0 {
                return Err(io::Error::from(io::ErrorKind::NotConnected));
            }
            self.unsettled.push(self.contents.position());
            let count = self.contents.write(bytes.get(..self.left_bytes.min(bytes.len())).unwrap())?;
            self.left_bytes -= count;
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Target for Pulled {
        fn settle(&mut self) -> io::Result<()> {
            self.unsettled.clear();
            Ok(())
        }

        fn forget(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_cannot_be_written_has_no_boot_sector_in_the_end() {
        // Its first sectors, its last ones, and all of the image but the head.
        let image_bytes = 2 * PART_BYTES + 17;
        let before_the_head = 2 * HEAD_BYTES + image_bytes - HEAD_BYTES;
        for left_bytes in (0..before_the_head).step_by(61 * 1024).chain([HEAD_BYTES, before_the_head]) {
            let mut device = Pulled::after(left_bytes);
            let error = write(&mut file(&vec![1; image_bytes]), &mut device, |_, _| {}).unwrap_err();
            assert!(matches!(error, WriteError::Write(_)) && error.to_string().contains("not bootable"), "{error}");
            let cleared = device.head().iter().take_while(|&&byte| byte == 0).count();
            assert_eq!(cleared, left_bytes.min(HEAD_BYTES), "pulled out after {left_bytes} bytes");
        }
    }

    #[test]
    fn the_boot_sector_is_written_when_all_else_has_arrived() {
        let image_bytes = 2 * PART_BYTES + 17;
        // The stick is pulled out in the middle of the head.
        let mut device = Pulled::after(HEAD_BYTES + image_bytes + 1);
        write(&mut file(&vec![1; image_bytes]), &mut device, |_, _| {}).unwrap_err();
        assert!(device.head().starts_with(&[1, 0]));
        assert_eq!(device.unsettled, [0]);
    }
}
