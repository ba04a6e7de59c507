//! The end-to-end tests, one behaviour per module.
#![allow(missing_docs, reason = "the names of the tests say it")]

mod bad_input;
mod data_migrations;
mod fresh_platform;
mod gates;
mod house;
mod json;
mod legacy_facts;
mod read_only;
mod refinery_reads_us;
mod schema_files;
mod session_defaults;
mod triggers;
