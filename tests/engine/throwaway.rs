//! Throw-away servers, with real PostgreSQL and several processes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    missing_docs,
    reason = "a test that cannot continue fails"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use local_server::{TestCluster, TestClusterOptions};
use tests::binaries;

const CHILD: &str = "TEST_CLUSTER_CACHE";

fn cache() -> PathBuf {
    let cache = PathBuf::from(format!(
        "/tmp/throwaway-tests-{}",
        fs::metadata("/proc/self").map_or(0, |process| {
            std::os::unix::fs::MetadataExt::uid(&process)
        })
    ));
    fs::create_dir_all(&cache).unwrap();
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o711)).unwrap();
    cache
}

fn start() -> TestCluster {
    TestClusterOptions::new(&binaries(), cache())
        .start()
        .unwrap()
}

fn psql(url: &str, sql: &str) -> String {
    let program = binaries().program("psql").unwrap();
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

#[test]
fn a_server_has_the_settings_asked_for_and_vanishes_with_its_value() {
    let cluster = TestClusterOptions::new(&binaries(), cache())
        .setting("max_prepared_transactions", "7")
        .setting("log_statement", "all")
        .start()
        .unwrap();
    let url = cluster.url("postgres");
    assert_eq!(psql(&url, "show max_prepared_transactions"), "7");
    assert_eq!(psql(&url, "show fsync"), "off");
    assert!(
        cluster
            .log()
            .unwrap()
            .contains("show max_prepared_transactions")
    );
    let (pid, data_dir) = (cluster.postmaster_pid().unwrap(), cluster.data_dir());
    drop(cluster);
    assert!(!data_dir.parent().unwrap().exists());
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
}

#[test]
fn servers_begin_with_the_same_prepared_data() {
    let identifier = || {
        let cluster = start();
        psql(
            &cluster.url("postgres"),
            "select system_identifier from pg_control_system()",
        )
    };
    // Each initdb makes an identifier of its own.
    assert_eq!(identifier(), identifier());
}

#[test]
fn what_was_committed_survives_every_kind_of_end() {
    let cluster = start();
    let (port, url) = (cluster.port(), cluster.url("postgres"));
    psql(&url, "create table kept (n int)");
    let ends: [fn(&TestCluster); 3] = [
        |cluster| cluster.stop().unwrap(),
        |cluster| cluster.stop_immediate().unwrap(),
        |cluster| cluster.kill().unwrap(),
    ];
    for (number, end) in ends.iter().enumerate() {
        psql(&url, &format!("insert into kept values ({number})"));
        end(&cluster);
        assert_eq!(cluster.postmaster_pid(), None);
        cluster.start().unwrap();
        assert_eq!(cluster.port(), port);
        assert_eq!(
            psql(&url, "select count(*) from kept"),
            (number + 1).to_string()
        );
    }
    let pid = cluster.postmaster_pid();
    cluster.start().unwrap();
    assert_eq!(
        cluster.postmaster_pid(),
        pid,
        "starting a running server started another"
    );
    cluster.restart().unwrap();
    assert_ne!(cluster.postmaster_pid(), pid);
}

#[test]
fn a_server_killed_under_a_long_query_starts_again() {
    let cluster = start();
    let url = cluster.url("postgres");
    let program = binaries().program("psql").unwrap();
    // Busy without checking: the orphan notices the death only when it sends its result.
    let mut query = Command::new(program)
        .args([
            "-X",
            "-c",
            "select count(*) from generate_series(1, 20000000)",
            &url,
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let running = "select count(*) from pg_stat_activity where query like '%generate_series%' and pid <> pg_backend_pid()";
    while psql(&url, running) == "0" {}
    cluster.kill().unwrap();
    cluster.start().unwrap();
    assert_eq!(psql(&url, "select 1"), "1");
    query.wait().unwrap();
}

#[test]
fn a_server_can_lie_on_the_disk() {
    let cluster = TestClusterOptions::new(&binaries(), cache())
        .on_disk()
        .start()
        .unwrap();
    assert!(!cluster.data_dir().starts_with("/dev/shm"), "{cluster:?}");
    assert_eq!(psql(&cluster.url("postgres"), "select 1"), "1");
}

#[test]
fn many_start_at_once() {
    let threads: Vec<_> = (0..6).map(|_| thread::spawn(start)).collect();
    let clusters: Vec<TestCluster> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    for cluster in &clusters {
        psql(&cluster.url("postgres"), "create table only_here ()");
    }
}

/// Not a separate test: the process that the next test kills.
#[test]
fn child_process() {
    let Some(cache) = std::env::var_os(CHILD) else {
        return;
    };
    let cluster = TestClusterOptions::new(&binaries(), PathBuf::from(cache))
        .on_disk()
        .start()
        .unwrap();
    eprintln!(
        "RESULT {} {}",
        cluster.postmaster_pid().unwrap(),
        cluster.data_dir().display()
    );
    thread::sleep(Duration::from_secs(600));
}

#[test]
fn servers_of_killed_processes_are_removed_by_the_next_start() {
    let own = tempfile::Builder::new()
        .prefix("cache")
        .tempdir_in("/tmp")
        .unwrap();
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "throwaway::child_process", "--nocapture"])
        .env(CHILD, own.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let line = std::io::BufRead::lines(std::io::BufReader::new(owner.stderr.take().unwrap()))
        .map(Result::unwrap)
        .find(|line| line.contains("RESULT "))
        .unwrap();
    let (pid, data_dir) = line
        .split_once("RESULT ")
        .unwrap()
        .1
        .split_once(' ')
        .unwrap();
    let options = TestClusterOptions::new(&binaries(), own.path()).on_disk();

    let second = options.clone().start().unwrap();
    assert!(Path::new(data_dir).exists(), "a server in use was removed");
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(
        Path::new(&format!("/proc/{pid}")).exists(),
        "the test has nothing to test"
    );

    let third = options.start().unwrap();
    assert!(!Path::new(data_dir).exists());
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    assert!(
        stat.is_empty() || stat.contains(") Z "),
        "the abandoned server still runs: {stat}"
    );
    assert_eq!(psql(&second.url("postgres"), "select 1"), "1");
    assert_eq!(psql(&third.url("postgres"), "select 1"), "1");
}

#[test]
fn a_setting_that_the_server_refuses_is_reported_and_leaves_nothing() {
    let own = tempfile::Builder::new()
        .prefix("cache")
        .tempdir_in("/tmp")
        .unwrap();
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let options = TestClusterOptions::new(&binaries(), own.path())
        .setting("shared_buffers", "many")
        .on_disk();
    let error = options.start().unwrap_err().to_string();
    assert!(error.contains("shared_buffers"), "{error}");
    assert_eq!(
        fs::read_dir(own.path().join("clusters")).unwrap().count(),
        0
    );
}
