//! An anchor: the end of a journal at one moment, to be kept outside the database.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServiceName;

/// The end of a journal's chain. It proves later that the rows up to it are unchanged, even if all hashes in the database
/// were recomputed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Anchor {
    pub service: ServiceName,
    /// Its database; services that share one share its journal.
    pub database: String,
    /// The number of rows in the journal.
    pub rows: i64,
    /// The id of the newest row; 0 if the journal was empty.
    pub id: i64,
    /// The hash of the newest row, in hexadecimal; `None` if the journal was empty, or if the row is older than the chain.
    pub hash: Option<String>,
}
