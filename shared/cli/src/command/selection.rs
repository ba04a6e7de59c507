//! Resolves service names on the command line.

use std::collections::BTreeSet;

use domain::{Diagnostic, Fleet, ServiceName, commented, suggest};

/// The services that a command applies to.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The services that the user named.
    pub named: BTreeSet<ServiceName>,
    /// The named services, with their dependencies if requested.
    pub names: BTreeSet<ServiceName>,
    /// Whether the word `all` was used.
    pub all: bool,
}

impl Selected {
    /// The service, if exactly one is selected.
    pub fn only(&self) -> Option<&ServiceName> {
        if self.all || self.names.len() != 1 {
            return None;
        }
        self.names.first()
    }
}

/// Resolves names. `all` selects every service. An unknown name is an error that lists the known ones.
pub fn select(
    fleet: &Fleet,
    names: &[String],
    with_dependencies: bool,
) -> Result<Selected, Diagnostic> {
    let all = names.iter().any(|name| name == "all");
    let known = || {
        let names: Vec<_> = fleet.names().map(ServiceName::as_str).collect();
        commented(
            suggest(["status"]),
            format!("known services: {}; or all", names.join(", ")),
        )
    };
    if names.is_empty() {
        return Err(Diagnostic::usage("no service specified", known()));
    }
    let mut named = BTreeSet::new();
    for name in names.iter().filter(|name| *name != "all") {
        let parsed = name
            .parse()
            .ok()
            .filter(|parsed| fleet.service(parsed).is_some());
        named.insert(
            parsed
                .ok_or_else(|| Diagnostic::usage(format!("unknown service `{name}`"), known()))?,
        );
    }
    if all {
        named.extend(fleet.names().cloned());
    }
    let names = if with_dependencies {
        closure(fleet, &named)
    } else {
        named.clone()
    };
    Ok(Selected { named, names, all })
}

/// These services and everything that they depend on or require, directly or indirectly.
fn closure(fleet: &Fleet, named: &BTreeSet<ServiceName>) -> BTreeSet<ServiceName> {
    let mut open: Vec<ServiceName> = named.iter().cloned().collect();
    let mut found = BTreeSet::new();
    while let Some(name) = open.pop() {
        if let Some(service) = fleet.service(&name)
            && found.insert(name)
        {
            open.extend(service.depends_on.iter().cloned());
            for migration in &service.migrations {
                let requires = &migration.script.directives.requires;
                open.extend(
                    requires
                        .iter()
                        .map(|requirement| requirement.service.clone()),
                );
            }
        }
    }
    found
}
