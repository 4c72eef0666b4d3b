//! What RISC-V code costs while it runs: ticks for 100 of its instructions.
//!
//! The instructions are counted, too: each workload is done once in single steps, with a thread of this program as its fault handler. What
//! comes before the work (the call, and its preparations) is measured by a call that asks for everything but the work, and taken away.

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use flatmk_abi::{Error, FaultAnswer, FaultReason, MissingCapability};
use flatmk_runtime::object::{Done, Endpoint, Task, identify};

use crate::method::{Method, stamp, undisturbed};
use crate::row::{Figures, Row, print_head, print_row};
use crate::threads;

/// What the root task has put into this program's table: an endpoint of the program `workloads`, and its task.
const WORKLOADS: Endpoint = Endpoint(11);
const TASK: Task = Task(17);

/// How long the breakpoint is with which the program says where to begin and to end.
const BREAKPOINT_LENGTH: u64 = 4;

/// The register of a task with the address at which it goes on.
const RIP: u64 = 16;

/// The rows, with a size for each so that the work is between ten and twenty thousand instructions.
const ROWS: [(&str, u64); 6] = [
    ("softuser_sieve", 1024),
    ("softuser_matrices", 12),
    ("softuser_checksum", 300),
    ("softuser_fibonacci", 14),
    ("softuser_sort", 128),
    ("softuser_machine", 40),
];

/// How many instructions were stepped over, and whether the next breakpoint is the one at the end.
static STEPS: AtomicU64 = AtomicU64::new(0);
static IS_COUNTING: AtomicBool = AtomicBool::new(false);

flatmk_runtime::service!(fn step_entry = step);

// ANCHOR: step
/// The fault handler: from one breakpoint to the next, the task goes on by single steps.
fn step(_context: u64, message: &mut [u64; 4]) {
    let [reason, _, _, at] = *message;
    let behind = at + BREAKPOINT_LENGTH;
    let answer = match FaultReason::from_number(reason) {
        Some(FaultReason::Debug) => {
            STEPS.fetch_add(1, Ordering::Relaxed);
            FaultAnswer::Step
        }
        Some(FaultReason::Breakpoint) if IS_COUNTING.fetch_not(Ordering::Relaxed) => FaultAnswer::ResumeAt,
        Some(FaultReason::Breakpoint) if TASK.write_register(RIP, behind).is_ok() => FaultAnswer::Step,
        _ => FaultAnswer::Stop,
    };
    *message = [answer as u64, behind, 0, 0];
}
// ANCHOR_END: step

/// How a workload is done: at full speed, or with a breakpoint before and after it.
#[derive(Clone, Copy)]
enum Speed {
    Full = 0,
    Steps = 1,
}

/// A workload: its number, and its size.
#[derive(Clone, Copy)]
struct Workload(u64, u64);

impl Workload {
    /// Does it so often, and returns its result.
    #[inline(always)]
    fn run(self, count: u64, speed: Speed) -> Result<u64, Error> {
        match WORKLOADS.call([self.0, self.1, count, speed as u64])? {
            [0, result, ..] => Ok(result),
            _ => Err(Error::InvalidArgument),
        }
    }

    /// How many instructions it is, without its preparations. The result is the same in single steps.
    fn count(self) -> Result<u64, Error> {
        let mut steps = [0; 2];
        for (count, steps) in steps.iter_mut().enumerate() {
            STEPS.store(0, Ordering::Relaxed);
            let result = self.run(count as u64, Speed::Steps)?;
            *steps = STEPS.load(Ordering::Relaxed);
            if result != self.run(count as u64, Speed::Full)? {
                return Err(Error::InvalidState);
            }
        }
        let [preparations, all] = steps;
        if all > preparations { Ok(all - preparations) } else { Err(Error::InvalidState) }
    }

    #[inline(always)]
    fn time(self, count: u64) -> Result<u64, Error> {
        let started = stamp();
        self.run(count, Speed::Full)?;
        Ok(stamp() - started)
    }

    /// Ticks for 100 of its instructions. Code is warm: it has run to be counted.
    fn measure(self) -> Result<Figures, Error> {
        let instructions = self.count()?;
        let mut preparations = u64::MAX;
        for _ in 0..Method::current().batches() {
            preparations = preparations.min(undisturbed(|| self.time(0))?);
        }
        let row = Row::measure(|| {
            let ticks = self.time(1)?.saturating_sub(preparations);
            // Where ticks are no instructions there may be none.
            Ok::<_, Error>(((ticks * 100 + instructions / 2) / instructions).max(1))
        });
        Ok(row?.figures())
    }
}

/// Measures all workloads, and prints a row for each and one for all.
///
/// # Errors
///
/// What the kernel or the program says.
pub(crate) fn show() -> Done {
    if identify(WORKLOADS.0).is_err() {
        // So it is before chapter 10.
        return Ok(());
    }
    TASK.set_fault_handler(Some(threads::start_stepper(step_entry)?), MissingCapability::IsError)?;
    print_head("workload", Method::current().unit_for_guest());
    let mut products = [1_u128; 4];
    for (number, (name, size)) in ROWS.into_iter().enumerate() {
        let figures = Workload(number as u64, size).measure()?;
        print_row(name, figures);
        products.iter_mut().zip(figures).for_each(|(product, figure)| *product *= u128::from(figure.min(1 << 20)));
    }
    print_row("softuser_host_per_guest", products.map(sixth_root));
    TASK.set_fault_handler(None, MissingCapability::IsError)
}

/// What belongs to the geometric mean of six figures; rounded down.
fn sixth_root(product: u128) -> u64 {
    let mut root = 0;
    for bit in (0..21).rev() {
        let larger = root | 1 << bit;
        if u128::pow(larger, 6) <= product {
            root = larger;
        }
    }
    root as u64
}

const _: () = assert!(ROWS.len() == 6);
