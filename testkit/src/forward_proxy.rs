//! Forward proxies, SOCKS5 and CONNECT of HTTP: they know names that no resolver knows, and remember what they were asked for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use data_encoding::BASE64;

use super::broker::{Broker, Connection};

/// A forward proxy that runs. Dropping it closes everything.
pub struct TestForwardProxy {
    broker: Broker,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    names: Mutex<BTreeMap<String, SocketAddr>>,
    /// Without them everybody may.
    credentials: Mutex<Option<(String, String)>>,
    asked: Mutex<Vec<String>>,
    authenticated: Mutex<Vec<String>>,
    answer: Mutex<Option<Vec<u8>>>,
    early: Mutex<Vec<u8>>,
}

impl TestForwardProxy {
    /// SOCKS version 5.
    pub fn socks5() -> Self {
        Self::on(listener(), socks5)
    }

    /// CONNECT of HTTP.
    pub fn http() -> Self {
        Self::on(listener(), http)
    }

    fn on(listener: TcpListener, serve: fn(&State, &mut Connection) -> Option<TcpStream>) -> Self {
        let state = Arc::<State>::default();
        let served = Arc::clone(&state);
        let broker = Broker::on(listener, move |mut connection| {
            if let Some(upstream) = serve(&served, &mut connection) {
                relay(&connection.stream, &upstream);
            }
            connection.close();
        });
        Self { broker, state }
    }

    pub fn address(&self) -> SocketAddr {
        self.broker.address
    }

    /// `name:port` leads to an address.
    #[must_use]
    pub fn knowing(self, name: &str, address: SocketAddr) -> Self {
        let name = format!("{name}:{}", address.port());
        self.state.names.lock().unwrap().insert(name, address);
        self
    }

    /// Only who shows these credentials is served, from now on.
    pub fn demand(&self, user: &str, password: &str) {
        *self.state.credentials.lock().unwrap() = Some((user.to_owned(), password.to_owned()));
    }

    /// Every request for a connection is answered with these bytes, and the connection closed.
    pub fn answer(&self, bytes: &[u8]) {
        *self.state.answer.lock().unwrap() = Some(bytes.to_owned());
    }

    /// These bytes follow the answer at once, as if the broker had spoken first.
    pub fn follow_up(&self, bytes: &[u8]) {
        bytes.clone_into(&mut self.state.early.lock().unwrap());
    }

    /// What connections were asked for to, as `host:port`.
    pub fn asked(&self) -> Vec<String> {
        self.state.asked.lock().unwrap().clone()
    }

