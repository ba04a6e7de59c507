//! Failures outside of any step, each shown once: a server that is down fails every service with the same message.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::style::Terminal;
use super::{failure, words};
use domain::ServiceName;

/// The failures of a run so far.
#[derive(Debug, Default)]
pub struct SameFailures(HashMap<String, Shown>);

/// A failure that was shown, and the services that failed in the same way later.
#[derive(Debug)]
struct Shown {
    first: ServiceName,
    kind: String,
    others: Vec<ServiceName>,
}

impl SameFailures {
    /// The failure of a service with its heading; `None` if the same failure was shown for another service, which [`Self::others`] names.
    pub fn show(
        &mut self,
        service: Option<&ServiceName>,
        kind: &str,
        message: &str,
        terminal: Terminal,
    ) -> Option<String> {
        let prefix = service.map(|name| format!("{name}: ")).unwrap_or_default();
        let bare = message.strip_prefix(&prefix).unwrap_or(message);
        if let Some(service) = service {
            match self.0.entry(failure::without_databases(bare)) {
                Entry::Occupied(mut shown) => {
                    shown.get_mut().others.push(service.clone());
                    return None;
                }
                Entry::Vacant(place) => {
                    place.insert(Shown {
                        first: service.clone(),
                        kind: kind.to_owned(),
                        others: Vec::new(),
                    });
                }
            }
        }
        Some(render(kind, &format!("{prefix}{bare}"), terminal))
    }

    /// Returns a line for each failure that several services share, and clears all failures.
    pub fn others(&mut self, terminal: Terminal) -> Vec<String> {
        let mut shared: Vec<Shown> = std::mem::take(&mut self.0)
            .into_values()
            .filter(|shown| !shown.others.is_empty())
            .collect();
        shared.sort_by(|a, b| a.first.cmp(&b.first));
        let line = |shown: Shown| {
            let others = words::names(&shown.others, usize::MAX);
            let text = format!("{others}: same error as {}", shown.first);
            render(&shown.kind, &text, terminal)
        };
        shared.into_iter().map(line).collect()
    }
}

fn render(kind: &str, text: &str, terminal: Terminal) -> String {
    failure::render_refusal(kind, text, None, terminal.err, terminal.width)
}
