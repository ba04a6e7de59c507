//! Reads a snapshot through a connection.
//!
//! Uses one read-only transaction, and one set-based query per kind of object, all sent at once. The session is left
//! unchanged. This is the only module that communicates with a server.

mod collations;
mod columns;
mod comments;
mod constraints;
mod default_privileges;
mod family;
mod foreign;
mod functions;
mod indexes;
mod languages;
mod large_objects;
mod members;
mod operators;
mod policies;
mod publications;
mod row;
mod schemas;
mod sequences;
mod session;
mod snapshot;
mod sql;
mod statistics;
mod subscriptions;
mod tables;
mod text_search;
mod triggers;
mod types;
mod views;

pub use snapshot::{read, read_prepared};
