//! PostgreSQL's client programs: finding `pg_dump`, `pg_restore` and `psql`, and running them under observation.

mod program;
mod watch;

pub use program::*;
pub use watch::*;
