//! The context of every command: configuration, services, and the addresses of their databases.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;

use super::{GlobalArgs, OutputChoice, Selected, invocation};
use domain::Reporter;
use domain::{Diagnostic, Fleet, Phase, Service, ServiceName, request_timings, rerun, suggest};
use engine::inspect::Target;
use engine::source;
use engine::source::EmbeddedService;
use local_server::{LocalServer, Origin, Running};
use pg_address::DatabaseAddress;
use pg_session::{ConnectOptions, Connections};
use report::{CommandLines, Output, Terminal, Verbosity, printable, reporter};
use settings::{Configuration, Location, Overrides, ProjectRoot, Selection};
use store::DEFAULT_HISTORY_TABLE;

/// How long to retry connecting to a server that is starting or has no free connection.
const RETRY_CONNECT_FOR: Duration = Duration::from_secs(30);

/// The context of a command.
pub struct Context {
    /// The global flags.
    pub globals: GlobalArgs,
    /// The loaded configuration.
    pub configuration: Configuration,
    /// The services that the command knows.
    pub fleet: Fleet,
    /// Services outside the fleet whose migrations require one of the fleet (service binaries only).
    pub dependents: Vec<Service>,
    /// The project's folder.
    pub project_root: PathBuf,
    /// The streams of this process.
    pub terminal: Terminal,
    /// When the command started.
    pub(super) began: Instant,
    connections: Arc<Connections>,
    local: OnceCell<Running>,
    /// Remote servers whose certificate is not verified.
    unverified: Mutex<BTreeSet<String>>,
}

