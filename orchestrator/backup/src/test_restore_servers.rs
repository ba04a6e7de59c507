//! The servers for test restores of dumps.

use std::collections::BTreeMap;
use std::sync::Arc;

use pg_address::DatabaseAddress;
use pg_session::Connections;
use tokio::sync::Mutex;

use scratch::{ScratchError, ScratchServer};

/// The scratch servers of one backup: opened for the first test restore, and cleaned up at the end.
#[derive(Default)]
pub struct TestRestoreServers {
    /// One server for all databases; `None` is each database's own server.
    elsewhere: Option<DatabaseAddress>,
    servers: Mutex<BTreeMap<String, Arc<ScratchServer>>>,
}

impl TestRestoreServers {
    /// Test on the databases' own servers, which have the roles and extensions.
    pub fn beside() -> Self {
        Self::default()
    }

    /// Test on another server.
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

    /// Drops remaining scratch databases, after an error or a cancellation.
    pub(super) async fn clear(&self) {
        for server in std::mem::take(&mut *self.servers.lock().await).values() {
            server.drop_all().await;
        }
    }
}
