//! A person at a real terminal: Ctrl-C and Ctrl-Z as they are typed, what the screen says, and how it is left. And no
//! terminal any more, and a reader that went away.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::{CTRL_C, CTRL_Z, Outcome, Program, Server, Services, Terminal, wait_until};

fn two_steps(first: &str) -> Services {
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "first", first)
        .migration(2, "second", "CREATE TABLE second (id int)");
    services
}

fn at_work(server: &Server) {
    wait_until("the sleep", || {
        server.value(
            "postgres",
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        ) == "1"
    });
}

/// No cursor stays hidden.
#[track_caller]
fn assert_cursor_is_visible(terminal: &Terminal) {
    let written = terminal.written();
    let hidden = written.rfind("\u{1b}[?25l");
    let shown = written.rfind("\u{1b}[?25h");
    assert!(hidden <= shown, "{written:?}");
}

#[test]
fn each_service_at_work_has_a_line_of_its_own() {
    let server = Server::start();
    let services = Services::new();
    let names = ["alpha", "beta", "gamma"];
    for name in names {
        services
            .service(name, &[])
            .migration(1, "first", "SELECT pg_sleep(1)");
    }
    let orchestrator = Program::orchestrator(&server).services(&services);
    let mut terminal = orchestrator.at_terminal(&["all", "--jobs", "3"]);
    for name in names {
        terminal.wait_for_text(&format!("{name:<5}  1/1  1 first"));
    }
    assert_eq!(terminal.end(), 0);
    let written = terminal.written();
    let mut at_work = 0;
    for line in written.split(['\r', '\n']) {
        let reported = names.iter().filter(|name| line.contains(**name)).count();
        assert!(reported <= 1, "{line:?}\nof\n{written}");
        at_work += usize::from(reported == 1 && line.contains("applying"));
    }
    assert!(at_work >= names.len(), "{written}");
}

