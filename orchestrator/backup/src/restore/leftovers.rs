//! Lists the databases that restores left on a server: kept ones, and those of killed restores. Read-only.

use pg_session::Client;
use pg_session::held_keys;
use time::OffsetDateTime;
use tokio_postgres::Error;

use super::{name, surroundings};

/// A replaced database that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDatabase {
    pub name: String,
    /// The beginning of its name: the name of the database that replaced it, shortened if necessary.
    pub base: String,
    /// When it was replaced.
    pub since: OffsetDateTime,
    /// Its size in bytes; 0 without the privilege to query it.
    pub bytes: u64,
}

impl KeptDatabase {
    /// Whether it was replaced by the database of this name.
    pub fn is_of(&self, database: &str) -> bool {
        self.base == name::base(database)
    }
}

/// The kept databases of a server, oldest first.
pub async fn kept_databases(client: &Client) -> Result<Vec<KeptDatabase>, Error> {
    let mut kept = Vec::new();
    for database in surroundings::names(client).await? {
        if let Some((base, since)) = name::kept_since(&database) {
            let found = surroundings::database(client, &database).await?;
            kept.push(KeptDatabase {
                base: base.to_owned(),
                since,
                bytes: found.map_or(0, |found| found.bytes),
                name: database,
            });
        }
    }
    kept.sort_by_key(|kept| kept.since);
    Ok(kept)
}

/// Whether a name is that of a database that a restore fills.
pub fn is_restoring(database: &str, name: &str) -> bool {
    name::base_of_restoring(name) == Some(&*name::base(database))
}

/// The databases that killed restores left on a server.
pub async fn dead_databases(client: &Client) -> Result<Vec<String>, Error> {
    let databases = surroundings::names(client).await?;
    // Locks are read after the databases: a restore locks before it creates a database, so a live one is never missed.
    let held = held_keys(client).await?;
    let dead = |database: &String| {
        name::base_of_restoring(database).is_some_and(|base| !held.contains(&name::lock_key(base)))
    };
    Ok(databases.into_iter().filter(dead).collect())
}
