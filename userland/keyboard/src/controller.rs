//! The keyboard controller of the PC, an Intel 8042 or what behaves like one.

/// The two ports of the controller.
pub trait Bus {
    /// Reads port 60h.
    fn read_data(&mut self) -> u8;
    /// Reads port 64h.
    fn read_status(&mut self) -> u8;
    /// Writes port 60h.
    fn write_data(&mut self, value: u8);
    /// Writes port 64h.
    fn write_command(&mut self, value: u8);
}

/// Bits of the status: a byte can be read; one that was written is not taken yet; what can be read is the mouse's.
const OUTPUT_FULL: u8 = 1 << 0;
const INPUT_FULL: u8 = 1 << 1;
const FROM_MOUSE: u8 = 1 << 5;

/// Commands.
const READ_CONFIGURATION: u8 = 0x20;
const WRITE_CONFIGURATION: u8 = 0x60;
const DISABLE_KEYBOARD: u8 = 0xad;
const ENABLE_KEYBOARD: u8 = 0xae;

/// The command to the keyboard itself to send what is typed.
const ENABLE_SCANNING: u8 = 0xf4;

/// Bits of the configuration: the keyboard and the mouse interrupt, the keyboard's clock is off, its scan codes are translated to set 1.
const KEYBOARD_INTERRUPT: u8 = 1 << 0;
const MOUSE_INTERRUPT: u8 = 1 << 1;
const KEYBOARD_OFF: u8 = 1 << 4;
const TRANSLATION: u8 = 1 << 6;

/// How often the status is read while waiting. The controller takes some 10 µs, and reading takes a system call, half a microsecond at least.
const PATIENCE_POLLS: usize = 10_000;

/// The most bytes that are taken at a time: more than any controller holds.
const MOST_BYTES: usize = 64;

/// A controller that is there.
pub struct Controller<B>(B);

impl<B: Bus> Controller<B> {
    /// The controller, set up to interrupt for each byte of the keyboard; `None` where there is none, or none that answers.
    pub fn find(mut bus: B) -> Option<Self> {
        if bus.read_status() == u8::MAX {
            return None;
        }
        let mut controller = Self(bus);
        // A key that is pressed or released now must not come before the answer, or it would be taken for that.
        controller.command(DISABLE_KEYBOARD)?;
        controller.wait_for_room()?;
        // Nor must what was typed before, which also holds back the next interrupt.
        controller.take_all(|_| {});
        controller.command(READ_CONFIGURATION)?;
        let configuration = controller.answer()?;
        controller.command(WRITE_CONFIGURATION)?;
        let wanted = (configuration | KEYBOARD_INTERRUPT | TRANSLATION) & !(KEYBOARD_OFF | MOUSE_INTERRUPT);
        controller.send(wanted)?;
        controller.command(ENABLE_KEYBOARD)?;
        // Some firmware leaves the keyboard quiet. It acknowledges this, or it does not: nobody waits for it.
        controller.send(ENABLE_SCANNING)?;
        Some(controller)
    }

    /// Takes all bytes of the keyboard that are there.
    pub fn take_all(&mut self, mut take: impl FnMut(u8)) {
        // ANCHOR: exercise-11-2
        for _ in 0..MOST_BYTES {
            let status = self.0.read_status();
            if status & OUTPUT_FULL == 0 || status == u8::MAX {
                return;
            }
            let byte = self.0.read_data();
            if status & FROM_MOUSE == 0 {
                take(byte);
            }
        }
        // ANCHOR_END: exercise-11-2
    }

    fn wait_for_room(&mut self) -> Option<()> {
        (0..PATIENCE_POLLS).any(|_| self.0.read_status() & INPUT_FULL == 0).then_some(())
    }

    fn command(&mut self, command: u8) -> Option<()> {
        self.wait_for_room()?;
        self.0.write_command(command);
        Some(())
    }

    fn send(&mut self, value: u8) -> Option<()> {
        self.wait_for_room()?;
        self.0.write_data(value);
        Some(())
    }

