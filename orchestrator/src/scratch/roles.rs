//! Roles that migrations name and that a server of our own does not have.

use shared::domain::{Migration, with_causes};
use tokio_postgres::types::Type;

use super::{ScratchError, ScratchServer, cluster_wide};

/// Makes the roles that the migrations name, as far as the live server has them (`known`): without login and without rights.
/// They stay: they belong to the whole server, where another replay may need them at the same time.
pub(super) async fn provide(
    server: &ScratchServer,
    known: &[String],
    migrations: &[&Migration],
) -> Result<(), ScratchError> {
    // What a migration creates itself must not be there before it.
    let created = cluster_wide::created_roles(migrations);
    let named = known.iter().filter(|role| {
        !created.contains(role)
            && migrations
                .iter()
                .any(|migration| migration.script.text.contains(role.as_str()))
    });
    for role in named {
        if !exists(server, role).await? {
            make(server, role).await;
        }
    }
    Ok(())
}

/// Makes a role.
pub(super) async fn make(server: &ScratchServer, role: &str) {
    let statement = format!("CREATE ROLE {} NOLOGIN", catalog::quote(role));
    if let Err(error) = server.keeper().batch_execute(&statement).await {
        // It is there, or another command was quicker; if it was something else, whoever needs the role tells.
        tracing::debug!(role, error = %with_causes(&error), "the role was not made");
    }
}

/// The roles that the migrations create and that are not there yet: [`remove`] takes them away after the replay.
pub(super) async fn to_be_created(
    server: &ScratchServer,
    migrations: &[&Migration],
) -> Result<Vec<String>, ScratchError> {
    let mut roles = Vec::new();
    for role in cluster_wide::created_roles(migrations) {
        if !exists(server, &role).await? {
            roles.push(role);
        }
    }
    Ok(roles)
}

/// Drops the roles that a replay created, so that the next one can create them again.
pub(super) async fn remove(server: &ScratchServer, roles: &[String]) {
    for role in roles {
        let dropped = server
            .keeper()
            .batch_execute(&format!("DROP ROLE IF EXISTS {}", catalog::quote(role)))
            .await;
        if let Err(error) = dropped {
            tracing::warn!(role, error = %with_causes(&error), "a role that a replay created was not dropped from the scratch server");
        }
    }
}

async fn exists(server: &ScratchServer, role: &str) -> Result<bool, ScratchError> {
    server
        .keeper()
        .query_typed(
            "SELECT FROM pg_catalog.pg_roles WHERE rolname = $1",
            &[(&role, Type::TEXT)],
        )
        .await
        .map(|rows| !rows.is_empty())
        .map_err(|error| ScratchError::query("the scratch server", &error))
}
