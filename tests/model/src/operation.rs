//! Operations, as a program asks for them: with capability pointers and numbers that may be wrong.

use kernel::capability::Extent;

/// One operation and its arguments. Pointers are looked up in the root table.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Identify {
        pointer: u64,
    },
    Copy {
        table: u64,
        index: u64,
        source: u64,
        rights: u64,
    },
    Mint {
        table: u64,
        index: u64,
        source: u64,
        rights: u64,
        context: u64,
    },
    Move {
        table: u64,
        index: u64,
        source: u64,
    },
    Remove {
        table: u64,
        index: u64,
        extent: Extent,
    },
    Make {
        memory: u64,
        kind: u64,
        count: u64,
        table: u64,
        index: u64,
    },
    Split {
        memory: u64,
        pages: u64,
        table: u64,
        index: u64,
    },
    Measure {
        memory: u64,
    },
    Map {
        space: u64,
        frame: u64,
        address: u64,
        access: u64,
    },
    Unmap {
        frame: u64,
    },
    Protect {
        frame: u64,
        access: u64,
    },
    Configure {
        task: u64,
        table: u64,
        space: u64,
        stack: u64,
    },
    MakeEndpoint {
        task: u64,
        entry: u64,
        context: u64,
        table: u64,
        index: u64,
    },
    /// Not a system call: the processor changes to another space, as it does when tasks switch.
    Activate {
        space: u64,
    },
}

impl Operation {
    /// Its name in the list of operations.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Operation::Identify { .. } => "Identify",
            Operation::Copy { .. } => "Copy",
            Operation::Mint { .. } => "Mint",
            Operation::Move { .. } => "Move",
            Operation::Remove { extent: Extent::Itself, .. } => "Delete",
            Operation::Remove { extent: Extent::Derived, .. } => "Revoke",
            Operation::Make { .. } => "Make",
            Operation::Split { .. } => "Split",
            Operation::Measure { .. } => "Measure",
            Operation::Map { .. } => "Map",
            Operation::Unmap { .. } => "Unmap",
            Operation::Protect { .. } => "Protect",
            Operation::Configure { .. } => "Configure",
            Operation::MakeEndpoint { .. } => "MakeEndpoint",
            Operation::Activate { .. } => "(activate)",
        }
    }

    /// The capability pointers in it.
    pub(crate) fn pointers(&self) -> Vec<u64> {
        match *self {
            Operation::Identify { pointer } => vec![pointer],
            Operation::Copy { table, source, .. }
            | Operation::Mint { table, source, .. }
            | Operation::Move { table, source, .. } => vec![table, source],
            Operation::Remove { table, .. } => vec![table],
            Operation::Make { memory, table, .. } | Operation::Split { memory, table, .. } => vec![memory, table],
            Operation::Measure { memory } => vec![memory],
            Operation::Map { space, frame, .. } => vec![space, frame],
            Operation::Unmap { frame } | Operation::Protect { frame, .. } => vec![frame],
            Operation::Configure { task, table, space, .. } => vec![task, table, space],
            Operation::MakeEndpoint { task, table, .. } => vec![task, table],
            Operation::Activate { space } => vec![space],
        }
    }

    /// The slots that it names by a table and an index: table pointer, first index, how many.
    pub(crate) fn indexed(&self) -> Option<(u64, u64, u64)> {
        match *self {
            Operation::Copy { table, index, .. }
            | Operation::Mint { table, index, .. }
            | Operation::Move { table, index, .. }
            | Operation::Remove { table, index, .. }
            | Operation::Split { table, index, .. }
            | Operation::MakeEndpoint { table, index, .. } => Some((table, index, 1)),
            Operation::Make { table, index, count, .. } => Some((table, index, count)),
            _ => None,
        }
    }
}
