//! Rules of the migration guide that the text of a service's migrations shows.

use super::rule::rules;

rules! {
    /// A migration has a revert.
    REVERT_MISSING = Error "revert-missing": "A migration has a revert that does something, or says why it cannot be undone.";
}
