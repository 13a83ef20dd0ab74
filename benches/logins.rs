//! `cargo bench --bench logins`: what a login at kproxy (`SaslTermination`) costs beside the key derivation in it.
//!
//! A login by PLAIN derives the key of the password (PBKDF2), which is what guessing shall cost; all else of it, the
//! connection to kproxy and to the broker included, should be small beside that. With SCRAM the client derives, not kproxy.
//! Beside each kind of login stands a connection without one: one request and its answer through a cluster without filters.
//! What is compared is CPU time, measured in turn in one run: other work on the machine lowers the rates, not the ratios.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod common;

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Buf as _, Bytes};
use clap::Parser;
use common::contender::{kproxy_cluster, kproxy_command, kproxy_preamble};
use common::process::{Process, cpu_time, free_port, machine, whole_cpu_time};
use common::stats::Spread;
use data_encoding::BASE64;
use kafka_protocol::messages::{
    RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SyncGroupRequest,
};
use kafka_protocol::protocol::{Decodable as _, Encodable, HeaderVersion, Request, StrBytes};
use kproxy::sasl::{ScramHash, ScramVerifier};
use tempfile::TempDir;

/// Logins a second, and their CPU time in key derivations.
#[derive(Debug, Parser)]
struct Options {
    /// Rounds of each kind of login
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Length of a measured window in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2000)]
    window: u64,
    /// Clients that log in again and again at the same time
    #[arg(long, default_value_t = 8)]
    clients: usize,
    /// Rounds of the key derivation of each verifier
    #[arg(long, default_value = "4096")]
    iterations: NonZeroU32,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

const PASSWORD: &str = "bench-secret";
const SALT: &[u8] = b"0123456789abcdef";
const PATIENCE: Duration = Duration::from_secs(10);
/// Derivations that are measured at a time.
const DERIVATIONS: u32 = 200;

/// What logs in: by PLAIN, or by SCRAM.
#[derive(Clone, Copy, Debug)]
struct Login {
    is_plain: bool,
    /// Hash function of the user's verifier.
    hash: ScramHash,
    /// The key that a SCRAM client derives, once for all its logins.
    salted: &'static [u8],
}

fn main() -> Result<(), Box<dyn Error>> {
    if common::played_role()? {
        return Ok(());
    }
    let options = Options::parse();
    println!("{}", machine());
    let load = String::from_utf8(fs::read("/proc/loadavg")?)?;
    println!("{} iterations, load before: {}", options.iterations, load.trim());
    let directory = TempDir::new()?;
    let (_broker, broker) = Process::role(&["broker", "1"], None)?;
    let (kproxy, ports) = start(&directory, &broker, options.iterations)?;
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let salted = hash.salted(PASSWORD.as_bytes(), SALT, options.iterations).leak();
        for is_plain in [true, false] {
            let login = Login {
                is_plain,
                hash,
                salted,
            };
            measure(login, &options, kproxy.id(), ports)?;
        }
    }
    Ok(())
}

/// Ports of kproxy.
#[derive(Clone, Copy, Debug)]
struct Ports {
    /// Port of the cluster at which clients log in.
    login: u16,
    /// Port of the cluster without filters.
    open: u16,
}

