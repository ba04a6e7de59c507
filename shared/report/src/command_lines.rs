//! What one command adds to the human output. Everything else is the same for all commands.

use domain::{Event, EventKind, ExitStatus, ServiceName, Totals};

use super::activity::LiveLine;
use super::note::Note;
use super::style::Role;

/// The lines of a command for its own events.
pub trait CommandLines: Send + std::fmt::Debug {
    /// Whether the command is part of a run, which has the first and the last line.
    fn is_part(&self) -> bool {
        false
    }

    /// The first line; `None` if there is none.
    fn announce(&self, _services: usize, _steps: usize) -> Option<String> {
        None
    }

    /// The line for an event. Called with every event of the command, in order.
    fn note(&mut self, event: &Event) -> Option<Note>;

    /// What a service does from an event on, its own or one of the whole command; `None` if that does not change.
    fn activity(&self, _service: &ServiceName, _event: &EventKind) -> Option<LiveLine> {
        None
    }

    /// Whether an event ends what its service does.
    fn ends_activity(&self, _event: &EventKind) -> bool {
        false
    }

    /// The number of steps that are done.
    fn done(&self) -> usize;

    /// What is printed between the failure of a service and its next command.
    fn explanation(&mut self, _service: &ServiceName) -> String {
        String::new()
    }

    /// The last line; `None` if something else is printed then.
    fn summary(&mut self, status: ExitStatus, totals: &Totals) -> Option<String>;

    /// Suggestions beyond those of the last event.
    fn next(&self) -> Vec<String> {
        Vec::new()
    }
}

/// The color of a last line.
pub(super) fn role(status: ExitStatus) -> Role {
    match status {
        ExitStatus::Done => Role::Good,
        ExitStatus::Cancelled => Role::Warning,
        _ => Role::Bad,
    }
}
