//! What the list says of an operation and its arguments.

use crate::{Error, Kind, Operation, Rights};

/// One line of the list of operations.
#[derive(Clone, Copy, Debug)]
pub struct OperationInfo {
    /// The operation.
    pub operation: Operation,
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub description: &'static str,
    /// The kinds that the capability in `rdi` may have; none where every kind will do.
    pub kinds: &'static [Kind],
    /// The rights that this capability must have.
    pub rights: Rights,
    /// The flags, bits 8 and up of `rsi`, that mean something to it.
    pub flags: u64,
    /// Arguments 0 to 3.
    pub arguments: &'static [Argument],
    /// Results 0 to 3.
    pub results: &'static [OperationResult],
    /// Each error it can return, and when.
    pub errors: &'static [(Error, &'static str)],
}

/// One argument of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Which values are of use.
    pub sort: ArgumentSort,
    /// What it means.
    pub meaning: &'static str,
}

/// Which values of an argument are of use: a program that tries out operations takes them from here. What an operation makes of
/// others is its own affair, and in its list of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentSort {
    /// Every value.
    Any,
    /// Every value: a word of a message.
    Word,
    /// A slot of a table, 1 to 63.
    Slot,
    /// A pointer to a capability of one of these kinds; of any, where none is named.
    Pointer(&'static [Kind]),
    /// The same, or 0 for none.
    Optional(&'static [Kind]),
    /// An address in user space.
    Address,
    /// The bits of [`Rights`].
    Rights,
    /// The number of an [`Access`](crate::Access).
    Access,
    /// The number of a [`Kind`].
    Kind,
    /// The number of a [`MissingCapability`](crate::MissingCapability).
    MissingCapability,
    /// A number from `least` to `most`.
    Number {
        /// The least that is of use.
        least: u64,
        /// The most that is of use.
        most: u64,
    },
    /// A priority, 0 to [`MAX_PRIORITY`](crate::MAX_PRIORITY).
    Priority,
    /// The number of an I/O port.
    Port,
    /// A time, in nanoseconds.
    Time,
}

/// The sort of an argument as the list of operations has it: `slot`, `pointer(Frame | LargeFrame)`, `number(0..=63)`.
macro_rules! argument_sort {
    (any) => { $crate::ArgumentSort::Any };
    (word) => { $crate::ArgumentSort::Word };
    (slot) => { $crate::ArgumentSort::Slot };
    (pointer) => { $crate::ArgumentSort::Pointer(&[]) };
    (pointer $($kind:ident)|+) => { $crate::ArgumentSort::Pointer(&[$($crate::Kind::$kind),+]) };
    (optional $($kind:ident)|+) => { $crate::ArgumentSort::Optional(&[$($crate::Kind::$kind),+]) };
    (address) => { $crate::ArgumentSort::Address };
    (rights) => { $crate::ArgumentSort::Rights };
    (access) => { $crate::ArgumentSort::Access };
    (kind) => { $crate::ArgumentSort::Kind };
    (missing_capability) => { $crate::ArgumentSort::MissingCapability };
    (number $least:literal..=$most:literal) => { $crate::ArgumentSort::Number { least: $least, most: $most } };
    (priority) => { $crate::ArgumentSort::Priority };
    (port) => { $crate::ArgumentSort::Port };
    (time) => { $crate::ArgumentSort::Time };
}

/// One result of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OperationResult {
    /// Which values it can have.
    pub sort: ResultSort,
    /// What it means.
    pub meaning: &'static str,
}

/// Which values a result can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResultSort {
    /// Every value.
    Any,
    /// The number of a [`Kind`].
    Kind,
    /// The bits of [`Rights`].
    Rights,
}

/// The sort of a result as the list of operations has it.
macro_rules! result_sort {
    (any) => {
        $crate::ResultSort::Any
    };
    (kind) => {
        $crate::ResultSort::Kind
    };
    (rights) => {
        $crate::ResultSort::Rights
    };
}

pub(crate) use {argument_sort, result_sort};
