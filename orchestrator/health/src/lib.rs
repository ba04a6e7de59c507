//! Finds what is wrong with a database and its journal: `doctor` and `history --verify`.

pub mod doctor;
pub mod journal;
