//! Connections to the services of the system. What is said there is in [`flatmk_system`].

use flatmk_abi::slots::WINDOW;
use flatmk_abi::{Error, Words};
use flatmk_system::{Service, SupervisorRequest, outcome, slots};

use crate::object::{Done, Endpoint, OWN_TABLE};

/// An endpoint of a service, which outlives it: the supervisor is asked for a new one when the service has ended and was started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Whom it goes to.
    pub service: Service,
    /// Where the endpoint is.
    pub slot: u64,
}

impl Connection {
    /// The connection to a service, in the slot that is for it.
    #[must_use]
    pub const fn to(service: Service) -> Self {
        Self { service, slot: service.slot() }
    }

    // ANCHOR: call
    /// Calls the service. If it has ended, or ends during the call, it is called once more as soon as the supervisor has started it anew.
    ///
    /// # Errors
    ///
    /// Those of a call. They come from the second call, or from the supervisor, where the first one has found the service gone.
    pub fn call(self, message: Words) -> Result<Words, Error> {
        match Endpoint(self.slot).call(message) {
            Err(
                Error::InvalidCapability
                | Error::CalleeGone
                | Error::CalleeFaulted
                | Error::CalleeStopped
                | Error::InvalidState,
            ) => {
                self.connect()?;
                Endpoint(self.slot).call(message)
            }
            answered => answered,
        }
    }
    // ANCHOR_END: call

    /// Calls the service, for the words of its answer behind the status.
    ///
    /// # Errors
    ///
    /// Those of [`call`](Self::call), and those of the service.
    pub fn request(self, message: Words) -> Result<[u64; 3], Error> {
        self.call(message).and_then(outcome)
    }

    /// Asks the supervisor for an endpoint, which takes the place of what was in the slot.
    ///
    /// # Errors
    ///
    /// What the supervisor says, for example [`Error::MissingRight`] to a program that may not call this service;
    /// [`Error::InvalidCapability`] where there is no supervisor, or no endpoint has come.
    pub fn connect(self) -> Done {
        let request = [SupervisorRequest::Connect as u64, self.service as u64, 0, 0];
        let (answer, window) = Endpoint(slots::SUPERVISOR).call_with_window(request, 0)?;
        outcome(answer)?;
        if window & 1 == 0 {
            return Err(Error::InvalidCapability);
        }
        // The old endpoint went with its task. If it is still there, its task is not the one that serves now.
        match OWN_TABLE.delete(self.slot) {
            Ok(()) | Err(Error::InvalidCapability) => OWN_TABLE.move_here(self.slot, WINDOW),
            Err(error) => Err(error),
        }
    }
}