impl Context {
    /// Loads the configuration and the services: the embedded ones, or those of `--services-dir`. Connects to no database.
    pub fn new(
        globals: GlobalArgs,
        embedded: &[&'static EmbeddedService],
        program: &str,
    ) -> Result<Self, Diagnostic> {
        let began = Instant::now();
        let own = match embedded {
            [only] => only.folder.parse().ok(),
            _ => None,
        };
        invocation::remember(&globals, own.map(|name| (program.to_owned(), name)));
        let here = std::env::current_dir()
            .map_err(|source| Diagnostic::failed("cannot determine the current folder", &source))?;
        let project = ProjectRoot::of(&here, globals.services_dir.as_deref());
        // A value that is not UTF-8 is kept, so that it fails where it is used; omitted, it would count as unset.
        let variables: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((
                    name.into_string().ok()?,
                    value.to_string_lossy().into_owned(),
                ))
            })
            .collect();
        let configuration = Configuration::load(&overrides(&globals), &variables, &project)?;
        let measured = Phase::Parse.begin();
        let fleet = match &globals.services_dir {
            Some(folder) => source::load_folder(folder)?,
            None => EmbeddedService::fleet(embedded)?,
        };
        let dependents = match &globals.services_dir {
            Some(_) => Vec::new(),
            None => dependents(embedded, &fleet)?,
        };
        drop(measured);
        let options = ConnectOptions {
            application_name: format!("{program} {}", env!("CARGO_PKG_VERSION")),
            connect_timeout: configuration.engine().connect_timeout,
            retry_for: RETRY_CONNECT_FOR,
            patience: configuration.engine().stall_timeout,
        };
        let context = Self {
            connections: Arc::new(Connections::new(
                options,
                configuration.max_connections().get(),
            )),
            terminal: Terminal::of_process(globals.color),
            began,
            local: OnceCell::new(),
            unverified: Mutex::default(),
            globals,
            configuration,
            fleet,
            dependents,
            project_root: project.folder,
        };
        // A service binary knows only itself and its dependencies, while the configuration covers the whole fleet.
        if embedded.len() > 1 || context.globals.services_dir.is_some() {
            context.refuse_unknown_services()?;
        }
        let outdated = context.outdated_files();
        if let Some(first) = outdated.first() {
            tracing::warn!(
                files = outdated.len(),
                "{first} differs from what is compiled into this program: rebuild it"
            );
        }
        Ok(context)
    }

    /// The migrations and reverts of the project that differ from the compiled-in ones. None with `--services-dir`.
    pub fn outdated_files(&self) -> BTreeSet<String> {
        let built = std::env::current_exe()
            .and_then(fs::metadata)
            .and_then(|program| program.modified());
        match (&self.globals.services_dir, built) {
            (None, Ok(built)) => source::outdated_files(&self.fleet, &self.project_root, built),
            _ => BTreeSet::new(),
        }
    }

    /// Asks for the timings of this command, if its flag was given.
    pub(super) fn request_timings(&self, requested: bool) {
        if requested {
            request_timings(self.began);
        }
    }

    /// A service of the fleet, or one of its dependents.
    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.fleet
            .service(name)
            .or_else(|| self.dependents.iter().find(|service| service.name == *name))
    }

    /// The history table of a service: from the configuration, else from the service, else the default.
    pub fn history_table<'a>(&'a self, service: &'a Service) -> &'a str {
        self.configuration
            .history_table(service.name.as_str())
            .or(service.history_table.as_deref())
            .unwrap_or(DEFAULT_HISTORY_TABLE)
    }

    /// The connections of this process.
    pub fn connections(&self) -> Arc<Connections> {
        Arc::clone(&self.connections)
    }

    /// The number of services that are migrated at a time.
    pub fn jobs(&self) -> usize {
        self.globals
            .jobs
            .map_or_else(|| self.connections.limit(), usize::from)
    }

    /// Whether the output is human text, not JSON.
    pub fn is_human(&self) -> bool {
        self.globals.output == OutputChoice::Human
    }

    /// The reporter of a run.
    pub fn reporter(&self) -> Box<dyn Reporter> {
        self.reporter_with(None)
    }

    /// The reporter of a command with human output of its own.
    pub fn reporter_with(&self, own: Option<Box<dyn CommandLines>>) -> Box<dyn Reporter> {
        let output = match self.globals.output {
            OutputChoice::Human => Output::Human,
            OutputChoice::Json => Output::Json,
        };
        reporter(output, self.verbosity(), self.terminal, own)
    }

    /// The reporter of a command that prints a document at its end.
    pub fn progress(&self, own: Box<dyn CommandLines>) -> Box<dyn Reporter> {
        let verbosity = match self.globals.output {
            OutputChoice::Human => self.verbosity(),
            OutputChoice::Json => Verbosity::Quiet,
        };
        report::progress(verbosity, self.terminal, own)
    }

    fn verbosity(&self) -> Verbosity {
        match (self.globals.quiet, self.globals.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, _) => Verbosity::Verbose,
        }
    }

    /// The databases of services. `DATABASE_URL` applies only if `selected` is one service.
    pub async fn targets<'n>(
        &self,
        names: impl IntoIterator<Item = &'n ServiceName>,
        selected: &Selected,
        create_databases: bool,
    ) -> Result<BTreeMap<ServiceName, Arc<Target>>, Diagnostic> {
        let mut targets = BTreeMap::new();
        for name in names {
            let Some(service) = self.service(name) else {
                continue;
            };
            let address = self.address(service, selected).await?;
            let history_table = self.history_table(service).to_owned();
            let may_create = self
                .configuration
                .creation_allowed(&address, create_databases);
            targets.insert(
                name.clone(),
                Arc::new(Target {
                    service: Arc::new(service.clone()),
                    address,
                    history_table,
                    legacy_table: self
                        .configuration
                        .legacy_table(name.as_str())
                        .or(service.legacy_table.as_deref())
                        .map(str::to_owned),
                    may_create,
                }),
            );
        }
        refuse_shared_histories(&targets)?;
        Ok(targets)
    }

    /// The address of one service's database. Starts the local server if no address is configured.
    pub async fn address(
        &self,
        service: &Service,
        selected: &Selected,
    ) -> Result<DatabaseAddress, Diagnostic> {
        let selection = match selected.only() {
            Some(only) => Selection::One(only.as_str()),
            None => Selection::Many,
        };
        match self
            .configuration
            .locate(service.name.as_str(), &service.database, selection)?
        {
            Location::Configured { address, origin } => {
                tracing::debug!(service = %service.name, %address, %origin, "database");
                if !address.is_local() && !address.tls().verifies() {
                    let mut unverified = self
                        .unverified
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner);
                    unverified.insert(address.server_key());
                }
                for warning in address.warnings() {
                    tracing::warn!(service = %service.name, "{warning}");
                }
                Ok(address)
            }
            Location::Local { database } => self.local_address(&database).await,
        }
    }

    /// The remote servers of this command whose certificate is not verified.
    pub(super) fn unverified_servers(&self) -> Vec<String> {
        let unverified = self
            .unverified
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        unverified.iter().cloned().collect()
    }

    /// The address of a database on the local server. Starts the server if it is not running.
    pub async fn local_address(&self, database: &str) -> Result<DatabaseAddress, Diagnostic> {
        let url = self.local_server().await?.url(database);
        DatabaseAddress::parse(&url, &BTreeMap::new()).map_err(|source| {
            Diagnostic::usage(
                format!("the address of the local server is invalid: {source}"),
                suggest(["local", "reset"]),
            )
        })
    }

    /// The folder of the services' files: `--services-dir`, else `services/` of the project.
    pub fn services_folder(&self) -> PathBuf {
        self.globals
            .services_dir
            .clone()
            .unwrap_or_else(|| self.project_root.join("services"))
    }

    /// The project's local server, running or not.
    ///
    /// # Errors
    /// Outside a project, because the server's files belong to a project.
    pub fn local_place(&self) -> Result<LocalServer, Diagnostic> {
        if !self.configuration.is_in_project() {
            return Err(Diagnostic::usage(
                format!(
                    "{} is not in a project (a folder with services/ or config/), so there is no local server",
                    self.project_root.display()
                ),
                rerun(
                    "in the project, or specify a server: --server-url for databases, --scratch-server for scratch databases",
                ),
            ));
        }
        Ok(LocalServer::at(self.project_root.join(".local")))
    }

    /// The local server. Starts it if it is not running.
    pub async fn local_server(&self) -> Result<&Running, Diagnostic> {
        self.local
            .get_or_try_init(|| async {
                let server = self.local_place()?;
                let pg_bin = self.globals.pg_bin.clone();
                let started =
                    tokio::task::spawn_blocking(move || server.ensure_running(pg_bin.as_deref()))
                        .await
                        .map_err(|error| {
                            Diagnostic::failed("starting the local server was interrupted", &error)
                        })??;
                if started.origin() != Origin::AlreadyRunning {
                    self.print_started(&started);
                }
                Ok(started)
            })
            .await
    }

    fn print_started(&self, running: &Running) {
        if !self.globals.quiet {
            printable::write_err(&format!(
                "local PostgreSQL {} is listening on 127.0.0.1:{} (to stop it: {})\n",
                running.major(),
                running.port(),
                suggest(["local", "stop"])
            ));
        }
    }

    /// A misspelled service in a configuration file would silently leave the real service with its defaults.
    fn refuse_unknown_services(&self) -> Result<(), Diagnostic> {
        let known: BTreeSet<&str> = self.fleet.names().map(ServiceName::as_str).collect();
        let unknown = self
            .configuration
            .mentioned_services()
            .find(|(name, _)| !known.contains(name));
        match unknown {
            Some((name, file)) => Err(Diagnostic::usage(
                format!(
                    "{}: unknown service {name} in [services.{name}]",
                    file.display()
                ),
                rerun(format!(
                    "after correcting the section in {}; known services: {}",
                    file.display(),
                    known.into_iter().collect::<Vec<_>>().join(", ")
                )),
            )),
            None => Ok(()),
        }
    }
}

