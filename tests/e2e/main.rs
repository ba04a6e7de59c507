//! The end-to-end tests, one behaviour per module.
#![allow(missing_docs, reason = "the names of the tests say it")]

mod fresh_platform;
