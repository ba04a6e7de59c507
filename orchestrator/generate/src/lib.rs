//! Computes the migration from what a service's migrations produce to what its `schema.sql` declares, and its revert.
//!
//! Responsible for reading both schemas, for the statements between them in both directions, and for the proof on scratch
//! databases that they lead there and back. Not for files, names, and output. Nothing is trusted: a difference that remains is part
//! of the result.
//!
//! `pg_dump` writes the SQL that creates and drops an object ([`archive`]); [`catalog::compare`] decides whether two schemas are
//! the same.

mod archive;
mod both;
mod database;
mod facts;
mod file;
mod model;
mod plan;
mod proof;
mod rename;
mod run;
mod safe;
mod table;

pub use both::{load, schema_differences};
pub use database::{dump_database, dump_schema};
pub use file::{File, rendered};
pub use plan::{Likely, Loss, Statement};
pub use proof::Remaining;
pub use run::{Generated, Request, generate};
