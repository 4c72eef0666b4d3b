//! Whether a kernel can fit in a machine's memory at all: the boot loader would not say why it gave up.

use object::{Object, ObjectSegment};

use super::MachineError;
use crate::kernel_file::{KernelFile, KernelFileError};

const MIB: u64 = 1024 * 1024;

/// Refuses a kernel that is larger than the memory. One that is only a little smaller fails in the boot loader.
pub(super) fn check(kernel: &KernelFile, memory_mib: u32) -> Result<(), MachineError> {
    let path = kernel.path.clone();
    let bytes = std::fs::read(&path).map_err(|cause| KernelFileError::Read { path: path.clone(), cause })?;
    let file = object::File::parse(&*bytes).map_err(|_| KernelFileError::NotElf(path.clone()))?;
    let needed_mib = file.segments().map(|segment| segment.size()).sum::<u64>().div_ceil(MIB);
    if needed_mib < u64::from(memory_mib) {
        return Ok(());
    }
    Err(MachineError::KernelTooLarge { kernel: path, needed_mib, memory_mib })
}
