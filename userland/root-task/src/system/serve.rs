//! Requests of the programs.

use flatmk_abi::slots::{WINDOW, WINDOW_SLOTS};
use flatmk_abi::{Error, Words, slots};
use flatmk_runtime::answer_with_window;
use flatmk_runtime::object::{Memory, OWN_TABLE, Power};
use flatmk_supervisor::{Identity, Role};
use flatmk_system::{Cause, Ending, SupervisorRequest, Text, answer};

use super::{SUPERVISOR, SUPERVISORS_NAME, SYSTEM, System, text as text_of};

flatmk_runtime::transfer_service!(pub(super) fn request_entry = serve);

/// The first slot of the window, as a bit.
const FIRST: u64 = 1;

// ANCHOR: serve
fn serve(context: u64, message: &mut Words, window: u64) {
    // Nothing is taken.
    for slot in (0..WINDOW_SLOTS).filter(|slot| window >> slot & 1 != 0) {
        OWN_TABLE.delete(WINDOW + slot).unwrap_or_default();
    }
    let identity = Identity::from_word(context);
    let request = SupervisorRequest::from_number(message[0] & 0xff);
    if request == Some(SupervisorRequest::Connect) {
        *message = connect(identity, message[1]);
        return;
    }
    *message = SYSTEM.with(|system| match system.programs.identify(identity).map(|program| program.role) {
        Ok(role) => system.serve(identity.number, role, request, *message),
        Err(error) => answer(Err(error)),
    });
}
// ANCHOR_END: serve

/// Answers with an endpoint of a service; returns only if that is refused, or there is none.
fn connect(identity: Identity, service: u64) -> Words {
    let connected = SYSTEM.with(|system| system.connect(identity, service, WINDOW));
    let refused = connected.map(|()| answer_with_window([0; 4], FIRST));
    OWN_TABLE.delete(WINDOW).unwrap_or_default();
    answer(Err(refused.unwrap_or_else(|error| error)))
}

impl System {
    fn serve(&mut self, caller: u8, role: Role, request: Option<SupervisorRequest>, message: Words) -> Words {
        use SupervisorRequest as Request;
        let [_, first, second, _] = message;
        let text = || Text::from_message(message);
        let by_number = |number: u8| [number.into(), 0, 0];
        // What any program may ask.
        match request {
            Some(Request::End) => {
                self.end(caller, Ending::plain(Cause::Done, first as u16));
                return answer(Ok([0; 3]));
            }
            Some(Request::Argument) => {
                let arguments = self.programs.get(caller.into()).map(|program| program.arguments);
                return arguments.map_or_else(|error| answer(Err(error)), |all| all.part(first).read_answer());
            }
            _ if role != Role::Shell => return answer(Err(Error::MissingRight)),
            _ => {}
        }
        let result = match request {
            Some(Request::Load) => text().and_then(|name| self.load(caller, name)).map(by_number),
            Some(Request::AddArgument) => text().and_then(|text| self.arguments.append(text)).map(|()| [0; 3]),
            Some(Request::Run) => text().and_then(|name| self.run(caller, name)).map(by_number),
            Some(Request::Kill) => self.kill(first).map(|()| [0; 3]),
            Some(Request::Name) if first == SUPERVISOR => return text_of(SUPERVISORS_NAME).read_answer(),
            Some(Request::Name) => match self.programs.get(first) {
                Ok(program) => return program.name.read_answer(),
                Err(error) => Err(error),
            },
            Some(Request::Status) => self.status(first).map(|status| status.to_words()),
            Some(Request::Ending) => self.take_ending(caller, first).map(|ending| ending.to_words()),
            Some(Request::Capability) => self.capability(first, second),
            Some(Request::Memory) => self.memory(first),
            Some(Request::EndRun) => Err(Power(slots::POWER).off(if first == 0 { Ok(()) } else { Err(()) })),
            _ => Err(Error::InvalidArgument),
        };
        answer(result)
    }

    fn memory(&self, index: u64) -> Result<[u64; 3], Error> {
        if index >= self.memory_count {
            return Err(Error::InvalidArgument);
        }
        let kept = if index == 0 { self.programs.kept_pages() } else { 0 };
        Memory(slots::MEMORY + index).measure().map(|(free, pages)| [free, pages, kept])
    }
}