    /// Users who have shown the right credentials.
    pub fn authenticated(&self) -> Vec<String> {
        self.state.authenticated.lock().unwrap().clone()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.broker.connections()
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

impl State {
    fn may(&self, user: &str, password: &str) -> bool {
        let credentials = self.credentials.lock().unwrap();
        let demanded = credentials.as_ref();
        let may = demanded.is_none_or(|(right_user, right)| right_user == user && right == password);
        if may {
            self.authenticated.lock().unwrap().push(user.to_owned());
        }
        may
    }

    fn demands(&self) -> bool {
        self.credentials.lock().unwrap().is_some()
    }

    /// The connection to a broker, or whether its name is known at all.
    fn connect(&self, authority: &str) -> Result<TcpStream, bool> {
        self.asked.lock().unwrap().push(authority.to_owned());
        let known = self.names.lock().unwrap().get(authority).copied();
        let address = known.or_else(|| authority.parse().ok()).ok_or(false)?;
        TcpStream::connect(address).map_err(|_| true)
    }
}

fn relay(client: &TcpStream, broker: &TcpStream) {
    let (mut from_client, mut to_broker) = (client.try_clone().unwrap(), broker.try_clone().unwrap());
    let forth = thread::spawn(move || {
        drop(std::io::copy(&mut from_client, &mut to_broker));
        drop(to_broker.shutdown(Shutdown::Write));
    });
    let (mut from_broker, mut to_client) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
    drop(std::io::copy(&mut from_broker, &mut to_client));
    drop(to_client.shutdown(Shutdown::Write));
    drop(forth.join());
}

fn socks5(state: &State, connection: &mut Connection) -> Option<TcpStream> {
    let mut stream = &*connection.stream;
    let mut bytes = |count: usize| {
        let mut read = vec![0; count];
        stream.read_exact(&mut read).ok().map(|()| read)
    };
    let head = bytes(2)?;
    let methods = bytes(head[1].into())?;
    let method = if state.demands() { 2 } else { 0 };
    if head[0] != 5 || !methods.contains(&method) {
        (&*connection.stream).write_all(&[5, 0xff]).ok()?;
        return None;
    }
    (&*connection.stream).write_all(&[5, method]).ok()?;
    if method == 2 {
        let len = bytes(2)?[1];
        let user = String::from_utf8(bytes(len.into())?).ok()?;
        let len = bytes(1)?[0];
        let password = String::from_utf8(bytes(len.into())?).ok()?;
        let may = state.may(&user, &password);
        (&*connection.stream).write_all(&[1, u8::from(!may)]).ok()?;
        if !may {
            return None;
        }
    }
    let request = bytes(4)?;
    let host = match request[3] {
        1 => Ipv4Addr::from(<[u8; 4]>::try_from(bytes(4)?).ok()?).to_string(),
        4 => format!("[{}]", Ipv6Addr::from(<[u8; 16]>::try_from(bytes(16)?).ok()?)),
        _ => {
            let len = bytes(1)?[0];
            String::from_utf8(bytes(len.into())?).ok()?
        }
    };
    let port = bytes(2)?;
    let authority = format!("{host}:{}", u16::from_be_bytes([port[0], port[1]]));
    let connected = state.connect(&authority);
    if let Some(answer) = &*state.answer.lock().unwrap() {
        (&*connection.stream).write_all(answer).ok()?;
        return None;
    }
    let (reply, upstream) = match connected {
        Ok(upstream) => (0, Some(upstream)),
        Err(is_known) => (if is_known { 5 } else { 4 }, None),
    };
    // An address by name, which few send.
    let mut answer = vec![5, reply, 0, 3, 4];
    answer.extend_from_slice(b"here\0\0");
    if reply == 0 {
        answer.extend_from_slice(&state.early.lock().unwrap());
    }
    (&*connection.stream).write_all(&answer).ok()?;
    upstream
}

fn http(state: &State, connection: &mut Connection) -> Option<TcpStream> {
    // Nobody sends anything behind the head before it is answered.
    let mut lines = BufReader::new(&*connection.stream).lines().map_while(Result::ok);
    let request = lines.next()?;
    let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let authority = request
        .strip_prefix("CONNECT ")?
        .strip_suffix(" HTTP/1.1")?
        .to_owned();
    assert!(headers.contains(&format!("Host: {authority}")), "{headers:?}");
    let shown = headers
        .iter()
        .find_map(|header| header.strip_prefix("Proxy-Authorization: Basic "))
        .and_then(|basic| String::from_utf8(BASE64.decode(basic.as_bytes()).ok()?).ok());
    let (user, password) = shown
        .as_deref()
        .and_then(|pair| pair.split_once(':'))
        .unwrap_or_default();
    let mut stream = &*connection.stream;
    if state.demands() && !state.may(user, password) {
        stream
            .write_all(
                b"HTTP/1.1 407 No\r\nProxy-Authenticate: Basic realm=\"kproxy\"\r\nContent-Length: 0\r\n\r\n",
            )
            .ok()?;
        return None;
    }
    let connected = state.connect(&authority);
    if let Some(answer) = &*state.answer.lock().unwrap() {
        stream.write_all(answer).ok()?;
        return None;
    }
    let (status, upstream) = match connected {
        Ok(upstream) => ("200 Connection established", Some(upstream)),
        Err(is_known) => (if is_known { "503 Refused" } else { "502 Unknown" }, None),
    };
    let mut answer = format!("HTTP/1.1 {status}\r\nVia: test\r\n\r\n").into_bytes();
    if upstream.is_some() {
        answer.extend_from_slice(&state.early.lock().unwrap());
    }
    stream.write_all(&answer).ok()?;
    upstream
}
