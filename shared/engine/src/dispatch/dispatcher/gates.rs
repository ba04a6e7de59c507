//! Waits for gates on databases outside the run.

use std::sync::Arc;

use super::super::gate_watch::GateWatch;
use super::Dispatcher;
use crate::gates;
use crate::gates::GateEnd;
use crate::inspect::ServiceError;
use domain::{EventKind, ServiceName, millis};

impl Dispatcher<'_, '_> {
    pub(super) fn watch_gates(&mut self) {
        let deadline = self.operation.started() + self.wait;
        for (index, gate) in self.board.plan().gates.clone().into_iter().enumerate() {
            let dependency_gates = self.dependency_gates.as_ref();
            let target = dependency_gates
                .and_then(|dependency_gates| dependency_gates.targets.get(&gate.service));
            let Some(target) = target.cloned() else {
                continue;
            };
            for service in self.waiting_for(index) {
                self.operation
                    .service(&service, EventKind::GateWaiting { gate: gate.clone() });
            }
            self.gates_open += 1;
            let watch = GateWatch {
                index,
                gate,
                target,
                connections: Arc::clone(&self.connections),
                deadline,
                cancelled: self.halt.subscribe(),
                messages: self.sender.clone(),
            };
            self.spawned.spawn(self.tasks.gate(watch));
        }
    }

    /// The services with a step behind a gate.
    fn waiting_for(&self, gate: usize) -> Vec<ServiceName> {
        let mut services: Vec<ServiceName> = self
            .board
            .plan()
            .steps
            .iter()
            .filter(|step| step.gates.contains(&gate))
            .map(|step| step.service.clone())
            .collect();
        services.dedup();
        services
    }

    pub(super) fn gate_ended(&mut self, index: usize, end: GateEnd) {
        self.gates_open -= 1;
        let gate = self.board.plan().gates[index].clone();
        let services = self.waiting_for(index);
        match end {
            GateEnd::Met(waited) => {
                self.board.gate_met(index);
                for service in services {
                    self.operation.service(
                        &service,
                        EventKind::GateMet {
                            gate: gate.clone(),
                            waited_ms: millis(waited),
                        },
                    );
                }
            }
            GateEnd::TimedOut(missing) => {
                let dependency_gates = self.dependency_gates.as_ref();
                let command = dependency_gates
                    .map(|dependency_gates| (dependency_gates.meet)(&missing.service));
                let command = command.unwrap_or_default();
                for service in services {
                    let refusal = gates::refusal(&service, &missing, &command, Some(self.wait));
                    self.gate_failed(&service, &ServiceError::Refused(refusal));
                }
            }
            GateEnd::Failed(error) => {
                for service in services {
                    self.gate_failed(&service, &error);
                }
            }
            GateEnd::Cancelled => {}
        }
    }

    /// A service that waits behind a gate has no active task, so its outcome is reported here.
    fn gate_failed(&mut self, service: &ServiceName, error: &ServiceError) {
        self.service_stopped(service, error);
        self.service_finished(service);
    }
}