#[test]
fn the_first_ctrl_c_explains_what_a_second_one_does() {
    let server = Server::start();
    let services = two_steps("SELECT pg_sleep(1.5); CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let mut terminal = orchestrator.at_terminal(&["all"]);
    let before = terminal.mode();
    at_work(&server);
    terminal.type_keys(CTRL_C);
    terminal.wait_for_text("Stopping: finishing the current steps, starting nothing new.");
    terminal.wait_for_text("Press Ctrl-C again to cancel them on the server.");
    assert_eq!(terminal.end(), 130);
    assert_eq!(terminal.mode(), before);
    assert_cursor_is_visible(&terminal);
    assert_eq!(server.applied("db_shop"), [1]);
}

#[test]
fn ctrl_c_twice_cancels_the_statement() {
    let server = Server::start();
    let services = two_steps("SELECT pg_sleep(60)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let mut terminal = orchestrator.at_terminal(&["all"]);
    let before = terminal.mode();
    at_work(&server);
    terminal.type_keys(CTRL_C);
    terminal.wait_for_text("Stopping");
    terminal.type_keys(CTRL_C);
    terminal.wait_for_text("Cancelling the current steps on the server");
    terminal.wait_for_text("shop 1 first is rolled back");
    assert_eq!(terminal.end(), 130);
    assert_eq!(terminal.mode(), before);
    assert_cursor_is_visible(&terminal);
    assert!(server.applied("db_shop").is_empty());
}

#[test]
fn ctrl_z_and_fg_do_no_harm() {
    let server = Server::start();
    let services = two_steps("SELECT pg_sleep(1.5); CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let mut shell = orchestrator.shell_at_terminal();
    let program = orchestrator.command(&["all"]);
    let words: Vec<String> = std::iter::once(program.get_program())
        .chain(program.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    shell.type_keys(&format!("{}; echo \"ended with\" $?\n", words.join(" ")));
    at_work(&server);
    shell.type_keys(CTRL_Z);
    shell.wait_for_text("Stopped");
    shell.type_keys("fg; echo \"went on to\" $?\n");
    shell.wait_for_text("went on to 0");
    assert_cursor_is_visible(&shell);
    assert_eq!(server.applied("db_shop"), [1, 2]);
    shell.type_keys("exit\n");
    shell.end();
}

#[test]
fn ctrl_c_at_the_question_changes_nothing() {
    let server = Server::start();
    let services = two_steps("CREATE TABLE first (id int)");
    server.create_database("db_shop");
    let empty = server.everything("db_shop");
    let orchestrator = Program::orchestrator(&server)
        .services(&services)
        .env("APP_ENV", "production");
    let mut terminal = orchestrator.at_terminal(&["all"]);
    let before = terminal.mode();
    terminal.wait_for_text("Continue? [y/N] ");
    terminal.type_keys(CTRL_C);
    terminal.wait_for_text("cancelled before the run started; nothing was changed");
    assert_eq!(terminal.end(), 130);
    assert_eq!(terminal.mode(), before);
    assert_eq!(server.everything("db_shop"), empty);

    let mut terminal = orchestrator.at_terminal(&["all"]);
    terminal.wait_for_text("Continue? [y/N] ");
    terminal.type_keys("y\n");
    assert_eq!(terminal.end(), 0);
    assert_eq!(server.applied("db_shop"), [1, 2]);
}

#[test]
fn a_terminal_that_goes_away_lets_the_step_finish() {
    let server = Server::start();
    let services = two_steps("SELECT pg_sleep(1.5); CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let mut terminal = orchestrator.at_terminal(&["all"]);
    at_work(&server);
    // The kernel sends SIGHUP, and nothing can be written any more.
    terminal.hang_up();
    assert_eq!(terminal.end(), 130);
    assert_eq!(server.applied("db_shop"), [1]);
    let status = orchestrator
        .expect(&["status", "--output", "json"], 0)
        .json();
    assert_eq!(status["services"][0]["pending"], 1);
    orchestrator.expect(&["all"], 0);
    assert_eq!(server.applied("db_shop"), [1, 2]);
}

#[test]
fn hanging_up_tells_programs_why_and_nohup_is_respected() {
    let server = Server::start();
    let services = two_steps("SELECT pg_sleep(1); CREATE TABLE first (id int)");
    let orchestrator = Program::orchestrator(&server).services(&services);
    let hearing = Program::orchestrator(&server)
        .services(&services)
        .hearing_hangups();
    let run = hearing.watch(&["all"]);
    at_work(&server);
    run.signal(Signal::SIGHUP);
    run.signal(Signal::SIGHUP);
    let outcome = run.end_within(Duration::from_secs(20));
    assert_eq!(outcome.code, 130, "{}", outcome.stderr);
    let asked = outcome.events_of("cancel_requested");
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0]["cause"], "SIGHUP");
    assert_eq!(server.applied("db_shop"), [1]);

    orchestrator.expect(&["all"], 0);
    services
        .service("shop", &[])
        .migration(3, "third", "SELECT pg_sleep(1)");
    let program = orchestrator.command(&["all"]);
    let mut nohup = Command::new("nohup");
    nohup
        .arg(program.get_program())
        .args(program.get_args())
        .env_clear()
        .current_dir(orchestrator.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in program.get_envs() {
        nohup.envs(value.map(|value| (name, value)));
    }
    let child = nohup.spawn().expect("nohup");
    at_work(&server);
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    kill(pid, Signal::SIGHUP).expect("a signal");
    assert_eq!(Outcome::of(child).code, 0);
    assert_eq!(server.applied("db_shop"), [1, 2, 3]);
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let server = Server::start();
    for (database, arguments) in [
        ("one", &["all"][..]),
        ("two", &["all", "--output", "json"][..]),
    ] {
        let services = Services::new();
        services
            .service(database, &[])
            .migration(
                1,
                "first",
                "SELECT pg_sleep(0.3); CREATE TABLE first (id int)",
            )
            .migration(2, "second", "CREATE TABLE second (id int)");
        let orchestrator = Program::orchestrator(&server).services(&services);
        let mut child = orchestrator.start(arguments);
        // As `| head -1` does.
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        out.read_line(&mut line).expect("a line");
        drop(out);
        let outcome = Outcome::of(child);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        assert_eq!(server.applied(&format!("db_{database}")), [1, 2]);
    }
}

/// `orchestrator all | less`, and nobody scrolls on: the pipe is full while a step is under way.
#[test]
fn a_reader_that_stops_reading_stops_nothing() {
    let server = Server::start();
    for (database, arguments) in [
        ("one", &["all", "-v"][..]),
        ("two", &["all", "--output", "json"][..]),
    ] {
        let services = Services::new();
        services
            .service(database, &[])
            .migration(
                1,
                "talkative",
                "DO $$ BEGIN FOR i IN 1..400 LOOP RAISE NOTICE '%', repeat('x', 1000); END LOOP; END $$",
            )
            .migration(2, "slow", "SELECT pg_sleep(60)");
        let orchestrator = Program::orchestrator(&server).services(&services);
        let child = orchestrator.start(arguments);
        let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        let lock = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
        // The run is not held up by what is not read.
        at_work(&server);
        assert_ne!(server.value("postgres", lock), "0");
        kill(pid, Signal::SIGINT).expect("a signal");
        kill(pid, Signal::SIGTERM).expect("a signal");
        wait_until("the end of the lock", || {
            server.value("postgres", lock) == "0"
        });
        assert_eq!(server.applied(&format!("db_{database}")), [1]);
        if database == "one" {
            // One more signal, and the program does not even wait for the reader.
            let mut child = child;
            let mut pause = 0;
            wait_until("the end of the program", || {
                pause += 1;
                if pause % 10 == 0 {
                    kill(pid, Signal::SIGINT).expect("a signal");
                }
                child.try_wait().expect("its state").is_some()
            });
            assert_eq!(Outcome::of(child).code, 130);
        } else {
            // A reader that goes on misses nothing.
            let outcome = Outcome::of(child);
            assert_eq!(outcome.code, 130, "{}", outcome.stderr);
            assert_eq!(outcome.events_of("run_finished").len(), 1);
            assert_eq!(outcome.events_of("server_notice").len(), 400);
        }
    }
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let services = Services::new();
    services
        .service("shop", &[])
        .migration(1, "first", "SELECT 1");
    let orchestrator = Program::named("orchestrator").services(&services);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut command = orchestrator.command(&["graph"]);
    command.stdout(full.expect("a full device"));
    let child = command.stderr(Stdio::piped()).spawn().expect("a program");
    let outcome = child.wait_with_output().expect("its end");
    assert_ne!(outcome.status.code(), Some(0));
    assert!(!outcome.stderr.is_empty());
}
