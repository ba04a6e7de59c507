//! Tests of the engine's crates against real servers.

mod connection;
mod histories;
mod local_server;
mod login;
mod splitter;
mod support;
mod throwaway;
mod tls_modes;
