//! The host: identifiers as a test wants them.

use super::identifiers;

/// Uses identifiers up to `last` from now on, or none.
pub fn begin(last: Option<u16>) {
    identifiers::begin(last);
}
