//! Lists the scratch databases of dead commands without changing them.

use pg_session::Client;
use pg_session::held_keys;
use tokio_postgres::Error;

use super::name;

/// The scratch databases of a server whose owner's lock is free.
pub async fn dead_databases(client: &Client) -> Result<Vec<String>, Error> {
    let databases = client
        .query_typed(
            "SELECT datname::text FROM pg_catalog.pg_database WHERE NOT datistemplate ORDER BY 1",
            &[],
        )
        .await?;
    // Read after the databases: a command takes its lock before it creates its first database.
    let held = held_keys(client).await?;
    let dead = |database: &String| {
        name::owner(database).is_some_and(|owner| !held.contains(&name::lock_key(owner)))
    };
    Ok(databases
        .iter()
        .map(|row| row.get(0))
        .filter(dead)
        .collect())
}
