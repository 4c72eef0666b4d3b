//! Six ways to keep a processor busy, as a service: what the kernel's engine for RISC-V is measured with.
//!
//! It is called with the number of one of them, 0 to 5; how large it is to be, see [`work_on`]; how often to do it; and whether somebody watches: if
//! so, a breakpoint comes before the work and one after it. Its answer: word 0: 0, or 1 where the question makes no sense; word 1: the result.
#![no_std]
#![no_main]

mod work;

use flatmk_runtime::OneTask;
use flatmk_runtime::object::{OWN_TABLE, OWN_TASK};
use flatmk_runtime::program::SERVICE;

flatmk_runtime::entry!(main);
flatmk_runtime::service!(fn work_entry = serve);

/// What is worked with. Sizes are limited by it.
struct Memory {
    flags: [bool; 2048],
    words: [u32; 1024],
    numbers: [i32; 512],
}

// SAFETY: this program is one task.
static MEMORY: OneTask<Memory> =
    unsafe { OneTask::new(Memory { flags: [false; 2048], words: [0; 1024], numbers: [0; 512] }) };

/// Does a workload so often. Its size: how many flags, how many lines of a matrix, how many words, which Fibonacci number, how many numbers, how many
/// repeats. `None` where there is no memory for it, or no such workload.
fn work_on(memory: &mut Memory, workload: u64, size: usize, count: u32) -> Option<u32> {
    let Memory { flags, words, numbers } = memory;
    if size == 0 {
        return None;
    }
    Some(match workload {
        0 => work::sieve(flags.get_mut(..size)?, count),
        1 => work::matrices(words.get_mut(..size.checked_pow(2)?.checked_mul(3)?)?, size, count),
        2 => {
            let (source, copy) = words.get_mut(..size.checked_mul(2)?)?.split_at_mut(size);
            work::checksum(source, copy, count)
        }
        3 => work::fibonacci(size as u32, count),
        4 => work::sort(numbers.get_mut(..size)?, count),
        5 => work::machine(size as u32, count),
        _ => return None,
    })
}

/// Stops for whoever mends this task's faults. It is 4 bytes long.
fn breakpoint() {
    // SAFETY: the instruction changes nothing.
    #[cfg(target_arch = "riscv32")]
    unsafe {
        core::arch::asm!(".option push", ".option norvc", "ebreak", ".option pop");
    }
}

fn serve(_context: u64, message: &mut [u64; 4]) {
    let [workload, size, count, is_watched] = *message;
    if is_watched != 0 {
        breakpoint();
    }
    let result = MEMORY.with(|memory| work_on(memory, workload, size as usize, count as u32));
    if is_watched != 0 {
        breakpoint();
    }
    *message = match result {
        Some(result) => [0, result.into(), 0, 0],
        None => [1, 0, 0, 0],
    };
}

fn main(_argument: u64, _words: [u64; 4]) {
    OWN_TASK.make_endpoint(work_entry, 0, OWN_TABLE, SERVICE).expect("the service's slot is free");
}
