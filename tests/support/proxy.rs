//! A proxy between a program and a server that stops at a chosen point of their conversation.
//!
//! It follows just enough of the protocol to number the requests of each connection: the startup is request 0, every
//! simple query and every `Sync` after it is one more. At the point for which it is armed it holds that connection, in
//! both directions, and the test does its harm.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::{Running, Server};

const CANCEL_REQUEST: u32 = 80_877_102;
/// How the `application_name` of a session ends that observes another one.
const OBSERVER: &str = " observer";
const POLL: Duration = Duration::from_millis(20);

/// Which request, whatever the order in which the connections are opened: `db_shop.1.17` is the seventeenth request of the
/// first connection to `db_shop`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The database of the startup message; of a scratch database, or one that is being restored, `*` stands for its number.
    pub database: String,
    /// The connections to that database, from 1. Those that observe a slow request are counted by themselves: they come only
    /// when the machine is busy.
    pub connection: usize,
    /// The requests of that connection; 0 is its startup.
    pub request: usize,
}

/// On which side of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// It has not been passed to the server.
    Before,
    /// The server has answered, and the answer has not been passed on.
    After,
}

/// One request, as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which one.
    pub place: Place,
    /// Its SQL; of several messages in one request all of it.
    pub sql: String,
}

/// What is held.
#[derive(Clone, Debug)]
pub struct Reached {
    /// The request.
    pub request: Request,
    /// The server process, once the server has told it.
    pub pid: Option<i32>,
}

/// A proxy before a server; ends with its test.
pub struct Proxy {
    port: u16,
    login: String,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one that only writes down what it sees.
    pub fn start(server: &Server) -> Self {
        Self::armed(server, None)
    }

    /// Starts one that stops at a point.
    pub fn at(server: &Server, place: &Place, side: Side) -> Self {
        Self::armed(server, Some((Aim::Place(place.clone()), side)))
    }

    /// Starts one that stops at the first request with these words, wherever that comes: a busy machine, and what is asked now
    /// and then, change the numbers of requests.
    pub fn at_sql(server: &Server, words: &str, side: Side) -> Self {
        Self::armed(server, Some((Aim::Sql(words.to_owned()), side)))
    }

    /// Starts one that stops before the first request with these words that comes after a statement.
    pub fn at_sql_after(server: &Server, statement: &str, words: &str) -> Self {
        let aim = Aim::SqlAfter {
            statement: statement.to_owned(),
            words: words.to_owned(),
        };
        Self::armed(server, Some((aim, Side::Before)))
    }

