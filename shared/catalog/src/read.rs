//! From a connection to a snapshot.
//!
//! Responsible for one moment and one way of spelling: a read-only transaction of its own, in which every
//! query is set-based, one for each kind of object, all sent at once. The session is left as it was. Not
//! for what the rows mean (the modules below). Third floor: on snapshots; the only part of the crate that
//! talks to a server.

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

pub use snapshot::read;
