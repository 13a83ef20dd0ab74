//! A running kproxy with a user of the control socket and an owner of the token.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use testkit::command::{Ran, run};
use testkit::running::{LOUD, Running, local, ports};

/// Content of the token file.
const TOKEN: &str = "secret";

/// A kproxy that can be asked over the control socket, and by HTTP with a token.
pub(super) struct Approved {
    pub(super) running: Running,
    http: SocketAddr,
}

impl Approved {
    /// Runs these clusters; `reload` are keys of `reload`.
    #[track_caller]
    pub(super) fn with(reload: &str, clusters: &[&str]) -> Self {
        let port = ports();
        let head = format!(
            "control: {{socket: s}}\nmanagement: {{port: {port}, tokenFile: token}}\n\
             reload: {{maxRemovedPercent: 100, {reload}}}\n{}",
            // What is not watched does not tell that nothing has changed.
            if reload.contains("watch: false") { "" } else { LOUD }
        );
        let running = Running::laid_out(&head, clusters, |directory, text| {
            fs::write(directory.join("token"), TOKEN).unwrap();
            let file = directory.join("proxy.yaml");
            fs::write(&file, text).unwrap();
            file
        });
        let http = local(port);
        Self { running, http }
    }

    /// Runs a command as the user of the test.
    #[track_caller]
    pub(super) fn run(&self, arguments: &str) -> Ran {
        run(self.running.directory.path(), arguments)
    }

    /// The JSON document of a command, and its exit code.
    #[track_caller]
    pub(super) fn json(&self, arguments: &str) -> (i32, Value) {
        let ran = self.run(&format!("{arguments} --json"));
        (ran.code, ran.json())
    }

    /// Sends a request with the token, and returns status code and JSON of the answer.
    #[track_caller]
    pub(super) fn post(&self, target: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(self.http).unwrap();
        let request = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
             Content-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let code = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let json = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
        (code, serde_json::from_str(json).unwrap())
    }

    /// Id of what waits.
    #[track_caller]
    pub(super) fn waiting(&self) -> Option<String> {
        let (_, status) = self.json("status");
        Some(status["config"]["staged"]["id"].as_str()?.to_owned())
    }

    pub(super) fn generation(&self) -> u64 {
        self.json("status").1["generation"].as_u64().unwrap()
    }
}
