//! Services in the same database.

use std::sync::Arc;

use domain::Service;
use engine::inspect::Target;
use service_cli::command::Context;
use settings::{Location, Selection};
use store::DEFAULT_HISTORY_TABLE;

/// The other services in a target's database, each with its history table. Only services with a history table of their own
/// can share one.
pub fn neighbors(context: &Context, target: &Target) -> Vec<(Arc<Service>, String)> {
    context
        .fleet
        .services()
        .filter(|service| service.name != target.service.name)
        .filter_map(|service| {
            let history_table = context.history_table(service).to_owned();
            let may_share = history_table != target.history_table
                && (history_table != DEFAULT_HISTORY_TABLE
                    || target.history_table != DEFAULT_HISTORY_TABLE);
            (may_share && is_in_database(context, service, target))
                .then(|| (Arc::new(service.clone()), history_table))
        })
        .collect()
}

/// The other services that the configuration places in a service's database, each with its history table. Connects to no server.
pub fn configured_neighbors(context: &Context, service: &Service) -> Vec<(Arc<Service>, String)> {
    let location = |service: &Service| {
        let configuration = &context.configuration;
        match configuration
            .locate(service.name.as_str(), &service.database, Selection::Many)
            .ok()?
        {
            Location::Configured { address, .. } => Some(address.database_key()),
            Location::Local { database } => Some(database),
        }
    };
    let own = location(service);
    let own_table = context.history_table(service);
    context
        .fleet
        .services()
        .filter(|other| other.name != service.name)
        .filter(|other| context.history_table(other) != own_table)
        .filter(|other| own.is_some() && location(other) == own)
        .map(|other| {
            let history_table = context.history_table(other).to_owned();
            (Arc::new(other.clone()), history_table)
        })
        .collect()
}

/// Whether a service is in the target's database. A service that cannot be located is not: the target itself was located.
fn is_in_database(context: &Context, service: &Service, target: &Target) -> bool {
    let located =
        context
            .configuration
            .locate(service.name.as_str(), &service.database, Selection::Many);
    match located {
        Ok(Location::Configured { address, .. }) => {
            address.database_key() == target.address.database_key()
        }
        Ok(Location::Local { database }) => {
            target.address.is_local() && target.address.database() == database
        }
        Err(_) => false,
    }
}
