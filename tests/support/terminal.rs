//! A program on a terminal of its own, as a user sits at it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, OutputFlags, tcgetattr};
use nix::unistd::Pid;

use crate::{Program, wait_until};

/// What a keyboard sends for Ctrl-C and Ctrl-Z.
pub const CTRL_C: &str = "\u{3}";
/// As above.
pub const CTRL_Z: &str = "\u{1a}";

/// Milliseconds between two looks whether the terminal is to go away.
const LOOK: u16 = 50;

/// Rows and columns.
const SIZE: [&str; 4] = ["rows", "30", "cols", "120"];

/// A program under way on a terminal; ends with its test.
pub struct Terminal {
    child: Child,
    keyboard: Option<File>,
    screen: Arc<Mutex<String>>,
    hung_up: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

/// How a terminal is set.
#[derive(Debug, PartialEq, Eq)]
pub struct TerminalMode {
    local: LocalFlags,
    output: OutputFlags,
}

impl Program {
    /// Starts it as the one program of a terminal: its session's leader, in the foreground.
    pub fn at_terminal(&self, arguments: &[&str]) -> Terminal {
        Terminal::run(&self.command(arguments))
    }

    /// Starts a shell on a terminal, in which the program can be started, stopped and continued.
    pub fn shell_at_terminal(&self) -> Terminal {
        let program = self.command::<&str>(&[]);
        let mut shell = Command::new("bash");
        shell.args(["--norc", "--noprofile", "-i"]);
        shell.env_clear().current_dir(self.folder());
        for (name, value) in program.get_envs() {
            if let Some(value) = value {
                shell.env(name, value);
            }
        }
        Terminal::run(&shell)
    }
}

impl Terminal {
    fn run(program: &Command) -> Self {
        let (master, slave) = open_terminal();
        let mut command = Command::new("setsid");
        command
            .args(["--ctty", "--wait"])
            // What started the tests may ignore a signal, and its children would do so, too.
            .args(["env", "--default-signal=HUP"])
            .arg(program.get_program())
            .args(program.get_args())
            .env_clear()
            .env("TERM", "xterm-256color");
        for (name, value) in program.get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        if let Some(folder) = program.get_current_dir() {
            command.current_dir(folder);
        }
        let end = |fd: &File| Stdio::from(fd.try_clone().expect("a handle"));
        let child = command
            .stdin(end(&slave))
            .stdout(end(&slave))
            .stderr(end(&slave))
            .spawn()
            .expect("the program starts on a terminal");
        let screen = Arc::new(Mutex::new(String::new()));
        let mut output = master.try_clone().expect("a handle");
        let sink = Arc::clone(&screen);
        let hung_up = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&hung_up);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let mut watched = [PollFd::new(output.as_fd(), PollFlags::POLLIN)];
                let ready = poll(&mut watched, LOOK).is_ok_and(|ready| ready > 0);
                if !ready && ended.load(Ordering::Relaxed) {
                    break;
                }
                if !ready {
                    continue;
                }
                // The last program to leave a terminal ends it with an error.
                let Ok(read @ 1..) = output.read(&mut buffer) else {
                    break;
                };
                sink.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        Self {
            child,
            keyboard: Some(master),
            screen,
            hung_up,
            reader: Some(reader),
        }
    }

    /// Everything that was ever written to the screen.
    pub fn written(&self) -> String {
        self.screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Waits until a text was written.
    #[track_caller]
    pub fn wait_for_text(&self, text: &str) {
        let seen = || self.written().contains(text);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !seen() {
            assert!(Instant::now() < deadline, "no {text:?}: {}", self.written());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Types.
    pub fn type_keys(&mut self, keys: &str) {
        let keyboard = self.keyboard.as_mut().expect("not hung up");
        keyboard
            .write_all(keys.as_bytes())
            .expect("the terminal takes keys");
    }

    /// How the terminal is set at this moment.
    pub fn mode(&self) -> TerminalMode {
        let keyboard = self.keyboard.as_ref().expect("not hung up");
        let mode = tcgetattr(keyboard).expect("a terminal has a mode");
        TerminalMode {
            local: mode.local_flags,
            output: mode.output_flags,
        }
    }

    /// Takes the terminal away, as when the connection to a remote machine is lost.
    pub fn hang_up(&mut self) {
        self.hung_up.store(true, Ordering::Relaxed);
        self.keyboard = None;
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the screen was read");
        }
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        // A process that has ended takes no signal, which is for the test's expectations to notice.
        let _ = kill(pid, signal);
    }

    /// Waits for the program's end; gives its exit code, -1 when a signal ended it.
    #[track_caller]
    pub fn end(&mut self) -> i32 {
        let mut code = None;
        wait_until("the program on the terminal ends", || {
            code = self.child.try_wait().expect("a child");
            code.is_some()
        });
        code.and_then(|status| status.code()).unwrap_or(-1)
    }
}

/// Both ends, which no program inherits unasked: whoever holds the master's keeps the terminal from going away.
fn open_terminal() -> (File, File) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).expect("a terminal");
    grantpt(&master).expect("the other end is ours");
    unlockpt(&master).expect("the other end may be opened");
    let name = ptsname_r(&master).expect("the other end has a name");
    let slave = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlag::O_NOCTTY.bits())
        .open(name)
        .expect("the other end");
    let sized = Command::new("stty")
        .args(SIZE)
        .stdin(slave.try_clone().expect("a handle"))
        .status()
        .expect("stty runs");
    assert!(sized.success(), "the terminal has a size");
    (File::from(OwnedFd::from(master)), slave)
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that fails leaves nothing behind; one that succeeded has waited for the end already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.hung_up.store(true, Ordering::Relaxed);
    }
}
