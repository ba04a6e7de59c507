//! The scratch servers of one command.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, PoisonError};

use shared::command::{CommandError, Context, Selected};
use shared::config::DatabaseAddress;
use shared::domain::Service;
use tokio::sync::{Mutex, watch};

use super::{ScratchError, ScratchServer, ScratchServerChoice};

/// Where scratch databases are made.
enum ScratchLocation {
    Local,
    Same,
    At(Box<DatabaseAddress>),
}

/// The scratch servers of one command: opened when the first database is needed, and emptied in the end.
pub struct ScratchServers<'a> {
    context: &'a Context,
    place: ScratchLocation,
    servers: Mutex<BTreeMap<String, Arc<ScratchServer>>>,
    said: std::sync::Mutex<BTreeSet<String>>,
}

impl<'a> ScratchServers<'a> {
    /// No server yet.
    ///
    /// # Errors
    /// When the choice is an address, and not one that can be used.
    pub fn new(context: &'a Context, choice: &ScratchServerChoice) -> Result<Self, CommandError> {
        let place = match choice {
            ScratchServerChoice::Local => ScratchLocation::Local,
            ScratchServerChoice::Same => ScratchLocation::Same,
            ScratchServerChoice::At(url) => {
                ScratchLocation::At(Box::new(context.configuration.scratch_server(url)?))
            }
        };
        Ok(Self {
            context,
            place,
            servers: Mutex::default(),
            said: std::sync::Mutex::default(),
        })
    }

    /// What every command needs.
    pub fn context(&self) -> &'a Context {
        self.context
    }

    /// Warns, unless the same was said before: services that share a server would all say it.
    pub fn warn_once(&self, words: String) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if !said.contains(&words) {
            tracing::warn!("{words}");
            said.insert(words);
        }
    }

    /// Whether scratch databases stand beside the live ones.
    pub fn is_beside_the_live_ones(&self) -> bool {
        matches!(self.place, ScratchLocation::Same)
    }

    /// The address of a service's database as far as it is needed for making scratch databases: that of the live one only where
    /// these stand beside it.
    pub async fn address(
        &self,
        service: &Service,
        selected: &Selected,
    ) -> Result<DatabaseAddress, CommandError> {
        match &self.place {
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
        let address = match &self.place {
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
