//! The benchmark as a program of the system: all that it calls is made in its compartment, as in the demonstration.

use flatmk_abi::{Error, Rights, slots};
use flatmk_runtime::object::Done;
use flatmk_runtime::time_stamp;
use flatmk_supervisor::Role;
use tar_no_std::TarArchiveRef;

use super::{System, memory_of, text};
use crate::demonstration;
use crate::servers::Servers;
use crate::wait_for_service;

/// The benchmark's program.
pub(super) const BENCHMARK: &str = demonstration::BENCHMARK;

/// How many pages it has, with those that it calls. With less than the first it leaves rows out.
const PAGES: [u64; 3] = [4096, 2048, 1024];

impl System {
    /// Loads the benchmark with the servers that it calls, and lets them start.
    pub(super) fn launch_benchmark(&mut self, archive: &TarArchiveRef<'_>, parent: u8) -> Result<u8, Error> {
        let name = text(BENCHMARK);
        let reserved = PAGES.into_iter().find_map(|pages| self.reserve(name, Role::Program, parent, pages).ok());
        let number = reserved.ok_or(Error::OutOfMemory)?;
        self.programs.start(number, time_stamp());
        let started = self.start_benchmark(archive, number);
        if started.is_err() {
            self.empty(number);
            self.programs.remove(number);
        }
        started.map(|()| number)
    }

    fn start_benchmark(&self, archive: &TarArchiveRef<'_>, number: u8) -> Done {
        let memory = memory_of(number.into());
        let policy = Role::Program.policy();
        let servers = Servers::start(archive, memory)?;
        for server in servers.programs() {
            server.task.set_priority(policy.priority)?;
        }
        let benchmark = demonstration::load_benchmark(archive, memory, &servers)?;
        if let Some(terminal) = self.terminal() {
            benchmark.table.delete(slots::CONSOLE)?;
            benchmark.table.copy(slots::CONSOLE, terminal, Rights::CALL)?;
        }
        benchmark.start(demonstration::benchmark_units(archive))?;
        wait_for_service(benchmark)?;
        self.adopt(&benchmark, number, &policy)
    }
}
