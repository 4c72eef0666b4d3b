//! Bugs on request: the tests that compare the kernel with its model are tested by them. Without the feature `planted-bugs` there are
//! none, and nothing of this is left in the kernel.

#[cfg(feature = "planted-bugs")]
use core::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Bug {
    /// A copy has all rights of its source, whatever was asked for.
    CopyKeepsRights = 1,
    /// What was derived from a capability is lost when that is deleted.
    ChildIsLost,
    /// After a move the first child still leads back to where its parent was.
    BackLinkIsLost,
    /// An object ends while another capability leads to it.
    ObjectEndsEarly,
    /// The page of an object that has ended stays out of its memory.
    PageIsKept,
    /// A memory capability that was moved is not noted as the owner of its pages.
    OwnerIsNotNoted,
    /// Pages that were split off stay in the memory they were split off, too.
    PagesInTwoMemories,
    /// A mapping survives its space: another space on the same page counts as the same.
    GenerationStays,
    /// A frame stays mapped when its capability is deleted.
    MappingStays,
    /// The processor is not told of a mapping that has changed.
    FlushIsForgotten,
    /// A mapping for which there is too little memory leaves page tables behind.
    TableStaysAfterFailure,
    /// A task that was put before those that are as urgent comes behind them.
    FirstGoesLast,
    /// The word of the run queue says that somebody is ready where nobody is.
    OccupiedBitStays,
    /// In the heap of those who wait for a time, ranks stay what they were when a task is taken out.
    RankStays,
    /// In this heap a task does not know the one above it after a merge.
    ParentLinkIsLost,
    /// The tick that has begun counts for a task that rests.
    WakesEarly,
    /// A task that is busy goes on at its own priority, whoever waits for it.
    PriorityIsNotLent,
    /// The first switch to a space under an identifier keeps what was remembered for whoever had it.
    FirstSwitchKeeps,
    /// A switch to a space of which too much has changed keeps what was remembered.
    StaleSwitchKeeps,
    /// A change in a space that is not the current one is not noted.
    ChangeIsNotNoted,
    /// Of two changes in such a space only the first is noted.
    SecondChangeIsLost,
    /// A page table that is taken out of such a space is noted as a page would be.
    TableCountsAsPage,
    /// The address that has changed is forgotten under the identifier that was current before.
    ForgetsBeforeLoad,
    /// Tasks go on loading what they have loaded before, whatever has changed.
    TasksAreNotTold,
    /// A space keeps an identifier that another has taken.
    IdentifierIsShared,
    /// Pages of user programs are marked as the same in all spaces.
    UserPageIsGlobal,
    /// Where user mode has page tables of its own, the way out keeps what has changed meanwhile.
    WayOutKeeps,
    /// What the way out was to forget is lost when it leads to another space after all.
    PendingIsLost,
}

impl Bug {
    /// Every bug.
    pub const ALL: [Bug; 28] = [
        Bug::CopyKeepsRights,
        Bug::ChildIsLost,
        Bug::BackLinkIsLost,
        Bug::ObjectEndsEarly,
        Bug::PageIsKept,
        Bug::OwnerIsNotNoted,
        Bug::PagesInTwoMemories,
        Bug::GenerationStays,
        Bug::MappingStays,
        Bug::FlushIsForgotten,
        Bug::TableStaysAfterFailure,
        Bug::FirstGoesLast,
        Bug::OccupiedBitStays,
        Bug::RankStays,
        Bug::ParentLinkIsLost,
        Bug::WakesEarly,
        Bug::PriorityIsNotLent,
        Bug::FirstSwitchKeeps,
        Bug::StaleSwitchKeeps,
        Bug::ChangeIsNotNoted,
        Bug::SecondChangeIsLost,
        Bug::TableCountsAsPage,
        Bug::ForgetsBeforeLoad,
        Bug::TasksAreNotTold,
        Bug::IdentifierIsShared,
        Bug::UserPageIsGlobal,
        Bug::WayOutKeeps,
        Bug::PendingIsLost,
    ];
}

#[cfg(feature = "planted-bugs")]
static PLANTED: AtomicU8 = AtomicU8::new(0);

/// Makes one thing go wrong from now on, or none.
#[cfg(feature = "planted-bugs")]
pub fn set(bug: Option<Bug>) {
    PLANTED.store(bug.map_or(0, |bug| bug as u8), Relaxed);
}

/// Whether this goes wrong now.
#[cfg(feature = "planted-bugs")]
pub(crate) fn planted(bug: Bug) -> bool {
    PLANTED.load(Relaxed) == bug as u8
}

/// Nothing goes wrong.
#[cfg(not(feature = "planted-bugs"))]
#[inline(always)]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}
