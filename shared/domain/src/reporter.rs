//! What the engine sends its events to.

use super::Event;

/// Receives every event of a run, in order, from one thread.
pub trait Reporter: Send {
    /// Processes one event.
    ///
    /// It deliberately returns nothing: a broken output must not affect a migration.
    fn report(&mut self, event: &Event);
}