fn dependents(
    embedded: &[&'static EmbeddedService],
    fleet: &Fleet,
) -> Result<Vec<Service>, Diagnostic> {
    let mut found = Vec::new();
    for dependent in embedded.iter().flat_map(|service| service.dependents) {
        let service = dependent.load()?;
        if fleet.service(&service.name).is_none() {
            found.push(service);
        }
    }
    Ok(found)
}

fn overrides(globals: &GlobalArgs) -> Overrides {
    let mut overrides = Overrides::default();
    overrides.config_file.clone_from(&globals.config);
    overrides.environment.clone_from(&globals.environment);
    overrides.server_url.clone_from(&globals.server_url);
    overrides.database_url.clone_from(&globals.database_url);
    overrides.engine.clone_from(&globals.engine.0);
    overrides
}

/// Refuses services that share a database and a history table.
fn refuse_shared_histories(targets: &BTreeMap<ServiceName, Arc<Target>>) -> Result<(), Diagnostic> {
    let mut seen: BTreeMap<(String, &str), &ServiceName> = BTreeMap::new();
    for (name, target) in targets {
        let key = (target.address.database_key(), target.history_table.as_str());
        if let Some(other) = seen.insert(key, name) {
            return Err(Diagnostic::usage(
                format!(
                    "{other} and {name} would share the history table {} of {}",
                    target.history_table, target.address
                ),
                rerun(
                    "after giving each its own history_table in service.toml, or its own database",
                ),
            ));
        }
    }
    Ok(())
}
