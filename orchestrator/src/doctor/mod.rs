//! Doctor: what is wrong with the databases of the fleet, and what resolves it. Floor 4.
//!
//! Reading ([`queries`]) and judging are apart: a check is a pure function of what was read, one file for each kind, and all
//! of them stand in one table (`checks`). Not responsible for asking people or for printing.

mod checks;
mod compensation;
mod constraints;
mod examine;
mod files;
mod finding;
mod histories;
mod indexes;
mod locks;
mod partitions;
mod prepared;
pub mod queries;
mod repair;
mod restored_databases;
mod scratch_databases;
mod sessions;
mod steps;
mod versions;
mod writes;

pub use examine::{Examination, examine};
pub use finding::{Finding, Remedy, Repair, Severity};
pub use repair::{Repaired, repair};
