//! What the kernel's files need of interrupts, of which there are none.

/// Nothing waits.
pub(crate) fn let_in() {}

/// Stacks for exceptions.
pub(crate) mod descriptors {
    /// A stack, of which there is none.
    pub(crate) enum Stack {}

    impl Stack {
        pub(crate) fn guard_address(&self) -> u64 {
            match *self {}
        }
    }

    pub(crate) fn exception_stacks() -> [Stack; 0] {
        []
    }
}
