//! The local server, with real PostgreSQL and several processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test that cannot continue fails"
)]

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use local_server::{LocalServer, LocalServerError, Origin, Running, Status};
use tempfile::TempDir;
use tests::binaries;

/// Names the folder for which a copy of this test program starts the server.
const CHILD: &str = "LOCAL_SERVER_TEST_FOLDER";

/// A project whose server is removed at the end, also after a failed assertion.
struct Project {
    parent: TempDir,
}

impl Project {
    fn new() -> Self {
        Self::below(Path::new("/tmp"))
    }

    fn below(parent: &Path) -> Self {
        let parent = tempfile::Builder::new()
            .prefix("project")
            .tempdir_in(parent)
            .unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { parent }
    }

    fn server(&self) -> LocalServer {
        LocalServer::at(self.parent.path().join(".local"))
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if let Err(error) = self.server().reset() {
            eprintln!("the server of a test is left behind: {error}");
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn psql(url: &str, sql: &str) -> String {
    let program = binaries()
        .program("psql")
        .expect("psql beside the server binaries");
    let output = Command::new(program)
        .args(["-X", "-At", "-c", sql, url])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{sql}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn expect_running(server: &LocalServer) -> Running {
    match server.status().unwrap() {
        Status::Running(running) => running,
        other => panic!("not running but {other:?}"),
    }
}

fn kill(pid: u32) {
    let status = Command::new("/bin/sh")
        .args(["-c", "kill -9 \"$1\"", "sh", &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
    // The signal takes effect a little later.
    let runs = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        !stat.is_empty() && !stat.contains(") Z ")
    };
    while runs() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_server_is_created_stopped_started_and_removed() {
    let project = Project::new();
    let server = project.server();
    assert!(matches!(server.status().unwrap(), Status::NotCreated));
    assert!(!server.stop().unwrap());
    assert!(
        !server.folder().exists(),
        "looking at a server created its folder"
    );

    let created = server.ensure_running(Some(binaries().folder())).unwrap();
    assert_eq!(created.origin(), Origin::Created);
    assert_eq!(created.major(), binaries().version().major());
    assert_eq!(
        fs::read_to_string(server.folder().join(".gitignore")).unwrap(),
        "*\n"
    );
    psql(&created.url("postgres"), "create table kept (n int)");
    assert_eq!(
        psql(
            &created.url("postgres"),
            "select current_setting('fsync'), current_setting('data_checksums'), current_setting('max_connections'),
                    current_setting('max_prepared_transactions'), current_setting('server_encoding'),
                    current_setting('listen_addresses')"
        ),
        "on|on|200|64|UTF8|127.0.0.1"
    );

    let again = server.ensure_running(Some(binaries().folder())).unwrap();
    assert_eq!(
        (again.origin(), again.pid()),
        (Origin::AlreadyRunning, created.pid())
    );

    assert!(server.stop().unwrap());
    assert!(!server.stop().unwrap());
    match server.status().unwrap() {
        Status::Stopped { port, major, .. } => {
            assert_eq!((port, major), (Some(created.port()), created.major()));
        }
        other => panic!("not stopped but {other:?}"),
    }

    let started = server.ensure_running(Some(binaries().folder())).unwrap();
    assert_eq!(
        (started.origin(), started.port()),
        (Origin::Started, created.port())
    );
    assert_eq!(
        psql(&started.url("postgres"), "select count(*) from kept"),
        "0"
    );
    assert_eq!(
        server.password().unwrap().as_deref(),
        Some(started.password())
    );

    server.reset().unwrap();
    assert!(matches!(server.status().unwrap(), Status::NotCreated));
    assert!(!started.data_dir().exists());
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, started.port())).is_err());
    server.reset().unwrap();
}

#[test]
fn a_login_without_the_password_is_refused() {
    let project = Project::new();
    let running = project
        .server()
        .ensure_running(Some(binaries().folder()))
        .unwrap();
    let program = binaries().program("psql").unwrap();
    let socket = running
        .socket_dir()
        .expect("a socket in a short path")
        .display()
        .to_string();
    for host in ["127.0.0.1", socket.as_str()] {
        let connect = |password: &str| {
            Command::new(&program)
                .args([
                    "-X",
                    "-w",
                    "-h",
                    host,
                    "-p",
                    &running.port().to_string(),
                    "-U",
                    "postgres",
                ])
                .args(["-c", "select 1", "postgres"])
                .env("PGPASSWORD", password)
                .output()
                .unwrap()
        };
        assert!(
            connect(running.password()).status.success(),
            "the password does not work on {host}"
        );
        let refused = connect("wrong");
        assert!(
            !refused.status.success(),
            "a wrong password works on {host}"
        );
    }
    let secret = project.server().folder().join("password");
    assert_eq!(
        fs::metadata(secret).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(!format!("{running:?}").contains(running.password()));
}

/// Not a separate test: the processes of the following tests run it.
#[test]
fn child_process() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let running = LocalServer::at(PathBuf::from(folder))
        .ensure_running(Some(binaries().folder()))
        .unwrap();
    eprintln!(
        "RESULT {} {} {:?}",
        running.pid(),
        running.port(),
        running.origin()
    );
}

fn child(server: &LocalServer) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "local_server::child_process", "--nocapture"])
        .env(CHILD, server.folder());
    command
}

