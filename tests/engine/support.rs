//! A private PostgreSQL server with TLS for one test.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use local_server::Binaries;
use pg_address::DatabaseAddress;
use pg_session::{ConnectError, ConnectOptions, Connection, connect};

/// A running server; dropping it stops it and removes its files.
pub struct Server {
    pub folder: PathBuf,
    pub port: u16,
    process: Child,
}

impl Server {
    /// Starts a server with these lines of `pg_hba.conf` and `postgresql.conf`; socket logins are trusted, and the
    /// superuser is `postgres`.
    pub fn start(access: &str, settings: &str) -> Self {
        let folder = new_folder();
        let data = folder.join("data");
        let owner = unprivileged();
        give_to(&folder, owner);
        let mut initdb = as_user(postgres_program("initdb"), owner);
        run(initdb.arg("-D").arg(&data).args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "--no-locale",
            "-E",
            "UTF8",
        ]));
        make_certificates(&data);
        for name in ["server.key", "server.crt", "self.key", "self.crt", "ca.crt"] {
            give_to(&data.join(name), owner);
        }
        fs::write(
            data.join("pg_hba.conf"),
            format!("local all all trust\n{access}"),
        )
        .expect("writes");
        let port = free_port();
        let mut configuration = fs::read_to_string(data.join("postgresql.conf")).expect("reads");
        configuration.push_str(&format!(
            "\nlisten_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nfsync = off\n\
             shared_buffers = 16MB\nlogging_collector = off\npassword_encryption = 'scram-sha-256'\n{settings}\n",
            folder.display()
        ));
        fs::write(data.join("postgresql.conf"), configuration).expect("writes");
        let log = fs::File::create(folder.join("log")).expect("creates");
        let mut command = as_user(postgres_program("postgres"), owner);
        let process = command
            .arg("-D")
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("starts");
        let server = Self {
            folder,
            port,
            process,
        };
        server.wait_until_up();
        server
    }

    /// A file of the server's certificates.
    pub fn file(&self, name: &str) -> String {
        self.folder.join("data").join(name).display().to_string()
    }

    /// Switches to a self-signed certificate of a type that rustls cannot verify: `p521`, `rsapss` or `v1`.
    pub fn serve_certificate(&self, kind: &str) {
        let data = self.folder.join("data");
        let request = |options: &str| {
            openssl(
                &data,
                &format!("req -nodes -keyout {kind}.key -subj /CN=localhost {options}"),
            );
        };
        match kind {
            "p521" => request(
                "-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-521 -days 2 -out p521.crt -addext subjectAltName=DNS:localhost",
            ),
            "rsapss" => request(
                "-x509 -newkey rsa-pss -pkeyopt rsa_keygen_bits:2048 -days 2 -out rsapss.crt -addext subjectAltName=DNS:localhost",
            ),
            _ => {
                request("-newkey rsa:2048 -out v1.csr");
                openssl(
                    &data,
                    "x509 -req -in v1.csr -signkey v1.key -days 2 -out v1.crt",
                );
            }
        }
        for end in ["crt", "key"] {
            // Over the old file, with its owner and mode.
            let new = fs::read(data.join(format!("{kind}.{end}"))).expect("reads");
            fs::write(data.join(format!("server.{end}")), new).expect("writes");
        }
        let loaded = "SELECT pg_conf_load_time()";
        let before = self.execute(loaded);
        self.execute("SELECT pg_reload_conf()");
        while self.execute(loaded) == before {}
    }

    /// Runs SQL as superuser through the socket.
    pub fn execute(&self, sql: &str) -> String {
        let output = self
            .psql()
            .args(["-h"])
            .arg(&self.folder)
            .args([
                "-p",
                &self.port.to_string(),
                "-U",
                "postgres",
                "-d",
                "postgres",
                "-c",
                sql,
            ])
            .output()
            .expect("psql runs");
        assert!(
            output.status.success(),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// psql with an empty environment, and without a prompt.
    pub fn psql(&self) -> Command {
        let mut command = Command::new(psql());
        command.env_clear().env("HOME", &self.folder).args([
            "-X",
            "-w",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
        ]);
        command
    }

    fn wait_until_up(&self) {
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(30) {
            let ready = Command::new(postgres_program("pg_isready"))
                .args(["-q", "-p", &self.port.to_string(), "-h"])
                .arg(&self.folder)
                .status()
                .expect("pg_isready runs");
            if ready.success() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!(
            "no server: {}",
            fs::read_to_string(self.folder.join("log")).unwrap_or_default()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGQUIT: immediate shutdown, the data is thrown away.
        let _ = Command::new("kill")
            .args(["-QUIT", &self.process.id().to_string()])
            .status();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Reads an address without any variables.
pub fn address(text: &str) -> DatabaseAddress {
    DatabaseAddress::parse(text, &BTreeMap::new()).expect("a valid address")
}

/// Connects without retrying.
pub async fn try_connect(text: &str) -> Result<Connection, ConnectError> {
    connect(&address(text), &options(Duration::ZERO)).await
}

pub fn options(retry_for: Duration) -> ConnectOptions {
    ConnectOptions {
        application_name: "connect test".to_owned(),
        connect_timeout: Duration::from_secs(10),
        retry_for,
        patience: Duration::ZERO,
    }
}

/// A port that is currently unused.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.local_addr().expect("has an address").port()
}

/// An authority, a server certificate of it for `localhost`, a self-signed one, another authority, a client
/// certificate for the user `certified`, and lists of the authority that revoke nothing and the server.
fn make_certificates(folder: &Path) {
    let authority = |name: &str| {
        openssl(
            folder,
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -days 2 -subj /CN=test-{name}"
            ),
        );
    };
    let signed = |name: &str, subject: &str, extension: &str| {
        fs::write(folder.join("extension"), extension).expect("writes");
        openssl(
            folder,
            &format!(
                "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={subject}"
            ),
        );
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out {name}.crt -days 2 -extfile extension"
            ),
        );
    };
    authority("ca");
    authority("other");
    signed("server", "localhost", "subjectAltName=DNS:localhost\n");
    signed("client", "certified", "extendedKeyUsage=clientAuth\n");
    openssl(
        folder,
        "req -x509 -newkey rsa:2048 -nodes -keyout self.key -out self.crt -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost",
    );
    let ca = "[ca]\ndefault_ca=own\n[own]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=2\n\
              certificate=ca.crt\nprivate_key=ca.key\ncrlnumber=number\ncrl_extensions=extensions\n\
              [extensions]\nauthorityKeyIdentifier=keyid\n";
    fs::write(folder.join("ca.conf"), ca).expect("writes");
    fs::write(folder.join("index"), "").expect("writes");
    fs::write(folder.join("number"), "01\n").expect("writes");
    openssl(folder, "ca -config ca.conf -gencrl -out none.crl");
    openssl(folder, "ca -config ca.conf -revoke server.crt");
    openssl(folder, "ca -config ca.conf -gencrl -out server.crl");
    for name in ["server.key", "self.key", "client.key"] {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600))
            .expect("sets the mode");
    }
}

