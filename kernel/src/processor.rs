//! What processor this is, and which of its features matter here (Intel SDM vol. 2A, CPUID).

use core::arch::x86_64::__cpuid_count;
use core::fmt;

use raw_cpuid::{CpuId, CpuIdReaderNative};

use crate::stop::{StopCode, stop};

/// The processor, as `CPUID` describes it.
pub struct Processor {
    cpuid: CpuId<CpuIdReaderNative>,
}

impl Processor {
    /// Asks the processor.
    #[must_use]
    pub fn identify() -> Self {
        Self { cpuid: CpuId::new() }
    }

    // ANCHOR: needed
    /// The features that the kernel cannot do without, by name, and whether this processor has them.
    fn needed(&self) -> [(&'static str, bool); 4] {
        let basic = self.cpuid.get_feature_info();
        let extended = self.cpuid.get_extended_processor_and_feature_identifiers();
        [
            ("tsc", basic.as_ref().is_some_and(|features| features.has_tsc())),
            ("msr", basic.as_ref().is_some_and(|features| features.has_msr())),
            ("syscall", extended.as_ref().is_some_and(|features| features.has_syscall_sysret())),
            ("nx", extended.as_ref().is_some_and(|features| features.has_execute_disable())),
        ]
    }

    /// Stops the machine where a needed feature is missing.
    pub fn require(&self) {
        for (name, present) in self.needed() {
            if !present {
                stop(StopCode::MissingFeature, format_args!("the processor lacks a needed feature: {name}"));
            }
        }
    }
    // ANCHOR_END: needed

    /// Machine checks: reports of the hardware's own errors.
    #[must_use]
    pub fn has_machine_check(&self) -> bool {
        self.cpuid.get_feature_info().is_some_and(|features| features.has_mce())
    }

    /// Supervisor-mode execution prevention.
    #[must_use]
    pub fn has_smep(&self) -> bool {
        self.cpuid.get_extended_feature_info().is_some_and(|features| features.has_smep())
    }

    /// Supervisor-mode access prevention.
    #[must_use]
    pub fn has_smap(&self) -> bool {
        self.cpuid.get_extended_feature_info().is_some_and(|features| features.has_smap())
    }

    /// User-mode instruction prevention.
    #[must_use]
    pub fn has_umip(&self) -> bool {
        self.cpuid.get_extended_feature_info().is_some_and(|features| features.has_umip())
    }

    /// Global pages.
    #[must_use]
    pub fn has_global_pages(&self) -> bool {
        self.cpuid.get_feature_info().is_some_and(|features| features.has_pge())
    }

    /// The parts of floating-point state that `XSAVE` saves: x87, vector registers of 128, 256 and 512 bits, as bits of XCR0 (Intel SDM vol. 1,
    /// 13.1), as far as they fit into a page. `None` without the instruction.
    #[must_use]
    pub fn xsave_parts(&self) -> Option<u64> {
        const X87_AND_SSE: u64 = 0b11;
        const AVX: u64 = 1 << 2;
        const AVX_512: u64 = 0b111 << 5;
        const PAGE_SIZE: u32 = 4096;

        self.cpuid.get_feature_info().filter(|features| features.has_xsave())?;
        let state = self.cpuid.get_extended_state_info()?;
        let has_avx = state.xcr0_supports_avx_256();
        let has_avx_512 = has_avx
            && state.xcr0_supports_avx512_opmask()
            && state.xcr0_supports_avx512_zmm_hi256()
            && state.xcr0_supports_avx512_zmm_hi16();
        let parts = X87_AND_SSE | if has_avx { AVX } else { 0 } | if has_avx_512 { AVX_512 } else { 0 };
        let is_saved = |subleaf: u32| parts >> subleaf & 1 != 0;
        let end = state.iter().filter(|part| is_saved(part.subleaf)).map(|part| part.offset() + part.size()).max();
        Some(if end.is_none_or(|end| end <= PAGE_SIZE) { parts } else { X87_AND_SSE })
    }

    /// A local interrupt controller.
    #[must_use]
    pub fn has_local_apic(&self) -> bool {
        self.cpuid.get_feature_info().is_some_and(|features| features.has_apic())
    }

    /// The newer way to its registers.
    #[must_use]
    pub fn has_x2apic(&self) -> bool {
        self.cpuid.get_feature_info().is_some_and(|features| features.has_x2apic())
    }

    /// Deadlines for its timer, by the time stamp counter.
    #[must_use]
    pub fn has_deadlines(&self) -> bool {
        self.cpuid.get_feature_info().is_some_and(|features| features.has_tsc_deadline())
    }

    /// How often in a second the time stamp counter counts, and the crystal from which it is made, where the processor says it. Where it is silent on
    /// the crystal, that follows from its base frequency (Intel SDM vol. 3B, 18.7.3).
    #[must_use]
    pub fn frequencies_hz(&self) -> Option<(u64, u64)> {
        let ratio = self.cpuid.get_tsc_info()?;
        let (numerator, denominator) = (u64::from(ratio.numerator()), u64::from(ratio.denominator()));
        if numerator == 0 || denominator == 0 {
            return None;
        }
        let crystal_hz = match u64::from(ratio.nominal_frequency()) {
            0 => {
                let base_mhz = self.cpuid.get_processor_frequency_info()?.processor_base_frequency();
                u64::from(base_mhz) * 1_000_000 * denominator / numerator
            }
            hz => hz,
        };
        Some((crystal_hz * numerator / denominator, crystal_hz)).filter(|&(_, crystal_hz)| crystal_hz > 0)
    }

    /// The page attribute table.
    #[must_use]
    pub fn has_page_attribute_table(&self) -> bool {
        self.cpuid.get_feature_info().is_some_and(|features| features.has_pat())
    }

    /// How many bits a physical address has.
    #[must_use]
    pub fn physical_address_bits(&self) -> u8 {
        // The least that a processor with 64-bit mode has, where it does not say.
        self.cpuid.get_processor_capacity_feature_info().map_or(36, |info| info.physical_address_bits())
    }

    /// Process-context identifiers.
    #[must_use]
    pub fn has_pcid(&self) -> bool {
        self.cpuid.get_feature_info().is_some_and(|features| features.has_pcid())
    }

    /// Whether AMD made it, or Hygon after AMD's design.
    #[must_use]
    pub fn is_amds(&self) -> bool {
        let vendor = self.cpuid.get_vendor_info();
        vendor.is_some_and(|vendor| ["AuthenticAMD", "HygonGenuine"].contains(&vendor.as_str()))
    }

    /// The register `IA32_ARCH_CAPABILITIES`, in which it says which mistakes it has not: bit 29 of `EDX` of leaf 7.
    #[must_use]
    pub fn has_arch_capabilities(&self) -> bool {
        self.cpuid.get_extended_feature_info().is_some() && __cpuid_count(7, 0).edx >> 29 & 1 != 0
    }

    /// The `INVPCID` instruction.
    #[must_use]
    pub fn has_invpcid(&self) -> bool {
        self.cpuid.get_extended_feature_info().is_some_and(|features| features.has_invpcid())
    }
}

impl fmt::Display for Processor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cpuid.get_processor_brand_string() {
            Some(brand) => formatter.write_str(brand.as_str().trim())?,
            None => formatter.write_str("of unknown name")?,
        }
        let optional = [
            ("pge", self.has_global_pages()),
            ("smep", self.has_smep()),
            ("smap", self.has_smap()),
            ("umip", self.has_umip()),
            ("pcid", self.has_pcid()),
            ("invpcid", self.has_invpcid()),
        ];
        formatter.write_str(", with")?;
        for (name, _) in self.needed().into_iter().chain(optional).filter(|&(_, present)| present) {
            write!(formatter, " {name}")?;
        }
        Ok(())
    }
}
