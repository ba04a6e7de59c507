//! Detects problems of the fleet's databases and repairs them.
//!
//! Reading ([`queries`]) is separate from the checks: a check is a pure function of the facts that were read. Each kind has its own
//! file, and `checks` lists them all. Prompts and output are in `cli`.

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
