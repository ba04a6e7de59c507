//! Drift: how a live schema differs from what migrations produce. Floor 4.
//!
//! Responsible for what of a live database is its schema (our tables and the former tool's are not), for what migrations make
//! of an empty one, and for the file of differences that were accepted. Not for adopting, and not for showing anything.

mod accepted;
mod accepted_file;
mod cohosted;
mod database;
mod detect;
mod difference;
mod live;
mod neighbours;
mod replayed;

pub use accepted::{AcceptedDrift, ServiceDrift};
pub use accepted_file::refuse_existing;
pub use cohosted::CohostedService;
pub use database::DatabaseSetting;
pub use detect::{DriftReport, detect};
pub(crate) use difference::is_of_its_creation;
pub use difference::{Differences, differences, other_major};
pub use live::{Live, read_live};
pub use neighbours::housemates;
pub use replayed::{read_replayed, without_bookkeeping};
