//! What physical machines have beyond the PC of 1981: the local APIC with its timer, and counters of known frequency to measure that with.
//!
//! - `stages`: how far boot has come, for whoever looks at a machine that hangs.
//! - `apic`: the local interrupt controller of the processor.
//! - `acpi`: where the firmware's tables say that counters are; `counter`: these counters.
//! - `calibration`: how fast time stamp counter and local timer count.
//! - `tick`: the timer that ticks, and the time.
//!
//! The two 8259 controllers stay for the lines of devices: their requests come through the local APIC as through a wire. The 8254 stays for
//! machines on which nothing else can be made to tick.

mod acpi;
mod apic;
mod calibration;
mod counter;
mod stages;
mod tick;

use bootloader_api::BootInfo;

pub(crate) use apic::forget_stray;
pub use stages::Stage;
pub(crate) use stages::reach;
pub(crate) use tick::{now_ns, since_tick_ns, tick_ns, time_stamp_hz};

use crate::boot::{Timer, options};
use crate::println;
use apic::LocalApic;

/// Silences what the firmware has left on in the local APIC. Before interrupts are switched on.
pub(crate) fn silence_local_apic() {
    if let Some(apic) = LocalApic::find_enabled() {
        apic.mask_local_lines();
    }
}

// ANCHOR: initialize
/// Puts the local APIC's timer in the place of the 8254, where there is one and its frequency can be found out.
pub(crate) fn initialize(information: &BootInfo) {
    let reason = match choose(information) {
        Ok(()) => return,
        Err(reason) => reason,
    };
    println!("timer: the 8254, {} ticks a second ({reason})", crate::interrupts::timer::TICKS_PER_SECOND);
}

fn choose(information: &BootInfo) -> Result<(), &'static str> {
    if options().timer == Timer::Pit {
        return Err("boot option");
    }
    reach(Stage::LocalApic);
    let apic = LocalApic::take_over().ok_or("the processor has no local APIC that can be used")?;
    reach(Stage::Calibration);
    let tables = acpi::Tables::find(information.rsdp_addr.into_option());
    let frequencies = calibration::calibrate(&apic, &tables).ok_or("nothing tells how fast the local APIC counts")?;
    reach(Stage::Timer);
    tick::begin(apic, &frequencies).ok_or("the local APIC counts too slowly, or too fast")
}
// ANCHOR_END: initialize
