//! Computes the migration from what a service's migrations produce to what its `schema.sql` declares, and its revert.

mod archive;
mod database;
mod facts;
mod model;
mod table;
