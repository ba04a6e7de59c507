//! The scratch servers of one command.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use shared::command::Context;
use shared::config::DatabaseAddress;
use shared::domain::Service;
use tokio::sync::{Mutex, watch};

use super::{ScratchError, ScratchServer, ScratchServerChoice};

/// The scratch servers of one command: opened when the first database is needed, and emptied in the end.
pub struct Workshop<'a> {
    context: &'a Context,
    choice: ScratchServerChoice,
    servers: Mutex<BTreeMap<String, Arc<ScratchServer>>>,
}

impl<'a> Workshop<'a> {
    /// No server yet.
    pub fn new(context: &'a Context, choice: ScratchServerChoice) -> Self {
        Self {
            context,
            choice,
            servers: Mutex::default(),
        }
    }

    /// What every command needs.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Whether scratch databases stand beside the live ones.
    pub fn is_beside_the_live_ones(&self) -> bool {
        self.choice == ScratchServerChoice::Same
    }

    /// The scratch server for a service whose live database is `live`.
    pub async fn server(
        &self,
        service: &Service,
        live: &DatabaseAddress,
    ) -> Result<Arc<ScratchServer>, ScratchError> {
        let address = match &self.choice {
            ScratchServerChoice::Local => self.context.local_address(&service.database).await?,
            ScratchServerChoice::Same => live.clone(),
            ScratchServerChoice::At(url) => self
                .context
                .configuration
                .scratch_server(url)
                .map_err(shared::command::CommandError::from)?,
        };
        let mut servers = self.servers.lock().await;
        let key = address.server_key();
        if let Some(server) = servers.get(&key) {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(ScratchServer::open(self.context.connections(), address).await?);
        servers.insert(key, Arc::clone(&server));
        Ok(server)
    }

    /// Does some work, unless the user cancels it first (`None`), and drops every database that the work left.
    pub async fn until_cancelled<T>(
        &self,
        cancelled: &mut watch::Receiver<u32>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let done = tokio::select! {
            done = work => Some(done),
            Ok(_) = cancelled.wait_for(|times| *times > 0) => None,
        };
        for server in self.servers.lock().await.values() {
            server.drop_all().await;
        }
        done
    }
}
