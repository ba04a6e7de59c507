//! Roles that migrations mention and the scratch server does not have.

use domain::{Migration, with_causes};
use tokio_postgres::types::Type;

use super::{ScratchError, ScratchServer, cluster_wide};

/// Creates the roles that the migrations mention and the live server has (`known`), without login or privileges.
/// They are not dropped: they belong to the whole server, and another replay may use them at the same time.
pub(super) async fn provide(
    server: &ScratchServer,
    known: &[String],
    migrations: &[&Migration],
) -> Result<(), ScratchError> {
    // A role that a migration creates must not exist before it.
    let created = cluster_wide::created_roles(migrations);
    let named = known.iter().filter(|role| {
        !created.contains(role)
            && migrations
                .iter()
                .any(|migration| migration.script.text.contains(role.as_str()))
    });
    for role in named {
        if !exists(server, role).await? {
            create(server, role).await;
        }
    }
    Ok(())
}

pub(super) async fn create(server: &ScratchServer, role: &str) {
    let statement = format!("CREATE ROLE {} NOLOGIN", pg_sql::quote_identifier(role));
    if let Err(error) = server.admin().batch_execute(&statement).await {
        // Another command may have created it. Any other cause shows when a migration uses the role.
        tracing::debug!(role, error = %with_causes(&error), "cannot create the role");
    }
}

/// The roles that the migrations create and that do not exist yet: [`remove`] drops them after the replay.
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
            .admin()
            .batch_execute(&format!(
                "DROP ROLE IF EXISTS {}",
                pg_sql::quote_identifier(role)
            ))
            .await;
        if let Err(error) = dropped {
            tracing::warn!(role, error = %with_causes(&error), "cannot drop a role that a replay created on the scratch server");
        }
    }
}

async fn exists(server: &ScratchServer, role: &str) -> Result<bool, ScratchError> {
    server
        .admin()
        .query_typed(
            "SELECT FROM pg_catalog.pg_roles WHERE rolname = $1",
            &[(&role, Type::TEXT)],
        )
        .await
        .map(|rows| !rows.is_empty())
        .map_err(|error| ScratchError::query("the scratch server", &error))
}
