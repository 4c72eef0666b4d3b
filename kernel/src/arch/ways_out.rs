//! The last instruction of the kernel's stubs, which goes back to user mode.

/// The text of two assembler macros, `leave_by_sysret` and `leave_by_iret`, which are these instructions.
#[cfg(not(feature = "chapter9"))]
macro_rules! ways_out {
    () => {
        "
    .macro leave_by_sysret
    sysretq
    .endm
    .macro leave_by_iret
    iretq
    .endm
        "
    };
}

/// The text of two assembler macros, `leave_by_sysret` and `leave_by_iret`, which are these instructions. Behind each is room for a jump in
/// its place: five bytes in all. The section `ways_out` says where they are, and where the jump would lead.
#[cfg(feature = "chapter9")]
macro_rules! ways_out {
    () => {
        "
    .macro leave_by_sysret
9000:
    sysretq
    .byte 0xcc, 0xcc
    .pushsection ways_out, \"aR\"
    .balign 4
    .long 9000b - .
    .long isolated_sysret - .
    .popsection
    .endm
    .macro leave_by_iret
9000:
    iretq
    .byte 0xcc, 0xcc, 0xcc
    .pushsection ways_out, \"aR\"
    .balign 4
    .long 9000b - .
    .long isolated_iret - .
    .popsection
    .endm
        "
    };
}

/// Ends the assembler macros above: how far the assembler knows them, in the whole crate or in a part that the compiler chooses, is not to be
/// relied on.
macro_rules! end_ways_out {
    () => {
        "
    .purgem leave_by_sysret
    .purgem leave_by_iret
        "
    };
}

pub(crate) use {end_ways_out, ways_out};
