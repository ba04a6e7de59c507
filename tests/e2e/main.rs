//! The end-to-end tests, one behaviour per module.
#![allow(missing_docs, reason = "the names of the tests say it")]

mod adopt;
mod adopt_at_once;
mod adopt_manual_changes;
mod adopt_refused;
mod adopt_undo;
mod atomic;
mod bad_input;
mod cancel;
mod connections;
mod data_migrations;
mod drift;
mod exclusive;
mod fresh_clone;
mod fresh_platform;
mod gates;
mod histories;
mod house;
mod isolation;
mod journal;
mod json;
mod killed;
mod legacy_facts;
mod no_transaction;
mod order;
mod polite;
mod postgres_version;
mod read_only;
mod refinery_reads_us;
mod schema_files;
mod scratch;
mod session_defaults;
mod synchronised_auth;
mod synchronised_client;
mod takeover;
mod triggers;