fn openssl(folder: &Path, arguments: &str) {
    run(Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder));
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn new_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("connect-test-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).expect("creates a folder");
    folder
}

/// A program of the PostgreSQL that tests use.
pub fn postgres_program(name: &str) -> PathBuf {
    tests::binaries()
        .program(name)
        .unwrap_or_else(|| panic!("{name} beside the server binaries"))
}

/// psql of the installed PostgreSQL, whichever server is tested: the one fetched beside other servers knows no TLS.
fn psql() -> PathBuf {
    Binaries::find(None)
        .ok()
        .and_then(|installed| installed.program("psql"))
        .unwrap_or_else(|| postgres_program("psql"))
}

/// PostgreSQL refuses to run as root: the user `nobody` then.
fn unprivileged() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    if fs::metadata("/proc/self").expect("has /proc").uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("reads");
    let line = users
        .lines()
        .find(|line| line.starts_with("nobody:"))
        .expect("the user `nobody`");
    let mut fields = line
        .split(':')
        .skip(2)
        .map(|id| id.parse().expect("a number"));
    Some((
        fields.next().expect("a user id"),
        fields.next().expect("a group id"),
    ))
}

fn as_user(program: impl AsRef<OsStr>, owner: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

fn give_to(path: &Path, owner: Option<(u32, u32)>) {
    if let Some((user, group)) = owner {
        chown(path, Some(user), Some(group)).expect("changes the owner");
    }
}
