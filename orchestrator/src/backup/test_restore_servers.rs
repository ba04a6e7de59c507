//! Where dumps are restored for a test.

use std::collections::BTreeMap;
use std::sync::Arc;

use shared::config::DatabaseAddress;
use shared::postgres::Connections;
use tokio::sync::Mutex;

use crate::scratch::{ScratchError, ScratchServer};

/// The scratch servers of one backup: opened when the first dump is tested, and emptied in the end.
#[derive(Default)]
pub struct TestRestoreServers {
    /// One server for all; `None` is that of each database.
    elsewhere: Option<DatabaseAddress>,
    servers: Mutex<BTreeMap<String, Arc<ScratchServer>>>,
}

impl TestRestoreServers {
    /// Beside the databases themselves: there are their roles, and their extensions.
    pub fn beside() -> Self {
        Self::default()
    }

    /// On another server.
    pub fn at(server: DatabaseAddress) -> Self {
        Self {
            elsewhere: Some(server),
            servers: Mutex::default(),
        }
    }

    pub(super) fn is_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    pub(super) async fn server(
        &self,
        connections: &Arc<Connections>,
        live: &DatabaseAddress,
    ) -> Result<Arc<ScratchServer>, ScratchError> {
        let address = self.elsewhere.as_ref().unwrap_or(live);
        let mut servers = self.servers.lock().await;
        let key = address.server_key();
        if let Some(server) = servers.get(&key) {
            return Ok(Arc::clone(server));
        }
        let server = ScratchServer::open(Arc::clone(connections), address.clone()).await?;
        let server = Arc::new(server);
        servers.insert(key, Arc::clone(&server));
        Ok(server)
    }

    /// Drops what still stands: after an error or a cancellation.
    pub(super) async fn clear(&self) {
        for server in std::mem::take(&mut *self.servers.lock().await).values() {
            server.drop_all().await;
        }
    }
}
