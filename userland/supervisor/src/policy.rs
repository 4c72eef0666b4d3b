//! Who has what: the table from which every program of the system gets its capabilities, and no others.

use core::ops::RangeInclusive;

use flatmk_system::Service;

/// A part of the machine that is mapped as memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// The picture on the screen.
    Framebuffer,
    /// Tables of the firmware, and the devices' own memory.
    Firmware,
}

/// What a program is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A service.
    Service(Service),
    /// The shell.
    Shell,
    /// Whatever somebody runs.
    Program,
}

/// What a program is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How urgent it is.
    pub priority: u8,
    /// How many pages it has for objects of its own.
    pub own_pages: u64,
    /// I/O ports.
    pub ports: Option<RangeInclusive<u16>>,
    /// The interrupt line.
    pub line: Option<u8>,
    /// Memory of a device.
    pub device: Option<Device>,
    /// Whether it tells the shell that something was typed.
    pub signals_input: bool,
    /// Whether it is told.
    pub waits_for_input: bool,
    /// Whether it may switch the machine off.
    pub power: bool,
    /// Whether it may trace what all programs do.
    pub trace: bool,
    /// Whether it writes to the kernel's console. Others write to the terminal.
    pub kernel_console: bool,
    /// Whether it can ask the supervisor.
    pub supervisor: bool,
    /// The services that it may call.
    pub connections: &'static [Service],
}

/// What most have.
const NOTHING: Policy = Policy {
    priority: 0,
    own_pages: 0,
    ports: None,
    line: None,
    device: None,
    signals_input: false,
    waits_for_input: false,
    power: false,
    trace: false,
    kernel_console: false,
    supervisor: true,
    connections: &[],
};

// ANCHOR: policy
/// How urgent they are: a driver more than who waits for it.
const DRIVERS: u8 = 48;
const TERMINAL: u8 = 40;
const SHELL: u8 = 32;
const PROGRAMS: u8 = 16;

impl Role {
    /// What a program of this role is given.
    #[must_use]
    pub fn policy(self) -> Policy {
        use Service::{Clock, Keyboard, Power, Screen, Serial, Sharing, Terminal};
        let driver = Policy { priority: DRIVERS, kernel_console: true, ..NOTHING };
        match self {
            Role::Service(Screen) => Policy { device: Some(Device::Framebuffer), ..driver },
            Role::Service(Serial) => {
                Policy { ports: Some(0x3f8..=0x3ff), line: Some(4), signals_input: true, ..driver }
            }
            Role::Service(Keyboard) => {
                Policy { ports: Some(0x60..=0x64), line: Some(1), signals_input: true, ..driver }
            }
            Role::Service(Clock) => Policy { ports: Some(0x70..=0x71), ..driver },
            // What the firmware's tables name can be anywhere.
            Role::Service(Power) => Policy {
                ports: Some(0..=u16::MAX),
                device: Some(Device::Firmware),
                power: true,
                // The heap of an interpreter.
                own_pages: 1024,
                ..driver
            },
            Role::Service(Terminal) => {
                Policy { priority: TERMINAL, connections: &[Screen, Serial, Keyboard], ..driver }
            }
            Role::Service(Sharing) => Policy { supervisor: false, own_pages: 128, ..driver },
            Role::Shell => Policy {
                priority: SHELL,
                waits_for_input: true,
                trace: true,
                // A frame for events.
                own_pages: 8,
                connections: &[Terminal, Keyboard, Clock, Power],
                ..NOTHING
            },
            Role::Program => {
                Policy { priority: PROGRAMS, own_pages: 16, connections: &[Terminal, Clock, Sharing], ..NOTHING }
            }
        }
    }
}
// ANCHOR_END: policy

impl Policy {
    /// Whether a program may call a service.
    #[must_use]
    pub fn may_call(&self, service: Service) -> bool {
        self.connections.contains(&service)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_waited_for_is_more_urgent() {
        let of = |role: Role| role.policy().priority;
        for service in Service::ALL {
            for &callee in Role::Service(service).policy().connections {
                assert!(of(Role::Service(callee)) > of(Role::Service(service)), "{callee:?} and {service:?}");
            }
        }
        assert!(of(Role::Service(Service::Terminal)) > of(Role::Shell));
        assert!(of(Role::Shell) > of(Role::Program));
        assert!(Service::ALL.into_iter().all(|service| of(Role::Service(service)) > of(Role::Program)));
    }

    #[test]
    fn no_two_have_the_same_device() {
        let roles = || Service::ALL.into_iter().map(Role::Service).chain([Role::Shell, Role::Program]);
        for role in roles() {
            let Policy { ports, line, device, .. } = role.policy();
            for other in roles().filter(|&other| other != role) {
                let others = other.policy();
                assert!(line.is_none() || line != others.line, "{role:?} and {other:?}");
                assert!(device.is_none() || device != others.device, "{role:?} and {other:?}");
                // The tables of the firmware may name any port.
                let everywhere = |role| role == Role::Service(Service::Power);
                if let (Some(ports), Some(others), false) =
                    (&ports, &others.ports, everywhere(role) || everywhere(other))
                {
                    assert!(ports.start() > others.end() || others.start() > ports.end(), "{role:?} and {other:?}");
                }
            }
        }
    }

    #[test]
    fn nobody_traces_but_the_shell() {
        let others = Service::ALL.into_iter().map(Role::Service).chain([Role::Program]);
        assert!(Role::Shell.policy().trace && others.into_iter().all(|role| !role.policy().trace));
    }

    #[test]
    fn whoever_has_no_device_has_no_power_over_the_machine() {
        for role in [Role::Shell, Role::Program, Role::Service(Service::Terminal), Role::Service(Service::Sharing)] {
            let policy = role.policy();
            assert_eq!((policy.ports, policy.line, policy.device, policy.power), (None, None, None, false), "{role:?}");
        }
    }
}
