//! Databases that restores left on a server: kept ones, and those of killed restores. Touches none.

use shared::postgres::Client;
use shared::postgres::held_keys;
use time::OffsetDateTime;
use tokio_postgres::Error;

use super::{name, surroundings};

/// A database that was replaced and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptDatabase {
    /// Its name.
    pub name: String,
    /// What its name begins with: that of the database that took its place, or where that is too long, a part of it.
    pub base: String,
    /// When it was replaced.
    pub since: OffsetDateTime,
    /// Its size, in bytes; 0 where we may not ask.
    pub bytes: u64,
}

impl KeptDatabase {
    /// Whether it is the former database of this name.
    pub fn is_of(&self, database: &str) -> bool {
        self.base == name::base(database)
    }
}

/// The databases of a server that were replaced and kept, the oldest first.
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

/// Whether a name is that of a database that a restore of another one fills.
pub fn is_restoring(database: &str, name: &str) -> bool {
    name::base_of_restoring(name) == Some(&*name::base(database))
}

/// The databases of a server that a restore was filling when it was killed.
pub async fn dead_databases(client: &Client) -> Result<Vec<String>, Error> {
    let databases = surroundings::names(client).await?;
    // After the databases: a restore takes its lock before it makes one.
    let held = held_keys(client).await?;
    let dead = |database: &String| {
        name::base_of_restoring(database).is_some_and(|base| !held.contains(&name::lock_key(base)))
    };
    Ok(databases.into_iter().filter(dead).collect())
}
