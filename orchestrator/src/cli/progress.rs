//! Shows on stderr what a command does that prints a document at its end.

use domain::{Event, EventKind, ExitStatus, ServiceName, Totals};
use engine::dispatch::{Events, Operation, Start, Stops};
use report::{CommandLines, LiveLine, Note};
use service_cli::command::Context;
use tokio::sync::watch;

/// A line for each service at work, and nothing else.
#[derive(Debug)]
struct Progress {
    verb: &'static str,
    finished: usize,
}

impl CommandLines for Progress {
    fn note(&mut self, event: &Event) -> Option<Note> {
        if matches!(event.kind, EventKind::ServiceFinished { .. }) {
            self.finished += 1;
        }
        None
    }

    fn activity(&self, _service: &ServiceName, event: &EventKind) -> Option<LiveLine> {
        match event {
            EventKind::ServiceStarted { .. } => {
                Some(LiveLine::new(self.verb, String::new(), self.verb))
            }
            _ => None,
        }
    }

    fn done(&self) -> usize {
        self.finished
    }

    fn summary(&mut self, _status: ExitStatus, _totals: &Totals) -> Option<String> {
        None
    }
}

/// Awaits work on services, and shows which of them it is working on.
pub(super) async fn with_progress<T, W: Future<Output = T>>(
    context: &Context,
    (command, verb): (&'static str, &'static str),
    services: Vec<ServiceName>,
    work: impl FnOnce(Events) -> W,
) -> T {
    let mut reporter = context.progress(Box::new(Progress { verb, finished: 0 }));
    let stops = Stops::counted(watch::channel(0).1);
    let mut operation = Operation::begin(reporter.as_mut(), stops, Start::of(command, services));
    let done = operation.during(work).await;
    operation.end(0);
    done
}
