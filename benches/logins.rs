//! `cargo bench --bench logins`: what a login at kproxy (`SaslTermination`) costs beside the key derivation in it.
//!
//! A login by PLAIN derives the key of the password (PBKDF2), which is what guessing shall cost; all else of it, the
//! connection to kproxy and to the broker included, should be small beside that. With SCRAM the client derives, not kproxy.
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
use common::process::{Process, cpu_time, free_port, machine};
use common::stats::Spread;
use data_encoding::BASE64;
use kafka_protocol::messages::{
    RequestHeader, ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
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
    let (kproxy, port) = start(&directory, &broker, options.iterations)?;
    for hash in [ScramHash::Sha256, ScramHash::Sha512] {
        let salted = hash.salted(PASSWORD.as_bytes(), SALT, options.iterations).leak();
        for is_plain in [true, false] {
            let login = Login {
                is_plain,
                hash,
                salted,
            };
            measure(login, &options, kproxy.id(), port)?;
        }
    }
    Ok(())
}

/// kproxy in front of `broker`, with one user for each hash function; its port.
fn start(directory: &TempDir, broker: &str, iterations: NonZeroU32) -> io::Result<(Process, u16)> {
    let directory = directory.path();
    let users = [ScramHash::Sha256, ScramHash::Sha512].map(|hash| {
        let verifier = ScramVerifier::of_password(hash, PASSWORD, SALT, iterations);
        format!("{}:{verifier}\n", name(hash))
    });
    fs::write(directory.join("users"), users.concat())?;
    let port = free_port()?;
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
    kproxy_cluster(&mut text, "bench", (port, free_port()?), broker);
    let file = directory.join("kproxy.yaml");
    fs::write(&file, text)?;
    let mut command = kproxy_command(&file, directory, None);
    command
        .stdout(Stdio::null())
        .stderr(File::create(directory.join("log"))?);
    let mut process = Process::start(&mut command)?;
    process.wait_for_accept(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), PATIENCE)?;
    Ok((process, port))
}

/// Derivations and logins in turn, and what is printed of them.
fn measure(login: Login, options: &Options, pid: u32, port: u16) -> Result<(), Box<dyn Error>> {
    let window = Duration::from_millis(options.window);
    let (mut ratios, mut rates) = (Vec::new(), Vec::new());
    let (mut costs, mut derivations) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds.max(1) {
        let derivation = derivation(login.hash, options.iterations)?;
        let (begun, before) = (Instant::now(), cpu_time(pid)?);
        let logins = crowd(login, options.clients, window, port)?;
        let cost = (cpu_time(pid)? - before).as_secs_f64() / logins as f64;
        rates.push(logins as f64 / begun.elapsed().as_secs_f64());
        ratios.push(cost / derivation);
        costs.push(cost * 1e6);
        derivations.push(derivation * 1e6);
    }
    let mechanism = match login.is_plain {
        true => format!("PLAIN (verifier for {})", login.hash.mechanism()),
        false => login.hash.mechanism().to_owned(),
    };
    println!("{mechanism}: {} logins/s", spread(rates, 0));
    println!(
        "  CPU of kproxy for a login {} µs, of a derivation {} µs",
        spread(costs, 0),
        spread(derivations, 0)
    );
    println!(
        "  a login costs {} derivations",
        spread(ratios.iter().copied(), 2)
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

/// Logs in from many connections at a time for as long as `window`; the number of logins.
fn crowd(login: Login, clients: usize, window: Duration, port: u16) -> io::Result<usize> {
    let end = Instant::now() + window;
    let client = move || {
        let mut logins = 0;
        while logins == 0 || Instant::now() < end {
            login.run(port)?;
            logins += 1;
        }
        Ok(logins)
    };
    let clients: Vec<_> = (0..clients.max(1)).map(|_| thread::spawn(client)).collect();
    let join = |client: thread::JoinHandle<io::Result<usize>>| {
        let ended = client.join();
        ended.unwrap_or_else(|_| Err(io::Error::other("a client panicked")))
    };
    clients.into_iter().map(join).sum()
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