/// kproxy in front of `broker`, with one user for each hash function.
fn start(directory: &TempDir, broker: &str, iterations: NonZeroU32) -> io::Result<(Process, Ports)> {
    let directory = directory.path();
    let users = [ScramHash::Sha256, ScramHash::Sha512].map(|hash| {
        let verifier = ScramVerifier::of_password(hash, PASSWORD, SALT, iterations);
        format!("{}:{verifier}\n", name(hash))
    });
    fs::write(directory.join("users"), users.concat())?;
    let ports = Ports {
        login: free_port()?,
        open: free_port()?,
    };
    let store = format!(
        "credentialStore: FileCredentialStore, credentialStoreConfig: {{file: {}/users}}",
        directory.display()
    );
    let mut text = format!(
        "filterDefinitions: [{{name: login, type: SaslTermination, config: {{mechanisms: [{{mechanism: PLAIN, allowPlaintext: \
         true, {store}}}, {{mechanism: SCRAM-SHA-256, {store}}}, {{mechanism: SCRAM-SHA-512, {store}}}]}}}}]\ndefaultFilters: \
         [login]\n{}",
        kproxy_preamble(None)
    );
    kproxy_cluster(&mut text, "bench", (ports.login, free_port()?), broker);
    kproxy_cluster(&mut text, "open", (ports.open, free_port()?), broker);
    text.push_str("    filters: []\n");
    let file = directory.join("kproxy.yaml");
    fs::write(&file, text)?;
    let mut command = kproxy_command(&file, directory, None);
    command
        .stdout(Stdio::null())
        .stderr(File::create(directory.join("log"))?);
    let mut process = Process::start(&mut command)?;
    process.wait_for_accept(SocketAddr::from((Ipv4Addr::LOCALHOST, ports.login)), PATIENCE)?;
    Ok((process, ports))
}

/// Derivations, connections and logins in turn, and what is printed of them.
fn measure(login: Login, options: &Options, pid: u32, ports: Ports) -> Result<(), Box<dyn Error>> {
    let (mut ratios, mut beyond, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    let (mut costs, mut connections, mut derivations) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds.max(1) {
        let derivation = derivation(login.hash, options.iterations)?;
        let (connection, _) = crowd(options, pid, move || connect(ports.open))?;
        let (cost, rate) = crowd(options, pid, move || login.run(ports.login))?;
        rates.push(rate);
        ratios.push(cost / derivation);
        beyond.push((cost - connection) / derivation);
        costs.push(cost * 1e6);
        connections.push(connection * 1e6);
        derivations.push(derivation * 1e6);
    }
    let mechanism = match login.is_plain {
        true => format!("PLAIN (verifier for {})", login.hash.mechanism()),
        false => login.hash.mechanism().to_owned(),
    };
    println!("{mechanism}: {} logins/s", spread(rates, 0));
    println!(
        "  CPU of kproxy for a login {} µs, for a connection without one {} µs, of a derivation {} µs",
        spread(costs, 0),
        spread(connections, 0),
        spread(derivations, 0)
    );
    println!(
        "  a login costs {} derivations, {} without the connection",
        spread(ratios, 2),
        spread(beyond, 2)
    );
    Ok(())
}

/// `MEDIAN [LOW–HIGH]`
fn spread(values: impl IntoIterator<Item = f64>, digits: usize) -> String {
    Spread::of(values).map_or_else(String::new, |Spread { median, low, high }| {
        format!("{median:.digits$} [{low:.digits$}–{high:.digits$}]")
    })
}

/// Seconds of CPU time of one key derivation, as kproxy does it.
fn derivation(hash: ScramHash, iterations: NonZeroU32) -> io::Result<f64> {
    let pid = std::process::id();
    let before = cpu_time(pid)?;
    for _ in 0..DERIVATIONS {
        std::hint::black_box(hash.salted(PASSWORD.as_bytes(), SALT, iterations));
    }
    Ok((cpu_time(pid)? - before).as_secs_f64() / f64::from(DERIVATIONS))
}

/// Works from many threads at a time for as long as the window; seconds of kproxy's CPU time each time, and times a second.
fn crowd(
    options: &Options,
    pid: u32,
    work: impl Fn() -> io::Result<()> + Copy + Send + 'static,
) -> io::Result<(f64, f64)> {
    let (begun, before) = (Instant::now(), whole_cpu_time(pid)?);
    let end = begun + Duration::from_millis(options.window);
    let client = move || {
        let mut times = 0;
        while times == 0 || Instant::now() < end {
            work()?;
            times += 1;
        }
        Ok(times)
    };
    let clients: Vec<_> = (0..options.clients.max(1))
        .map(|_| thread::spawn(client))
        .collect();
    let join = |client: thread::JoinHandle<io::Result<usize>>| {
        let ended = client.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("a client panicked")))
    };
    let times: usize = clients.into_iter().map(join).sum::<io::Result<_>>()?;
    let cost = (whole_cpu_time(pid)? - before).as_secs_f64() / times as f64;
    Ok((cost, times as f64 / begun.elapsed().as_secs_f64()))
}

