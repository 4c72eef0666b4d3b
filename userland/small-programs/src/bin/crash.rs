//! Does what it must not, to show what comes of it: `crash null`, `crash code`, `crash divide`, `crash stack`, `crash privilege`, `crash panic`.
#![no_std]
#![no_main]

use core::arch::asm;

use flatmk_abi::Words;
use flatmk_runtime::println;
use flatmk_runtime::supervisor::{self, ARGUMENT_BYTES};

flatmk_runtime::entry!(main);

fn main(_argument: u64, _words: Words) {
    // SAFETY: each of these faults, and nobody relies on what this program does afterwards.
    unsafe {
        match supervisor::arguments(&mut [0; ARGUMENT_BYTES]) {
            "" | "null" => asm!("mov dword ptr [8], 0"),
            // The program's first page, which is its header.
            "code" => asm!("mov dword ptr [{address}], 0", address = in(reg) 0x40_0000_u64),
            "divide" => asm!("xor ecx, ecx", "div ecx", out("ecx") _, out("eax") _, out("edx") _),
            "stack" => asm!("2:", "push rax", "jmp 2b"),
            "privilege" => asm!("cli"),
            "panic" => panic!("as it was told to"),
            other => println!("crash: there is no {other}: null, code, divide, stack, privilege or panic"),
        }
    }
    supervisor::end(1);
}
