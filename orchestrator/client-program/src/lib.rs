//! PostgreSQL's client programs: finding `pg_dump`, `pg_restore` and `psql`, and running them under observation.

mod program;
mod watch;

pub use program::{
    ClientProgram, ClientProgramError, exit_status_of, is_locked, is_of_full_server, major,
    without_right,
};
pub use watch::ClientWatch;
