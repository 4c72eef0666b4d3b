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
    /// Arguments 0 to 3.
    pub arguments: &'static [Argument],
    /// Meaning of results 0 to 3.
    pub results: &'static [&'static str],
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
    /// A number from `least` to `most`.
    Number {
        /// The least that is of use.
        least: u64,
        /// The most that is of use.
        most: u64,
    },
    /// A time, in nanoseconds.
    Time,
}

/// The sort of an argument as the list of operations has it: `slot`, `pointer(Frame | LargeFrame)`, `number(0..=63)`.
macro_rules! argument_sort {
    (any) => { $crate::ArgumentSort::Any };
    (slot) => { $crate::ArgumentSort::Slot };
    (pointer) => { $crate::ArgumentSort::Pointer(&[]) };
    (pointer $($kind:ident)|+) => { $crate::ArgumentSort::Pointer(&[$($crate::Kind::$kind),+]) };
    (optional $($kind:ident)|+) => { $crate::ArgumentSort::Optional(&[$($crate::Kind::$kind),+]) };
    (address) => { $crate::ArgumentSort::Address };
    (rights) => { $crate::ArgumentSort::Rights };
    (access) => { $crate::ArgumentSort::Access };
    (kind) => { $crate::ArgumentSort::Kind };
    (number $least:literal..=$most:literal) => { $crate::ArgumentSort::Number { least: $least, most: $most } };
    (time) => { $crate::ArgumentSort::Time };
}

pub(crate) use argument_sort;
