//! Failures outside of any step, each shown once: a server that is down fails every service with the same message.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::style::Terminal;
use super::{failure, inline};
use domain::{Diagnostic, ServiceName};

/// The failures of a run so far.
#[derive(Debug, Default)]
pub struct SameFailures(HashMap<String, Shown>);

/// A failure that was shown, and the services that failed in the same way later.
#[derive(Debug)]
struct Shown {
    first: ServiceName,
    kind: &'static str,
    others: Vec<ServiceName>,
}

impl SameFailures {
    /// The failure of a service with its heading; `None` if the same failure was shown for another service, which [`Self::others`] names.
    pub fn show(
        &mut self,
        service: Option<&ServiceName>,
        error: &Diagnostic,
        terminal: Terminal,
    ) -> Option<String> {
        let kind = failure::kind(error.exit_code, error.refusal.as_deref());
        let prefix = service.map(|name| format!("{name}: ")).unwrap_or_default();
        let whole = error.to_string();
        let bare = whole.strip_prefix(&prefix).unwrap_or(&whole);
        if let Some(service) = service {
            match self.0.entry(failure::without_databases(bare)) {
                Entry::Occupied(mut shown) => {
                    shown.get_mut().others.push(service.clone());
                    return None;
                }
                Entry::Vacant(place) => {
                    place.insert(Shown {
                        first: service.clone(),
                        kind,
                        others: Vec::new(),
                    });
                }
            }
        }
        let message = error.message.strip_prefix(&prefix);
        let message = format!("{prefix}{}", message.unwrap_or(&error.message));
        Some(failure::what_and_why(kind, &message, error, terminal.err, terminal.width).join("\n"))
    }

    /// Returns a line for each failure that several services share, and clears all failures.
    pub fn others(&mut self, terminal: Terminal) -> Vec<String> {
        let mut shared: Vec<Shown> = std::mem::take(&mut self.0)
            .into_values()
            .filter(|shown| !shown.others.is_empty())
            .collect();
        shared.sort_by(|a, b| a.first.cmp(&b.first));
        let line = |shown: Shown| {
            let others = inline::names(&shown.others, usize::MAX);
            let text = format!("{others}: same error as {}", shown.first);
            failure::headed(shown.kind, &text, terminal.err, terminal.width).join("\n")
        };
        shared.into_iter().map(line).collect()
    }
}
