//! The orchestrator: many services, in the order of their dependencies.
//!
//! This crate has everything that concerns a fleet or a review; `shared` has what one service needs to migrate itself.
//! Modules depend only on modules of a lower layer, including those of `shared` (a test enforces it):
//!
//! | floor | rooms |
//! |---|---|
//! | 5 | `cli` |
//! | 4 | `adopt`, `backup`, `check`, `doctor`, `drift`, `fix`, `journal`, `rehearsal`, `restore`, `schema`, `scratch` |
//! | 3 | `client_program`, `client_watch`, `generate`, `git`, `lint`, `rules` |
//! | 1 | `graph`, `embedded` |

pub mod check;
pub mod cli;
pub mod embedded;
pub mod fix;
pub mod generate;
pub mod git;
pub mod graph;
pub mod schema;
