//! All floating-point registers that the processor has, filled and read with explicit instructions. The compiler uses none of them in this
//! program.

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count};

/// How wide the vector registers are, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// 16 registers of 128 bits.
    Xmm,
    /// 16 registers of 256 bits.
    Ymm,
    /// 32 registers of 512 bits, and 8 of masks.
    Zmm,
}

impl Width {
    /// What the processor has, and the kernel has switched on (Intel SDM vol. 1, 14.3 and 15.2).
    pub(crate) fn of_processor() -> Self {
        const OSXSAVE_AND_AVX: u32 = 1 << 27 | 1 << 28;
        const AVX_STATE: u32 = 0b110;
        const AVX_512_STATE: u32 = 0b1110_0110;
        const AVX_512_F_AND_BW: u32 = 1 << 16 | 1 << 30;

        if __cpuid(1).ecx & OSXSAVE_AND_AVX != OSXSAVE_AND_AVX {
            return Width::Xmm;
        }
        let low: u32;
        // SAFETY: OSXSAVE says that the instruction is there.
        unsafe { asm!("xgetbv", in("ecx") 0, lateout("eax") low, lateout("edx") _, options(nomem, nostack)) };
        let has_avx_512 = __cpuid_count(7, 0).ebx & AVX_512_F_AND_BW == AVX_512_F_AND_BW;
        match low {
            _ if low & AVX_512_STATE == AVX_512_STATE && has_avx_512 => Width::Zmm,
            _ if low & AVX_STATE == AVX_STATE => Width::Ymm,
            _ => Width::Xmm,
        }
    }

    /// Registers, and the 64-bit words of each.
    fn shape(self) -> (usize, usize) {
        match self {
            Width::Xmm => (16, 2),
            Width::Ymm => (16, 4),
            Width::Zmm => (32, 8),
        }
    }
}

/// What `FXSAVE` stores (Intel SDM vol. 1, table 10-2).
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
struct Legacy {
    control: u16,
    status: u16,
    tags: u8,
    reserved: u8,
    opcode: u16,
    instruction: u64,
    operand: u64,
    mxcsr: u32,
    mxcsr_mask: u32,
    x87: [[u64; 2]; 8],
    xmm: [[u64; 2]; 16],
    rest: [u64; 12],
}

const EMPTY: Legacy = Legacy {
    control: 0,
    status: 0,
    tags: 0,
    reserved: 0,
    opcode: 0,
    instruction: 0,
    operand: 0,
    mxcsr: 0,
    mxcsr_mask: 0,
    x87: [[0; 2]; 8],
    xmm: [[0; 2]; 16],
    rest: [0; 12],
};

/// The contents of all registers.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Vectors {
    legacy: Legacy,
    wide: [[u64; 8]; 32],
    masks: [u64; 8],
}

macro_rules! load {
    ($instruction:literal, $register:literal; $($number:literal)+) => {
        concat!($($instruction, " ", $register, $number, ", [rdi + ", $number, "*64]\n",)+)
    };
}

macro_rules! store {
    ($instruction:literal, $register:literal; $($number:literal)+) => {
        concat!($($instruction, " [rdi + ", $number, "*64], ", $register, $number, "\n",)+)
    };
}

macro_rules! masks {
    (load; $($number:literal)+) => { concat!($("kmovq k", $number, ", [rdi + ", $number, "*8]\n",)+) };
    (store; $($number:literal)+) => { concat!($("kmovq [rdi + ", $number, "*8], k", $number, "\n",)+) };
}

