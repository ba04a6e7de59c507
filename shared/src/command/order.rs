//! The order between the steps of a run.

use crate::domain::{Direction, Fleet, Plan, Step};
use crate::planning;

/// Puts steps in order. The orchestrator's graph is one; a service binary's chain is another.
pub trait Order: Sync {
    /// A plan of these steps. Those of one service come in their own order already.
    fn arrange(&self, fleet: &Fleet, steps: Vec<Step>, direction: Direction) -> Plan;
}

/// The order of a service binary: one after another.
#[derive(Clone, Copy, Debug)]
pub struct Chain;

impl Order for Chain {
    fn arrange(&self, _fleet: &Fleet, steps: Vec<Step>, _direction: Direction) -> Plan {
        planning::chain(steps)
    }
}
