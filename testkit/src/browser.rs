//! A headless Chromium, driven as WebDriver (W3C) has it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64;
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};

use crate::running::local;
use crate::skipped;
use crate::wait::{PATIENCE, eventually};

const DRIVER: &str = "chromedriver";

/// A browser with one window. Dropping it ends it.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// Browsers of one process run one after the other: each has a dozen processes.
    _turn: MutexGuard<'static, ()>,
}

/// Whether a browser can be driven here; says so where not, and fails where it must be.
pub fn require() -> bool {
    let runs = |program| {
        let mut command = Command::new(program);
        command.arg("--version").stdin(Stdio::null()).output().is_ok()
    };
    if runs(DRIVER) && runs("chromium") {
        return true;
    }
    let why = "chromium or chromedriver is not installed";
    let is_required = std::env::var_os("KPROXY_REQUIRE_BROWSER").is_some_and(|value| value == "1");
    assert!(!is_required, "KPROXY_REQUIRE_BROWSER=1, but {why}");
    skipped::note(why);
    false
}

impl Browser {
    /// Starts one whose window has this size.
    #[track_caller]
    pub fn start(width: u32, height: u32) -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        // A test that failed has ended its browser.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut driver = Command::new(DRIVER)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        // What it says later goes nowhere, and must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Self {
            driver,
            port: port.unwrap(),
            session: String::new(),
            _turn: turn,
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            &format!("--window-size={width},{height}"),
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"args": arguments},
        }}});
        let session = browser.call("POST", "/session", &wanted);
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    /// Loads a page and waits until that is done.
    #[track_caller]
    pub fn open(&self, address: &str) {
        self.ask("/url", &json!({"url": address}));
    }

    /// What a script returns: `return 1`.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.ask("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a script returns true.
    #[track_caller]
    pub fn expect(&self, script: &str) {
        eventually(&format!("{script}\non\n{}", self.text()), || {
            self.run(script) == Value::Bool(true)
        });
    }

    /// Waits until the page shows `text`.
    #[track_caller]
    pub fn expect_text(&self, text: &str) {
        eventually(&format!("{text:?} on the page"), || self.text().contains(text));
    }

    /// The text of the page, as somebody reads it.
    #[track_caller]
    pub fn text(&self) -> String {
        let text = self.run("return document.body.innerText");
        text.as_str().unwrap().to_owned()
    }

    /// What a command of the DevTools protocol returns.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.ask(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// Presses and releases a key: `Tab`, `Enter`.
    #[track_caller]
    pub fn press(&self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            other => panic!("no key {other:?}"),
        };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            if key == "Enter" && kind == "keyDown" {
                event["text"] = "\r".into();
            }
            self.devtools("Input.dispatchKeyEvent", &event);
        }
    }

    /// What the console has said since the last time, errors of scripts and of policies included.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        let said = self.ask("/se/log", &json!({"type": "browser"}));
        let line = |entry: &Value| format!("{} {}", entry["level"], entry["message"]);
        said.as_array().unwrap().iter().map(line).collect()
    }

    /// The page as PNG: the window, or all of the page.
    #[track_caller]
    pub fn screenshot(&self, all: bool) -> Vec<u8> {
        let shot = self.devtools("Page.captureScreenshot", &json!({"captureBeyondViewport": all}));
        BASE64.decode(shot["data"].as_str().unwrap().as_bytes()).unwrap()
    }

    #[track_caller]
    fn ask(&self, command: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}{command}", self.session), body)
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_call(method, path, body).unwrap();
        let value = &answer["value"];
        assert!(value["error"].is_null(), "{method} {path} {body}: {value}");
        value.clone()
    }

    fn try_call(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
        let mut stream = TcpStream::connect_timeout(&local(self.port), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = body.to_string();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        // The driver keeps the connection, whatever it is asked for.
        let mut answer = BufReader::new(stream);
        let (mut line, mut length) = (String::new(), 0);
        while answer.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body)?;
        Ok(serde_json::from_slice(&body)?)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session; whatever is left of it is in the group of the driver.
        drop(self.try_call("DELETE", &format!("/session/{}", self.session), &json!({})));
        kill_process_group(Pid::from_child(&self.driver), Signal::KILL).unwrap_or_default();
        drop(self.driver.wait());
    }
}
