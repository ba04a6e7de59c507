//! Drift: how a live schema differs from what migrations produce.
//!
//! Reads the schema of a live database (without our tables and those of the legacy tool) and the schema that migrations
//! produce on an empty database, compares them, and reads and writes the file of accepted differences.

mod accepted;
mod accepted_file;
mod cohosted;
mod database;
mod detect;
mod difference;
mod live;
mod neighbors;
mod replayed;

pub use accepted::{AcceptedDrift, ServiceDrift};
pub use accepted_file::refuse_existing;
pub use cohosted::CohostedService;
pub use database::DatabaseSetting;
pub use detect::{DriftReport, detect};
pub use difference::is_of_its_creation;
pub use difference::{Differences, differences, other_major, schema_difference};
pub use live::{Live, read_live};
pub use neighbors::configured_neighbors;
pub use replayed::{read_replayed, without_bookkeeping};