impl Vectors {
    /// Numbers that depend on the seed, other ones in each register, and control words that are not those of the beginning.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let word =
            |register: u64, word: u64| (seed << 16 | register << 8 | word).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut vectors = Self::NOTHING;
        let (count, words) = Width::of_processor().shape();
        for (register, vector) in (0..).zip(&mut vectors.wide).take(count) {
            for (index, place) in (0..).zip(vector).take(words) {
                *place = word(register, index);
            }
        }
        if Width::of_processor() == Width::Zmm {
            for (register, place) in (0..).zip(&mut vectors.masks) {
                *place = word(register, 100);
            }
        }
        for (register, place) in (0..).zip(&mut vectors.legacy.x87) {
            // A number with its highest bit set, between 1 and 2.
            *place = [word(register, 200) | 1 << 63, 0x3fff];
        }
        // All exceptions masked; another rounding, and for the x87 unit another precision (Intel SDM vol. 1, figures 8-6 and 10-3).
        vectors.legacy.control = 0x007f | ((seed & 3) << 10) as u16;
        vectors.legacy.mxcsr = 0x1f80 | ((seed >> 2 & 3) << 13) as u32;
        vectors
    }

    const NOTHING: Self = Self { legacy: EMPTY, wide: [[0; 8]; 32], masks: [0; 8] };

    /// The state with which a task begins.
    pub(crate) fn fresh() -> Self {
        let mut vectors = Self::NOTHING;
        (vectors.legacy.control, vectors.legacy.mxcsr) = (0x037f, 0x1f80);
        vectors
    }

    /// Fills the registers.
    pub(crate) fn load(&self) {
        // SAFETY: the compiler uses none of these registers, and memory is only read. On the x87 stack 0 is pushed last.
        unsafe {
            asm!(
                "fninit",
                "fldcw [rdi]",
                "fld tbyte ptr [rdi + 32 + 7*16]",
                "fld tbyte ptr [rdi + 32 + 6*16]",
                "fld tbyte ptr [rdi + 32 + 5*16]",
                "fld tbyte ptr [rdi + 32 + 4*16]",
                "fld tbyte ptr [rdi + 32 + 3*16]",
                "fld tbyte ptr [rdi + 32 + 2*16]",
                "fld tbyte ptr [rdi + 32 + 1*16]",
                "fld tbyte ptr [rdi + 32]",
                "ldmxcsr [rdi + 24]",
                in("rdi") &raw const self.legacy,
                options(nostack, readonly),
            );
            let wide = &raw const self.wide;
            match Width::of_processor() {
                Width::Xmm => asm!(
                    load!("movups", "xmm"; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
                    in("rdi") wide, options(nostack, readonly)
                ),
                Width::Ymm => asm!(
                    load!("vmovups", "ymm"; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
                    in("rdi") wide, options(nostack, readonly)
                ),
                Width::Zmm => {
                    asm!(
                        load!("vmovups", "zmm"; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31),
                        in("rdi") wide, options(nostack, readonly)
                    );
                    asm!(masks!(load; 0 1 2 3 4 5 6 7), in("rdi") &raw const self.masks, options(nostack, readonly));
                }
            }
        }
    }

    /// Reads the registers; it changes none.
    pub(crate) fn read() -> Self {
        let mut vectors = Self::NOTHING;
        // SAFETY: as for `load`; what is written is as large as the registers.
        unsafe {
            let wide = &raw mut vectors.wide;
            match Width::of_processor() {
                Width::Xmm => asm!(
                    store!("movups", "xmm"; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
                    in("rdi") wide, options(nostack)
                ),
                Width::Ymm => asm!(
                    store!("vmovups", "ymm"; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15),
                    in("rdi") wide, options(nostack)
                ),
                Width::Zmm => {
                    asm!(
                        store!("vmovups", "zmm"; 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31),
                        in("rdi") wide, options(nostack)
                    );
                    asm!(masks!(store; 0 1 2 3 4 5 6 7), in("rdi") &raw mut vectors.masks, options(nostack));
                }
            }
            asm!("fxsave64 [rdi]", in("rdi") &raw mut vectors.legacy, options(nostack));
        }
        vectors
    }

    /// The state without what a processor notes of the last instruction, and what `load` does not set.
    fn essence(self) -> Self {
        let Legacy { control, mxcsr, x87, .. } = self.legacy;
        Self { legacy: Legacy { control, mxcsr, x87, ..EMPTY }, ..self }
    }

    /// Whether these are the registers that `load` has filled.
    pub(crate) fn is_like(self, loaded: &Self) -> bool {
        self.essence() == loaded.essence()
    }

    /// Whether nothing at all is left of anybody: no register, no tag, no flag, no address of an instruction.
    pub(crate) fn is_fresh(self) -> bool {
        let legacy = Legacy { mxcsr_mask: 0, rest: [0; 12], ..self.legacy };
        Self { legacy, ..self } == Self::fresh()
    }
}