    fn armed(server: &Server, armed: Option<(Aim, Side)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            server: server.cluster().port(),
            state: Mutex::new(State {
                armed,
                ..State::default()
            }),
            changed: Condvar::new(),
        });
        let url = server.url("postgres");
        let login = url
            .split_once("://")
            .and_then(|(_, rest)| rest.rsplit_once('@'))
            .map(|(login, _)| login.to_owned())
            .expect("user:password@host:port/database");
        let accepting = Arc::clone(&shared);
        Self {
            port,
            login,
            shared,
            acceptor: Some(std::thread::spawn(move || accepting.accept(&listener))),
        }
    }

    /// The URL of a database through it.
    pub fn url(&self, database: &str) -> String {
        format!(
            "postgresql://{}@127.0.0.1:{}/{database}?sslmode=disable",
            self.login, self.port
        )
    }

    /// Every request so far, by connection, but for those of observers.
    pub fn requests(&self) -> Vec<Request> {
        let mut requests = self.shared.state().requests.clone();
        requests.retain(|it| !it.place.database.ends_with(OBSERVER));
        requests.sort_by(|one, other| one.place.cmp(&other.place));
        requests
    }

    /// Waits for the point; `None` when the program ended before that.
    pub fn wait_until_reached(&self, program: &mut Running) -> Option<Reached> {
        loop {
            let ended = program.has_ended();
            let state = self.shared.state();
            if state.reached.is_some() || ended {
                return state.reached.clone();
            }
            drop(
                self.shared
                    .changed
                    .wait_timeout(state, POLL)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    /// Holds the connection of the point again, wherever it is by now.
    pub fn hold(&self) {
        let mut state = self.shared.state();
        if let Some(link) = state.struck {
            state.held = Held::One(link);
        }
    }

    /// Passes on what was held.
    pub fn release(&self) {
        let mut state = self.shared.state();
        state.held = Held::Nothing;
        self.shared.changed.notify_all();
    }

    /// Ends the connection of the point: neither end gets what was under way.
    pub fn cut(&self) {
        let mut state = self.shared.state();
        if let Some(link) = state.struck {
            state.close(link);
        }
        state.held = Held::Nothing;
        self.shared.changed.notify_all();
    }

    /// Ends all connections, and every new one at once.
    pub fn cut_for_good(&self) {
        let mut state = self.shared.state();
        state.dead = true;
        state.held = Held::Nothing;
        let links: Vec<usize> = state.links.keys().copied().collect();
        for link in links {
            state.close(link);
        }
        self.shared.changed.notify_all();
    }

    /// Passes on nothing at all, on no connection.
    pub fn hold_all(&self) {
        self.shared.state().held = Held::All;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut_for_good();
        self.shared.state().ending = true;
        // Wakes the acceptor; where that fails it has ended already.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.database, self.connection, self.request)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text} is no place such as db_shop.1.17");
        let mut parts = text.split('.');
        let (Some(database), Some(connection), Some(request), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        Ok(Self {
            database: database.to_owned(),
            connection: connection.parse().map_err(|_| wrong())?,
            request: request.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before",
            Self::After => "after",
        })
    }
}

/// `db_shop_restoring_*` of `db_shop_restoring_8525b930`.
fn without_number(database: &str) -> String {
    let is_number = |word: &&str| word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = database
        .split('_')
        .map(|word| if is_number(&word) { "*" } else { word });
    words.collect::<Vec<_>>().join("_")
}

/// At which request it stops.
#[derive(Debug)]
enum Aim {
    Place(Place),
    Sql(String),
    SqlAfter { statement: String, words: String },
}

impl Aim {
    fn is(&self, request: &Request) -> bool {
        match self {
            Self::Place(place) => *place == request.place,
            Self::Sql(words) => request.sql.contains(words.as_str()),
            Self::SqlAfter { .. } => false,
        }
    }
}

struct Shared {
    server: u16,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    armed: Option<(Aim, Side)>,
    reached: Option<Reached>,
    /// The connection of the point.
    struck: Option<usize>,
    held: Held,
    /// Nothing passes any more.
    dead: bool,
    /// The test is over.
    ending: bool,
    requests: Vec<Request>,
    /// Connections so far, by database.
    opened: BTreeMap<String, usize>,
    accepted: usize,
    /// Both sockets of each open connection.
    links: BTreeMap<usize, [TcpStream; 2]>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Held {
    #[default]
    Nothing,
    One(usize),
    All,
}

impl State {
    fn close(&mut self, link: usize) {
        for socket in self.links.remove(&link).into_iter().flatten() {
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// One connection through the proxy.
struct Link {
    id: usize,
    database: String,
    connection: usize,
    /// Requests that the server has and has not answered.
    waiting: Mutex<VecDeque<Request>>,
    pid: Mutex<Option<i32>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        while let Ok((client, _)) = listener.accept() {
            let mut state = self.state();
            if state.ending {
                return;
            }
            if state.dead {
                continue;
            }
            state.accepted += 1;
            let id = state.accepted;
            drop(state);
            let shared = Arc::clone(&self);
            std::thread::spawn(move || {
                // Either end may close at any time: that is what the tests are about.
                let _ = shared.serve(id, client);
                shared.state().close(id);
            });
        }
    }

    fn serve(self: &Arc<Self>, id: usize, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut from_client = BufReader::new(client.try_clone()?);
        let startup = read_startup(&mut from_client)?;
        let server = TcpStream::connect(("127.0.0.1", self.server))?;
        server.set_nodelay(true)?;
        let link = {
            let mut state = self.state();
            if state.dead {
                return Ok(());
            }
            state
                .links
                .insert(id, [client.try_clone()?, server.try_clone()?]);
            let database = parameter(&startup, "database").unwrap_or_default();
            let mut database = without_number(&database);
            if parameter(&startup, "application_name").is_some_and(|name| name.ends_with(OBSERVER))
            {
                database.push_str(OBSERVER);
            }
            if is_cancel_request(&startup) {
                None
            } else {
                let opened = state.opened.entry(database.clone()).or_default();
                *opened += 1;
                Some(Arc::new(Link {
                    id,
                    database,
                    connection: *opened,
                    waiting: Mutex::default(),
                    pid: Mutex::default(),
                }))
            }
        };
        let Some(link) = link else {
            return self.pass_on(id, &startup, &server);
        };
        let shared = Arc::clone(self);
        let answers = {
            let (link, server, client) = (Arc::clone(&link), server.try_clone()?, client);
            std::thread::spawn(move || {
                let _ = shared.answers(&link, BufReader::new(server), &client);
                // Whatever the server still has to say is said.
                let _ = client.shutdown(Shutdown::Both);
            })
        };
        let asked = self.requests(&link, startup, from_client, &server);
        // The server notices that its client is gone.
        let _ = server.shutdown(Shutdown::Write);
        let _ = answers.join();
        asked
    }

    /// A cancel request: a few bytes one way, and the end.
    fn pass_on(&self, id: usize, startup: &[u8], mut server: &TcpStream) -> io::Result<()> {
        self.wait_while_held(id)?;
        server.write_all(startup)?;
        // The server answers with the end of the connection.
        io::copy(&mut server, &mut io::sink()).map(drop)
    }

    fn requests(
        &self,
        link: &Link,
        startup: Vec<u8>,
        mut client: BufReader<TcpStream>,
        mut server: &TcpStream,
    ) -> io::Result<()> {
        let mut number = 0;
        let mut sql = "startup".to_owned();
        let mut message = startup;
        loop {
            let request = Request {
                place: Place {
                    database: link.database.clone(),
                    connection: link.connection,
                    request: number,
                },
                sql: std::mem::take(&mut sql),
            };
            self.state().requests.push(request.clone());
            self.reach(link, &request, Side::Before);
            link.waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(request);
            self.wait_while_held(link.id)?;
            server.write_all(&message)?;
            message.clear();
            loop {
                let frame = read_frame(&mut client)?;
                match frame.first() {
                    Some(b'Q') => sql = text(&frame[5..]),
                    Some(b'P') => {
                        // The name of the statement stands before its text.
                        let name = frame[5..].iter().position(|byte| *byte == 0);
                        let statement = text(&frame[5 + name.map_or(0, |end| end + 1)..]);
                        sql = [sql, statement].join(" ").trim().to_owned();
                    }
                    _ => {}
                }
                message.extend(&frame);
                match frame.first() {
                    Some(b'Q' | b'S') => break,
                    // They go with the Sync behind them, so that a request is passed as a whole.
                    Some(b'P' | b'B' | b'D' | b'E' | b'C') => {}
                    _ => {
                        self.wait_while_held(link.id)?;
                        server.write_all(&message)?;
                        message.clear();
                    }
                }
            }
            number += 1;
        }
    }

    fn answers(
        &self,
        link: &Link,
        mut server: BufReader<TcpStream>,
        mut client: &TcpStream,
    ) -> io::Result<()> {
        let mut answer = Vec::new();
        while let Ok(frame) = read_frame(&mut server) {
            answer.extend(&frame);
            match (frame.first(), frame.get(5..9)) {
                (Some(b'K'), Some(pid)) => {
                    let pid = pid.try_into().map(i32::from_be_bytes).ok();
                    *link.pid.lock().unwrap_or_else(PoisonError::into_inner) = pid;
                    continue;
                }
                (Some(b'Z'), _) => self.answered(link),
                // The client has to reply to these before the answer is whole; "authentication ok" is none of them.
                (Some(b'R'), Some(kind)) if kind != [0; 4] => {}
                (Some(b'G' | b'W'), _) => {}
                _ => continue,
            }
            self.wait_while_held(link.id)?;
            client.write_all(&answer)?;
            answer.clear();
        }
        if !answer.is_empty() {
            self.answered(link);
        }
        self.wait_while_held(link.id)?;
        client.write_all(&answer)
    }

    fn answered(&self, link: &Link) {
        let request = link
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        if let Some(request) = request {
            self.reach(link, &request, Side::After);
        }
    }

    fn reach(&self, link: &Link, request: &Request, side: Side) {
        let mut state = self.state();
        if let Some((aim, _)) = &mut state.armed
            && let Aim::SqlAfter { statement, words } = aim
            && request.sql.contains(statement.as_str())
        {
            *aim = Aim::Sql(std::mem::take(words));
            return;
        }
        let here = |(aim, armed): &(Aim, Side)| *armed == side && aim.is(request);
        if state.armed.as_ref().is_some_and(here) {
            state.armed = None;
            state.held = Held::One(link.id);
            state.struck = Some(link.id);
            state.reached = Some(Reached {
                request: request.clone(),
                pid: *link.pid.lock().unwrap_or_else(PoisonError::into_inner),
            });
            self.changed.notify_all();
        }
    }

    fn wait_while_held(&self, link: usize) -> io::Result<()> {
        let holds = |state: &mut State| {
            state.links.contains_key(&link)
                && (state.held == Held::All || state.held == Held::One(link))
        };
        let state = self
            .changed
            .wait_while(self.state(), holds)
            .unwrap_or_else(PoisonError::into_inner);
        if state.links.contains_key(&link) {
            Ok(())
        } else {
            Err(io::ErrorKind::ConnectionAborted.into())
        }
    }
}

fn read_startup(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    from.read_exact(&mut message)?;
    read_body(from, message, 0)
}

fn read_frame(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message)?;
    read_body(from, message, 1)
}

/// Reads what the length at `offset` of a message announces.
fn read_body(from: &mut impl Read, mut message: Vec<u8>, offset: usize) -> io::Result<Vec<u8>> {
    let length = number_at(&message, offset) as usize;
    let begun = message.len();
    message.resize((offset + length).max(begun), 0);
    from.read_exact(&mut message[begun..])?;
    Ok(message)
}

fn number_at(message: &[u8], offset: usize) -> u32 {
    message
        .get(offset..offset + 4)
        .and_then(|bytes| bytes.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

fn is_cancel_request(startup: &[u8]) -> bool {
    number_at(startup, 4) == CANCEL_REQUEST
}

/// A parameter of a startup message.
fn parameter(startup: &[u8], name: &str) -> Option<String> {
    let parameters: Vec<&[u8]> = startup
        .get(8..)
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .collect();
    parameters.chunks(2).find_map(|pair| match pair {
        [key, value] if *key == name.as_bytes() => {
            Some(String::from_utf8_lossy(value).into_owned())
        }
        _ => None,
    })
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let bytes = &bytes[..end.unwrap_or(bytes.len())];
    String::from_utf8_lossy(bytes)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
