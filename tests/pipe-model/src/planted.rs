//! Mistakes in the protocol, made on purpose: each is a feature of this crate. The library has the same constants, all of them `false`.

use crate::models::Model;

/// An end publishes its position without what it did before.
pub(crate) const RELAXED_PUBLISH: bool = cfg!(feature = "bug-relaxed-publish");
/// An end looks at the other's position without what that did before.
pub(crate) const RELAXED_LOOK: bool = cfg!(feature = "bug-relaxed-look");
/// An end that goes to sleep looks once more, but maybe before it has said that it sleeps.
pub(crate) const MISSING_FENCE: bool = cfg!(feature = "bug-missing-fence");
/// An end that publishes looks whether the other one sleeps, but maybe before it has published.
pub(crate) const MISSING_PUBLISHER_FENCE: bool = cfg!(feature = "bug-missing-publisher-fence");
/// An end goes to sleep without another look.
pub(crate) const MISSING_RECHECK: bool = cfg!(feature = "bug-missing-recheck");
/// The producer notes for which sleep it has rung after it has, and so, for one that has begun since.
pub(crate) const LATE_NOTE: bool = cfg!(feature = "bug-late-note");
/// An end that is closed wakes nobody.
pub(crate) const LOST_CLOSE: bool = cfg!(feature = "bug-lost-close");
/// The consumer does not look once more for items when it learns that the producer is closed.
pub(crate) const CLOSE_BEFORE_DRAIN: bool = cfg!(feature = "bug-close-before-drain");
/// The consumer gives an item's room back before it has read the item.
pub(crate) const REUSE_BEFORE_READ: bool = cfg!(feature = "bug-reuse-before-read");

/// What is said when the mistake that is made now is found: two threads use an item at once, all wait for ever, or what was received is not what was sent.
#[must_use]
pub fn finding() -> &'static str {
    if RELAXED_PUBLISH || RELAXED_LOOK || REUSE_BEFORE_READ {
        "Causality violation"
    } else if CLOSE_BEFORE_DRAIN {
        "assertion"
    } else {
        "deadlock"
    }
}

/// Whether this model finds the mistake that is made now, if one is.
#[must_use]
pub fn is_found_by(model: Model) -> bool {
    let some_item_is_read = !matches!(model, Model::LargeFrame | Model::ProducerClosesForSleeper);
    let somebody_waits_for_the_other =
        matches!(model, Model::ConsumerSleeps | Model::ProducerSleeps | Model::BothSleep | Model::LargeFrame);
    let sleeper_needs_the_close = matches!(model, Model::ProducerClosesForSleeper | Model::ConsumerCloses);
    let some_place_is_used_again = matches!(
        model,
        Model::Items | Model::ProducerSleeps | Model::BothSleep | Model::ConsumerCloses | Model::ConsumerDies
    );
    (RELAXED_PUBLISH || RELAXED_LOOK) && some_item_is_read
        || (MISSING_FENCE || MISSING_PUBLISHER_FENCE || MISSING_RECHECK) && somebody_waits_for_the_other
        || LATE_NOTE && model == Model::ConsumerSleeps
        || LOST_CLOSE && sleeper_needs_the_close
        || CLOSE_BEFORE_DRAIN && model == Model::ProducerCloses
        || REUSE_BEFORE_READ && some_place_is_used_again
}
