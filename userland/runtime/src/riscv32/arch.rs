//! What is said in the words of the processor, for RISC-V: how a program and its services begin, and how it ends.
//!
//! A number of 64 bits is in two registers, its lower half in the first, as an argument too (RISC-V ABIs Specification, "Integer Calling
//! Convention"). So are the words of a message: in `a2` to `a7`, the last one in `t3` and `t4`. What is in the window comes in `t0`.

use core::arch::asm;

use flatmk_abi::SOFTUSER_ENTRY;

/// The beginning of a program, `_start`, which calls a function `fn(argument: u64, words: [u64; 4])`.
#[doc(hidden)]
#[macro_export]
macro_rules! start {
    ($main:path) => {
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        extern "C" fn _start() -> ! {
            core::arch::naked_asm!(
                "addi sp, sp, -32",
                $crate::store_message!(),
                "mv a2, sp",
                "call {start}",
                "unimp",
                start = sym start,
            )
        }

        extern "C" fn start(argument: u64, words: &[u64; 4]) -> ! {
            let main: fn(u64, [u64; 4]) = $main;
            main(argument, *words);
            $crate::finish_start()
        }
    };
}

/// Stores the words of a message at the stack pointer.
#[doc(hidden)]
#[macro_export]
macro_rules! store_message {
    () => {
        "sw a2, 0(sp)
        sw a3, 4(sp)
        sw a4, 8(sp)
        sw a5, 12(sp)
        sw a6, 16(sp)
        sw a7, 20(sp)
        sw t3, 24(sp)
        sw t4, 28(sp)"
    };
}

/// The body of an entry: passes the message to a function, and returns with what is there afterwards. The function also gets the window,
/// whether it takes it or not.
#[doc(hidden)]
#[macro_export]
macro_rules! serve {
    ($handle:ident $(, window)?) => {
        core::arch::naked_asm!(
            "addi sp, sp, -32",
            $crate::store_message!(),
            "mv a2, sp",
            // The third argument, which has 64 bits, begins with an even register.
            "mv a4, t0",
            "li a5, 0",
            "call {handle}",
            "lw a2, 0(sp)",
            "lw a3, 4(sp)",
            "lw a4, 8(sp)",
            "lw a5, 12(sp)",
            "lw a6, 16(sp)",
            "lw a7, 20(sp)",
            "lw t3, 24(sp)",
            "lw t4, 28(sp)",
            "li a0, 0",
            "li a1, 1",
            "ecall",
            // Only a return that is refused comes back.
            "call {refused}",
            "unimp",
            handle = sym $handle,
            refused = sym $crate::stop_faulting_caller,
        )
    };
}

/// What the kernel is told of a function that is an entry.
pub(crate) fn entry_address(entry: extern "C" fn()) -> u64 {
    entry as usize as u64 | SOFTUSER_ENTRY
}

/// The counter of cycles, which is the processor's time stamp counter.
#[must_use]
pub fn time_stamp() -> u64 {
    loop {
        let (high, low, again): (u32, u32, u32);
        // SAFETY: reads a counter. Those instructions are an extension, which the kernel has.
        unsafe {
            asm!(
                ".option push",
                ".option arch, +zicsr",
                "rdcycleh {high}",
                "rdcycle {low}",
                "rdcycleh {again}",
                ".option pop",
                high = out(reg) high,
                low = out(reg) low,
                again = out(reg) again,
                options(nomem, nostack),
            );
        }
        // The lower half has not begun anew in between.
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Executes an instruction that does not exist, at which the kernel stops the program.
pub fn stop() -> ! {
    // SAFETY: raises an exception, and does nothing else.
    unsafe { asm!("unimp", options(noreturn)) }
}
