//! An anchor: what a journal came to at a moment, to be kept outside the database.

use serde::{Deserialize, Serialize};

use super::ServiceName;

/// The end of a journal's chain. Who holds it can tell later whether the rows up to there are still the same, also when
/// all hashes in the database were computed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The service.
    pub service: ServiceName,
    /// Its database; services that share one share its journal.
    pub database: String,
    /// How many rows the journal had.
    pub rows: i64,
    /// The id of the newest row; 0 where there was none.
    pub id: i64,
    /// The hash of the newest row, in hexadecimal; `None` where there was none, or it was written before the chain began.
    pub hash: Option<String>,
}
