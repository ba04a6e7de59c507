//! A pgbouncer of one test.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::unistd::User;
use tempfile::TempDir;

use crate::{Server, wait_until};

/// A pgbouncer before a server; ends with its test.
pub struct Pooler {
    child: Child,
    port: u16,
    url: String,
    _folder: TempDir,
}

impl Pooler {
    /// Starts one in a mode (`session`, `transaction`, `statement`), with further lines of its configuration.
    pub fn start(server: &Server, mode: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let url = server.url("postgres");
        let (login, place) = url
            .split_once("://")
            .and_then(|(_, rest)| rest.rsplit_once('@'))
            .expect("user:password@host:port/database");
        let (user, password) = login.split_once(':').expect("a password");
        let (host, server_port) = place
            .split('/')
            .next()
            .and_then(|place| place.split_once(':'))
            .expect("host:port");
        let users = folder.path().join("users.txt");
        fs::write(&users, format!("\"{user}\" \"{password}\"\n")).expect("a file");
        let configuration = folder.path().join("pgbouncer.ini");
        fs::write(
            &configuration,
            format!(
                "[databases]\n* = host={host} port={server_port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
                 listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {}\npool_mode = {mode}\n\
                 ignore_startup_parameters = extra_float_digits\n{settings}\n",
                users.display()
            ),
        )
        .expect("a file");
        let mut command = Command::new(program());
        command
            .arg("-q")
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // It refuses to run as root.
        if nix::unistd::geteuid().is_root() {
            let nobody = User::from_name("nobody")
                .expect("the list of users")
                .expect("the user nobody");
            let owner = (nobody.uid, nobody.gid);
            for path in [folder.path(), &users, &configuration] {
                nix::unistd::chown(path, Some(owner.0), Some(owner.1)).expect("a new owner");
            }
            command.uid(owner.0.as_raw()).gid(owner.1.as_raw());
        }
        let pooler = Self {
            child: command.spawn().expect("pgbouncer starts"),
            port,
            url: format!("postgresql://{login}@127.0.0.1:{port}"),
            _folder: folder,
        };
        wait_until("pgbouncer listens", || {
            TcpStream::connect(("127.0.0.1", pooler.port)).is_ok()
        });
        pooler
    }

    /// The one value of a query, through it.
    pub fn value(&self, database: &str, sql: &str) -> String {
        let rows = crate::server::query_at(&self.url(database), sql).expect("rows");
        rows.concat().concat()
    }

    /// The URL of a database through it.
    pub fn url(&self, database: &str) -> String {
        format!("{}/{database}?sslmode=disable", self.url)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Debian has it where only root looks.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
        .expect("pgbouncer is installed (Debian: apt install pgbouncer)")
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
