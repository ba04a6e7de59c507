//! The commands that messages suggest.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::GlobalArgs;
use domain::{Invocation, ServiceName, begin, mask_secrets, suggest};
use engine::revert::Scope;
use pg_address::DatabaseAddress;
use pg_address::without_password;

/// Remembers how this program was called. Suggestions do not repeat flags that only affect the output.
pub fn remember(globals: &GlobalArgs, own: Option<(String, ServiceName)>) {
    let path =
        |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let url = |url: &Option<String>| url.as_deref().and_then(shown_address);
    let flags = [
        ("--services-dir", path(&globals.services_dir)),
        ("--config", path(&globals.config)),
        ("--environment", globals.environment.clone()),
        ("--server-url", url(&globals.server_url)),
        ("--database-url", url(&globals.database_url)),
        ("--pg-bin", path(&globals.pg_bin)),
        ("--jobs", globals.jobs.map(|jobs| jobs.to_string())),
    ];
    let engine = globals.engine.0.flags();
    let engine = engine.map(|(flag, value)| [flag, value.to_owned()]);
    begin(Invocation {
        own,
        flags: flags
            .into_iter()
            .filter_map(|(flag, value)| Some([flag.to_owned(), value?]))
            .chain(engine)
            .flatten()
            .collect(),
        called: called(),
        verbose: globals.verbose > 0,
    });
}

/// The arguments of this process, without the passwords of addresses and statements.
fn called() -> Vec<String> {
    let (mut is_address, mut is_rename) = (false, false);
    let arguments = std::env::args_os().skip(1);
    arguments
        .map(|argument| {
            let text = argument.to_string_lossy();
            if std::mem::take(&mut is_address) {
                return shown_or_placeholder(&text);
            }
            if let Some((flag, address)) = text.split_once('=')
                && ADDRESSES.contains(&flag)
            {
                return format!("{flag}={}", shown_or_placeholder(address));
            }
            is_address = ADDRESSES.contains(&text.as_ref());
            if std::mem::replace(&mut is_rename, text == "--rename") {
                return text.into_owned();
            }
            mask_secrets(&text).into_owned()
        })
        .collect()
}

/// Flags whose value is an address.
const ADDRESSES: [&str; 4] = [
    "--server-url",
    "--database-url",
    "--scratch-server",
    "--from-url",
];

/// An address without its password; `None` if it is invalid, because it may then contain a password anywhere.
fn shown_address(address: &str) -> Option<String> {
    match address {
        "local" | "same" => Some(address.to_owned()),
        url => without_password(url)
            .filter(|url| DatabaseAddress::parse(url, &BTreeMap::new()).is_ok()),
    }
}

/// Takes the place of an address that cannot be shown.
fn shown_or_placeholder(address: &str) -> String {
    shown_address(address).unwrap_or_else(|| "postgres://USER@HOST:PORT".to_owned())
}

/// Runs a service.
pub(super) fn run(service: &ServiceName) -> String {
    suggest(["run", service.as_str()])
}

/// Reruns a service, and its dependencies, after a compensation.
pub(super) fn run_undoing(service: &ServiceName, alone: bool) -> String {
    let name = service.as_str();
    if alone {
        suggest(["run", name, "--on-failure", "revert"])
    } else {
        suggest(["run", name, "--with-dependencies", "--on-failure", "revert"])
    }
}

/// Reverts a service.
pub(super) fn revert(service: &ServiceName) -> String {
    suggest(["revert", service.as_str()])
}

/// Reverts a service and the migrations of other services that require it.
pub(super) fn revert_with_dependents(service: &ServiceName, scope: Scope) -> String {
    let scope_flags: Vec<String> = match scope {
        Scope::Steps(1) | Scope::From(_) => Vec::new(),
        Scope::Steps(steps) => vec!["--steps".to_owned(), steps.to_string()],
        Scope::All => vec!["--all".to_owned()],
        Scope::To(version) => vec!["--to".to_owned(), version.to_string()],
    };
    let command = ["revert".to_owned(), service.to_string()].into_iter();
    suggest(
        command
            .chain(scope_flags)
            .chain(["--with-dependents".to_owned()]),
    )
}

/// Undoes what a run applied, in one service or in all.
pub(super) fn undo(only: Option<&ServiceName>, run_id: Uuid) -> String {
    let which = only.map_or("all", ServiceName::as_str);
    suggest(["revert", which, "--run", &run_id.to_string()])
}

/// Restores services from a backup.
pub(super) fn restore(services: &[&ServiceName], from: &str) -> String {
    let names = services.iter().map(|name| name.as_str());
    suggest(
        std::iter::once("restore")
            .chain(names)
            .chain(["--from", from]),
    )
}

/// Runs a service and its dependencies to their newest version.
pub fn meet(service: &ServiceName) -> String {
    suggest(["run", service.as_str(), "--with-dependencies"])
}