    /// The next byte that is not the mouse's.
    fn answer(&mut self) -> Option<u8> {
        (0..PATIENCE_POLLS).find_map(|_| {
            let status = self.0.read_status();
            let byte = (status & OUTPUT_FULL != 0).then(|| self.0.read_data());
            byte.filter(|_| status & FROM_MOUSE == 0)
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::VecDeque;
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// A controller, or what is in its place.
    #[derive(Default)]
    struct Model {
        /// What the status reads, whatever happens.
        stuck: Option<u8>,
        output: VecDeque<(u8, bool)>,
        configuration: u8,
        expects_configuration: bool,
        /// What comes before the next answer: of the keyboard, unless that is off, and of the mouse.
        typed: Option<u8>,
        moved: Option<u8>,
        is_scanning: bool,
        reads: usize,
    }

    impl Model {
        fn is_on(&self) -> bool {
            self.configuration & KEYBOARD_OFF == 0
        }

        fn answer(&mut self, byte: u8) {
            let typed = if self.is_on() { self.typed.take() } else { None };
            self.output.extend(typed.map(|byte| (byte, false)));
            self.output.extend(self.moved.take().map(|byte| (byte, true)));
            self.output.push_back((byte, false));
        }
    }

    impl Bus for &mut Model {
        fn read_data(&mut self) -> u8 {
            self.output.pop_front().map_or(0, |(byte, _)| byte)
        }

        fn read_status(&mut self) -> u8 {
            self.reads += 1;
            let output = match self.output.front() {
                None => 0,
                Some((_, false)) => OUTPUT_FULL,
                Some((_, true)) => OUTPUT_FULL | FROM_MOUSE,
            };
            self.stuck.unwrap_or(output)
        }

        fn write_data(&mut self, value: u8) {
            if self.expects_configuration {
                (self.configuration, self.expects_configuration) = (value, false);
            } else {
                assert_eq!((value, self.is_on()), (ENABLE_SCANNING, true));
                self.is_scanning = true;
            }
        }

        fn write_command(&mut self, value: u8) {
            match value {
                READ_CONFIGURATION => self.answer(self.configuration),
                WRITE_CONFIGURATION => self.expects_configuration = true,
                DISABLE_KEYBOARD => self.configuration |= KEYBOARD_OFF,
                ENABLE_KEYBOARD => self.configuration &= !KEYBOARD_OFF,
                _ => panic!("command {value:#x}"),
            }
        }
    }

    #[test]
    fn the_keyboard_is_switched_on() {
        let mut model =
            Model { configuration: 0x12, output: vec![(0x1e, false), (8, true)].into(), ..Model::default() };
        assert!(Controller::find(&mut model).is_some());
        assert_eq!((model.configuration, model.is_scanning, model.output.len()), (0x41, true, 0));
    }

    #[test]
    fn what_comes_before_the_answer_is_not_taken_for_it() {
        let mut model = Model { configuration: 0x65, typed: Some(0x9c), moved: Some(8), ..Model::default() };
        assert!(Controller::find(&mut model).is_some());
        assert_eq!(model.configuration, 0x65);
    }

    #[test]
    fn a_controller_that_is_missing_or_stuck_is_not_found() {
        for status in [u8::MAX, INPUT_FULL, 0, OUTPUT_FULL | INPUT_FULL, OUTPUT_FULL | FROM_MOUSE] {
            let mut model = Model { stuck: Some(status), ..Model::default() };
            assert!(Controller::find(&mut model).is_none(), "{status:#x}");
            assert!(model.reads <= 2 * PATIENCE_POLLS + MOST_BYTES + 1);
        }
    }

    #[test]
    fn the_mouse_is_not_heard() {
        let mut model = Model { configuration: 0x41, ..Model::default() };
        let mut controller = Controller::find(&mut model).expect("it is there");
        controller.0.output.extend([(0x1e, false), (0x08, true), (0x9e, false)]);
        let mut bytes = Vec::new();
        controller.take_all(|byte| bytes.push(byte));
        assert_eq!(bytes, [0x1e, 0x9e]);
    }

    #[test]
    fn a_controller_that_never_ends_is_left() {
        let mut model = Model { configuration: 0x41, ..Model::default() };
        let mut controller = Controller::find(&mut model).expect("it is there");
        controller.0.stuck = Some(OUTPUT_FULL);
        let mut count = 0;
        controller.take_all(|_| count += 1);
        assert_eq!(count, MOST_BYTES);
    }
}
