//! Kinds of capabilities.

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal,)+) => {
        /// What a capability refers to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[doc = $doc])+ $name = $number,)+
        }

        impl Kind {
            /// Every kind, in the order of its number.
            pub const ALL: [Kind; [$($number,)+].len()] = [$(Kind::$name,)+];

            /// What a capability of this kind refers to, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Kind::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

// ANCHOR: kinds
kinds! {
    /// Nothing: the slot is empty.
    Empty = 0,
    /// A range of pages, from which objects are made.
    Memory = 1,
    /// A capability table: one page of 64 slots.
    Table = 2,
    /// An address space: the top-level page table of the lower half.
    AddressSpace = 3,
    /// A page of memory that can be mapped.
    Frame = 4,
    /// A task: registers, an address space and a capability table.
    Task = 5,
    /// An entry into a task: code address and context word.
    Endpoint = 6,
    /// The right to return to one caller, once.
    Reply = 7,
    /// The console of the kernel: serial line and screen.
    Console = 8,
    /// The machine's power switch.
    Power = 9,
    /// 2 MiB of memory in a row that can be mapped.
    LargeFrame = 10,
    /// A word of bits that tasks set and wait for.
    Notification = 11,
    /// A page for a task's floating-point state.
    FloatingPoint = 12,
    /// Interrupt lines.
    Interrupts = 13,
    /// A range of I/O ports.
    Ports = 14,
    /// A page for a task's RISC-V registers and translated code.
    Softuser = 15,
    /// An entry into a task whose code is for RISC-V. It is used as an endpoint is.
    SoftuserEndpoint = 16,
    /// A range of physical pages that are not memory for programs: the screen's, or registers and tables of devices and firmware.
    DeviceMemory = 17,
    /// The kernel's trace: what it notes of what tasks do.
    Trace = 18,
}
// ANCHOR_END: kinds

impl Kind {
    /// The kind with this number, if there is one.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Kind> {
        Kind::ALL.into_iter().find(|&kind| kind as u64 == number)
    }
}