#[test]
fn twenty_processes_at_once_get_one_server() {
    let project = Project::new();
    let server = project.server();
    for round in ["create", "start", "start after a kill"] {
        let children: Vec<_> = (0..20)
            .map(|_| {
                child(&server)
                    .stdout(Stdio::null())
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        let mut results = Vec::new();
        for child in children {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{round}: {text}");
            let line = text
                .lines()
                .find_map(|line| line.split_once("RESULT "))
                .expect("a result")
                .1;
            results.push(line.to_owned());
        }
        let count = |what: &str| results.iter().filter(|line| line.ends_with(what)).count();
        assert_eq!(
            count("Created") + count("Started"),
            1,
            "{round}: {results:?}"
        );
        results.sort();
        results.dedup_by_key(|line| line.rsplit_once(' ').unwrap().0.to_owned());
        assert_eq!(
            results.len(),
            1,
            "{round}: more than one server: {results:?}"
        );
        let running = expect_running(&server);
        if round == "create" {
            server.stop().unwrap();
        } else {
            kill(running.pid());
        }
    }
}

#[test]
fn the_server_outlives_its_caller_and_leaves_no_open_pipe() {
    let project = Project::new();
    let server = project.server();
    let started = Instant::now();
    // Reads until the last holder of the pipe has closed it: a server that inherited it never does.
    let output = child(&server).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success());
    assert!(started.elapsed() < Duration::from_secs(60));
    let running = expect_running(&server);
    let stat = fs::read_to_string(format!("/proc/{}/stat", running.pid())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    assert_eq!(
        fields[3],
        running.pid().to_string(),
        "the server is not in a session of its own"
    );
}

#[test]
fn a_killed_server_starts_again_with_everything_committed() {
    let project = Project::new();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    psql(
        &running.url("postgres"),
        "create table kept as select 7 as n",
    );
    kill(running.pid());
    let again = server.ensure_running(Some(binaries().folder())).unwrap();
    assert_eq!(
        (again.origin(), again.port()),
        (Origin::Started, running.port())
    );
    assert_ne!(again.pid(), running.pid());
    assert_eq!(psql(&again.url("postgres"), "select n from kept"), "7");
}

#[test]
fn a_pid_file_with_the_number_of_another_process_is_stale() {
    let project = Project::new();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    let path = running.data_dir().join("postmaster.pid");
    let contents = fs::read_to_string(&path).unwrap();
    server.stop().unwrap();
    let recycled = contents.replacen(
        &running.pid().to_string(),
        &std::process::id().to_string(),
        1,
    );
    fs::write(&path, recycled).unwrap();
    assert!(matches!(server.status().unwrap(), Status::Stopped { .. }));
    assert!(!server.stop().unwrap());
    assert_eq!(
        server
            .ensure_running(Some(binaries().folder()))
            .unwrap()
            .origin(),
        Origin::Started
    );
}

#[test]
fn a_taken_port_makes_the_server_choose_another_and_keep_it() {
    let project = Project::new();
    let server = project.server();
    let first = server
        .ensure_running(Some(binaries().folder()))
        .unwrap()
        .port();
    server.stop().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).unwrap();
    let second = server
        .ensure_running(Some(binaries().folder()))
        .unwrap()
        .port();
    assert_ne!(first, second);
    drop(taken);
    server.stop().unwrap();
    assert_eq!(
        server
            .ensure_running(Some(binaries().folder()))
            .unwrap()
            .port(),
        second
    );
}

#[test]
fn a_moved_project_keeps_its_data_while_running_and_stopped() {
    let project = Project::new();
    let (old, new) = (
        project.parent.path().join("old"),
        project.parent.path().join("it's $HOME \"new\""),
    );
    fs::create_dir(&old).unwrap();
    let running = LocalServer::at(old.join(".local"))
        .ensure_running(Some(binaries().folder()))
        .unwrap();
    psql(
        &running.url("postgres"),
        "create table kept as select 7 as n",
    );

    fs::rename(&old, &new).unwrap();
    let server = LocalServer::at(new.join(".local"));
    let moved = expect_running(&server);
    assert_eq!(moved.pid(), running.pid());
    assert!(server.stop().unwrap());
    let again = server.ensure_running(Some(binaries().folder())).unwrap();
    assert_eq!(psql(&again.url("postgres"), "select n from kept"), "7");
    assert!(again.data_dir().starts_with(&new));
    server.reset().unwrap();
}

#[test]
fn a_copied_project_gets_a_server_of_its_own() {
    let project = Project::new();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    let copy = project.parent.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let status = Command::new("cp")
        .arg("-a")
        .arg(server.folder())
        .arg(copy.join(".local"))
        .status()
        .unwrap();
    assert!(status.success());

    let copied = LocalServer::at(copy.join(".local"));
    assert!(matches!(copied.status().unwrap(), Status::Stopped { .. }));
    let other = copied.ensure_running(Some(binaries().folder())).unwrap();
    assert_ne!((other.pid(), other.port()), (running.pid(), running.port()));
    copied.reset().unwrap();
    assert_eq!(expect_running(&server).pid(), running.pid());
}

#[test]
fn an_interrupted_initdb_is_restarted() {
    let project = Project::new();
    let server = project.server();
    let unfinished = server.folder().join("data.creating-0123");
    fs::create_dir_all(unfinished.join("base")).unwrap();
    fs::write(server.folder().join("made-by-orchestrator"), "").unwrap();
    if is_root() {
        fs::set_permissions(server.folder(), fs::Permissions::from_mode(0o711)).unwrap();
    }
    assert_eq!(
        server
            .ensure_running(Some(binaries().folder()))
            .unwrap()
            .origin(),
        Origin::Created
    );
    assert!(!unfinished.exists());
}

#[test]
fn data_of_another_major_version_are_refused_by_name() {
    let project = Project::new();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    server.stop().unwrap();
    fs::write(running.data_dir().join("PG_VERSION"), "9999\n").unwrap();
    let error = server
        .ensure_running(Some(binaries().folder()))
        .unwrap_err();
    assert!(
        matches!(error, LocalServerError::OtherMajor { data: 9999, .. }),
        "{error}"
    );
    assert!(
        error.to_string().contains("orchestrator local reset"),
        "{error}"
    );
    server.reset().unwrap();
    assert_eq!(
        server
            .ensure_running(Some(binaries().folder()))
            .unwrap()
            .origin(),
        Origin::Created
    );
}

#[test]
fn a_lost_password_is_reported() {
    let project = Project::new();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    server.stop().unwrap();
    let home = running.data_dir().parent().unwrap();
    fs::remove_file(home.join("password")).unwrap();
    let error = server
        .ensure_running(Some(binaries().folder()))
        .unwrap_err();
    assert!(
        matches!(error, LocalServerError::PasswordMissing { .. }),
        "{error}"
    );
}

#[test]
fn a_server_that_cannot_start_gives_the_reason() {
    let project = Project::new();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    server.stop().unwrap();
    let configuration = running.data_dir().parent().unwrap().join("server.conf");
    let text = fs::read_to_string(&configuration).unwrap();
    fs::write(&configuration, format!("{text}shared_buffers = 'many'\n")).unwrap();
    let error = server
        .ensure_running(Some(binaries().folder()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("shared_buffers"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_server_started_by_hand_is_found() {
    let project = Project::new();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    let data = fs::metadata(running.data_dir()).unwrap();
    server.stop().unwrap();
    let mut command = Command::new(binaries().program("pg_ctl").unwrap());
    command.args([
        "start",
        "-w",
        "-l",
        "/dev/null",
        "-o",
        "-c unix_socket_directories='' -p 16999",
    ]);
    command
        .env("PGDATA", running.data_dir())
        .current_dir("/")
        .stdout(Stdio::null());
    if is_root() {
        std::os::unix::process::CommandExt::uid(&mut command, data.uid());
    }
    assert!(command.status().unwrap().success());
    assert_eq!(expect_running(&server).port(), 16_999);
    assert_eq!(
        server
            .ensure_running(Some(binaries().folder()))
            .unwrap()
            .origin(),
        Origin::AlreadyRunning
    );
    assert!(server.stop().unwrap());
}

#[test]
fn a_path_too_long_for_a_socket_does_without() {
    let project = Project::new();
    let deep = project.parent.path().join("x".repeat(100));
    fs::create_dir(&deep).unwrap();
    let server = LocalServer::at(deep.join(".local"));
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    assert_eq!(running.socket_dir(), None);
    assert_eq!(psql(&running.url("postgres"), "select 1"), "1");
    server.reset().unwrap();
}

#[test]
fn root_in_a_folder_of_its_own_keeps_the_data_elsewhere() {
    if !is_root() {
        return;
    }
    let project = Project::below(Path::new("/root"));
    fs::set_permissions(project.parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    let home = running.data_dir().parent().unwrap().to_owned();
    assert!(!running.data_dir().starts_with("/root"), "{running:?}");
    let (outer, data) = (
        fs::metadata(&home).unwrap(),
        fs::metadata(running.data_dir()).unwrap(),
    );
    assert_eq!(outer.uid(), 0);
    assert_ne!(data.uid(), 0);
    assert_eq!(data.permissions().mode() & 0o777, 0o700);
    psql(
        &running.url("postgres"),
        "create table kept as select 7 as n",
    );

    // What `git clean` removes is found again.
    fs::remove_dir_all(server.folder()).unwrap();
    let again = server.ensure_running(Some(binaries().folder())).unwrap();
    assert_eq!(
        (again.pid(), again.origin()),
        (running.pid(), Origin::AlreadyRunning)
    );

    // A copy has data of its own, a moved project the same.
    let copy = Project::below(Path::new("/root"));
    let status = Command::new("cp")
        .arg("-a")
        .arg(server.folder())
        .arg(copy.parent.path())
        .status()
        .unwrap();
    assert!(status.success());
    let copied = copy
        .server()
        .ensure_running(Some(binaries().folder()))
        .unwrap();
    assert_ne!(copied.data_dir(), running.data_dir());
    copy.server().reset().unwrap();

    let moved = project.parent.path().join("moved");
    fs::create_dir(&moved).unwrap();
    fs::rename(server.folder(), moved.join(".local")).unwrap();
    let moved = LocalServer::at(moved.join(".local"));
    assert_eq!(expect_running(&moved).pid(), running.pid());
    assert!(moved.stop().unwrap());
    assert_eq!(
        psql(
            &moved
                .ensure_running(Some(binaries().folder()))
                .unwrap()
                .url("postgres"),
            "select n from kept"
        ),
        "7"
    );
    moved.reset().unwrap();
    assert!(!home.exists());
    assert!(matches!(moved.status().unwrap(), Status::NotCreated));
}

#[test]
fn root_serves_the_owner_of_the_project() {
    if !is_root() {
        return;
    }
    let project = Project::new();
    std::os::unix::fs::chown(project.parent.path(), Some(65534), Some(65534)).unwrap();
    let server = project.server();
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    for path in [
        "",
        "password",
        "lock",
        "server.log",
        "server.conf",
        "port",
        "data",
        "socket",
        ".gitignore",
    ] {
        let owner = fs::metadata(server.folder().join(path)).unwrap().uid();
        assert_eq!(
            owner, 65534,
            "'{path}' does not belong to the project's owner"
        );
    }
    assert_eq!(psql(&running.url("postgres"), "select 1"), "1");
}

#[test]
fn root_finds_a_project_moved_out_of_the_servers_reach() {
    if !is_root() {
        return;
    }
    let project = Project::new();
    let inner = project.parent.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let server = LocalServer::at(inner.join(".local"));
    server.ensure_running(Some(binaries().folder())).unwrap();
    server.stop().unwrap();
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o700)).unwrap();
    let error = server
        .ensure_running(Some(binaries().folder()))
        .unwrap_err();
    assert!(
        matches!(error, LocalServerError::Unreachable { .. }),
        "{error}"
    );
    server.reset().unwrap();
    // Empty now, it may as well lie elsewhere.
    let running = server.ensure_running(Some(binaries().folder())).unwrap();
    assert!(!running.data_dir().starts_with("/tmp"), "{running:?}");
    server.reset().unwrap();
}

#[test]
fn an_explicit_folder_without_binaries_is_an_error_that_names_it() {
    let project = Project::new();
    let error = project
        .server()
        .ensure_running(Some(project.parent.path()))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'initdb' is missing in /tmp/project"),
        "{error}"
    );
    assert!(!project.server().folder().exists());
}