/// One connection with one request and its answer.
fn connect(port: u16) -> io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    call(&mut stream, 3, &SyncGroupRequest::default()).map(drop)
}

impl Login {
    /// One connection that logs in and ends.
    fn run(self, port: u16) -> io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        let mechanism = match self.is_plain {
            true => "PLAIN",
            false => self.hash.mechanism(),
        };
        let mechanism = StrBytes::from_static_str(mechanism);
        let handshake = SaslHandshakeRequest::default().with_mechanism(mechanism);
        // The error code comes first in the answer.
        if call(&mut stream, 1, &handshake)?.get_i16() != 0 {
            return Err(io::Error::other("the mechanism is not offered"));
        }
        if self.is_plain {
            authenticate(&mut stream, &format!("\0{}\0{PASSWORD}", name(self.hash)))?;
            return Ok(());
        }
        let first = format!("n={},r=clientnonce", name(self.hash));
        let challenge = authenticate(&mut stream, &format!("n,,{first}"))?;
        authenticate(&mut stream, &self.proof(&first, &challenge))?;
        Ok(())
    }

    /// The last message of a SCRAM client (RFC 5802 §3).
    fn proof(self, first: &str, challenge: &str) -> String {
        let nonce = challenge.split(',').next().unwrap_or_default();
        let without_proof = format!("c=biws,{nonce}");
        let signed = format!("{first},{challenge},{without_proof}");
        let key = self.hash.hmac(self.salted, b"Client Key");
        let signature = self.hash.hmac(&self.hash.digest(&key), signed.as_bytes());
        let proof: Vec<u8> = key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        format!("{without_proof},p={}", BASE64.encode(&proof))
    }
}

fn name(hash: ScramHash) -> &'static str {
    match hash {
        ScramHash::Sha256 => "bench-256",
        ScramHash::Sha512 => "bench-512",
    }
}

/// The server's message in the answer to `token`.
fn authenticate(stream: &mut TcpStream, token: &str) -> io::Result<String> {
    let token = Bytes::copy_from_slice(token.as_bytes());
    let mut answer = call(
        stream,
        1,
        &SaslAuthenticateRequest::default().with_auth_bytes(token),
    )?;
    let answer = SaslAuthenticateResponse::decode(&mut answer, 1).map_err(io::Error::other)?;
    if answer.error_code != 0 {
        return Err(io::Error::other(format!("refused: {:?}", answer.error_message)));
    }
    String::from_utf8(answer.auth_bytes.to_vec()).map_err(io::Error::other)
}

/// The body of the answer.
fn call<R: Request + HeaderVersion>(stream: &mut TcpStream, version: i16, body: &R) -> io::Result<Bytes> {
    let header = RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(version);
    let mut frame = vec![0; 4];
    encode(&mut frame, &header, R::header_version(version))?;
    encode(&mut frame, body, version)?;
    let size = u32::try_from(frame.len() - 4).map_err(io::Error::other)?;
    frame[..4].copy_from_slice(&size.to_be_bytes());
    stream.write_all(&frame)?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; u32::from_be_bytes(size) as usize];
    stream.read_exact(&mut answer)?;
    let mut answer = Bytes::from(answer);
    let version = R::Response::header_version(version);
    ResponseHeader::decode(&mut answer, version).map_err(io::Error::other)?;
    Ok(answer)
}

fn encode<E: Encodable>(frame: &mut Vec<u8>, message: &E, version: i16) -> io::Result<()> {
    message.encode(frame, version).map_err(io::Error::other)
}
