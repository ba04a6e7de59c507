//! The scratch servers of one command.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, PoisonError};

use domain::{Diagnostic, Service};
use pg_address::DatabaseAddress;
use service_cli::command::{Context, Selected};
use tokio::sync::{Mutex, watch};

use super::{ScratchError, ScratchServer, ScratchServerChoice};

/// Where scratch databases are created.
enum ScratchLocation {
    Local,
    Same,
    At(Box<DatabaseAddress>),
}

/// The scratch servers of one command: opened when the first database is needed, and cleaned up at the end.
pub struct ScratchServers<'a> {
    context: &'a Context,
    location: ScratchLocation,
    servers: Mutex<BTreeMap<String, Arc<ScratchServer>>>,
    warned: std::sync::Mutex<BTreeSet<String>>,
}

impl<'a> ScratchServers<'a> {
    /// Opens no server yet.
    ///
    /// # Errors
    /// When the choice is an invalid address.
    pub fn new(context: &'a Context, choice: &ScratchServerChoice) -> Result<Self, Diagnostic> {
        let location = match choice {
            ScratchServerChoice::Local => ScratchLocation::Local,
            ScratchServerChoice::Same => ScratchLocation::Same,
            ScratchServerChoice::At(url) => {
                ScratchLocation::At(Box::new(context.configuration.scratch_server(url)?))
            }
        };
        Ok(Self {
            context,
            location,
            servers: Mutex::default(),
            warned: std::sync::Mutex::default(),
        })
    }

    /// The context of the command.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Logs a warning once: services that share a server would all repeat it.
    pub fn warn_once(&self, warning: String) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if !warned.contains(&warning) {
            tracing::warn!("{warning}");
            warned.insert(warning);
        }
    }

    /// Whether scratch databases are on the live server.
    pub fn is_beside_the_live_ones(&self) -> bool {
        matches!(self.location, ScratchLocation::Same)
    }

    /// The address of a service's database as far as creating scratch databases requires it: the live address only if
    /// they are on the live server.
    pub async fn address(
        &self,
        service: &Service,
        selected: &Selected,
    ) -> Result<DatabaseAddress, Diagnostic> {
        match &self.location {
            ScratchLocation::Local => self.context.local_address(&service.database).await,
            ScratchLocation::Same => self.context.address(service, selected).await,
            ScratchLocation::At(address) => Ok(address.as_ref().clone()),
        }
    }

    /// The scratch server for a service whose live database is `live`.
    pub async fn server(
        &self,
        service: &Service,
        live: &DatabaseAddress,
    ) -> Result<Arc<ScratchServer>, ScratchError> {
        let address = match &self.location {
            ScratchLocation::Local => self.context.local_address(&service.database).await?,
            ScratchLocation::Same => live.clone(),
            ScratchLocation::At(address) => address.as_ref().clone(),
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

    /// Awaits `work`, unless the user cancels it first (`None`). Drops every database that it left.
    pub async fn until_cancelled<T>(
        &self,
        cancelled: &mut watch::Receiver<u32>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        // A cancellation drops the work at any point, so its databases are dropped here, not in the work.
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
