//! Rules of the migration guide that the text of a service's migrations shows.

use super::rule::rules;

rules! {
    /// A migration has a revert.
    REVERT_MISSING = Error "revert-missing": "A migration has a revert that does something, or says why it cannot be undone.";
    /// A version is no moment to come.
    VERSION_IN_FUTURE = Error "version-in-future": "The version of a migration is not later than tomorrow.";
    /// A new migration comes after those that are merged.
    VERSION_ORDER = Error "version-order": "A new migration has a later version than those that are merged.";
}
