//! A browser without a window, told what to do through a pipe in the Chrome `DevTools` Protocol, and watched: what it asks the network for, and what goes wrong.
//!
//! A crate for this protocol builds longer than all else here; of its hundreds of commands a dozen are needed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use std::{fs, io};

use flatmk_tools::workspace;
use serde_json::{Value, json};

/// How long a page may take. A busy machine is slow.
const LIMIT: Duration = Duration::from_secs(60);

/// What keeps it to itself: it asks nobody but this machine for anything.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
];

/// A browser with one page. It ends with its pipe, so with the tests.
pub struct Browser {
    _process: Child,
    input: ChildStdin,
    output: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    /// What happened since the page was opened.
    events: Vec<Value>,
}

/// The only browser, for one test at a time.
pub fn browser() -> Turn {
    static BROWSER: Mutex<Option<Browser>> = Mutex::new(None);
    let mut turn = BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    turn.get_or_insert_with(Browser::start);
    Turn(turn)
}

/// The turn of a test.
pub struct Turn(MutexGuard<'static, Option<Browser>>);

impl std::ops::Deref for Turn {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        self.0.as_ref().expect("it was started")
    }
}

impl std::ops::DerefMut for Turn {
    fn deref_mut(&mut self) -> &mut Browser {
        self.0.as_mut().expect("it was started")
    }
}

impl Browser {
    fn start() -> Self {
        let folder = workspace::metadata().expect("cargo answers").target_directory.join("end-to-end/browser");
        fs::create_dir_all(&folder).expect("the target folder can be written");
        // It reads commands from descriptor 3 and answers on 4.
        let mut process = Command::new("sh")
            .args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1", "sh"])
            .args(ARGUMENTS)
            .arg(format!("--user-data-dir={folder}"))
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the browser starts: ./x test installs it");
        let input = process.stdin.take().expect("a pipe");
        let output = messages(process.stdout.take().expect("a pipe"));
        let mut browser = Self { _process: process, input, output, session: None, sent: 0, events: vec![] };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let session = browser.call("Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    fn send(&mut self, method: &str, parameters: Value) -> io::Result<()> {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method });
        message["params"] = parameters;
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.input.write_all(&bytes)?;
        self.input.flush()
    }

    fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.send(method, parameters).expect("the browser listens");
        loop {
            let message = self.output.recv_timeout(LIMIT);
            let mut message = message.unwrap_or_else(|error| panic!("no answer to {method}: {error}"));
            if message["id"] == json!(self.sent) {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.events.push(message);
        }
    }

    /// Gives the screen this width.
    pub fn screen(&mut self, width: u32) {
        let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", screen);
    }

    /// Prefers `light` or `dark` pages from now on.
    pub fn prefer(&mut self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [feature] }));
    }

    /// Shows pages as they are printed, or as on a screen again.
    pub fn on_paper(&mut self, paper: bool) {
        self.call("Emulation.setEmulatedMedia", json!({ "media": if paper { "print" } else { "" } }));
    }

    /// Opens a page on a screen of this width, and waits until its figures are there.
    pub fn open(&mut self, url: &str, width: u32) {
        self.screen(width);
        self.open_without_figures(url);
        self.wait_for("document.querySelector('.figure-ready') !== null && !document.querySelector('[data-figure]:not(.figure-ready)')");
    }

    /// Opens a page, and waits until all that its text names is loaded.
    pub fn open_without_figures(&mut self, url: &str) {
        // A page of its own each time, even of the same address.
        self.leave();
        self.events.clear();
        self.call("Page.navigate", json!({ "url": url }));
        self.wait_for(&format!("location.href === {} && document.readyState === 'complete'", json!(url)));
    }

    /// Leaves the page for an empty one.
    pub fn leave(&mut self) {
        self.call("Page.navigate", json!({ "url": "about:blank" }));
        self.wait_for("location.href === 'about:blank' && document.readyState === 'complete'");
    }

    /// What an expression of JavaScript comes to in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.call("Runtime.evaluate", parameters);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// The text of the first element that a selector finds.
    pub fn text(&mut self, selector: &str) -> String {
        let text = self.evaluate(&format!("document.querySelector({}).textContent", json!(selector)));
        text.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until an expression is true.
    pub fn wait_for(&mut self, expression: &str) {
        let start = Instant::now();
        while self.evaluate(expression) != json!(true) {
            assert!(start.elapsed() < LIMIT, "in vain: {expression}; {:?}", self.complaints());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses the mouse on the element to which an expression leads.
    pub fn click(&mut self, element: &str) {
        let place = self.evaluate(&format!(
            "{{ const element = {element}; element.scrollIntoView({{ block: 'center' }}); const box = element.getBoundingClientRect();
                [box.x + box.width / 2, box.y + box.height / 2] }}"
        ));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses the mouse on a button of the figure.
    pub fn press(&mut self, text: &str) {
        self.click(&format!(
            "[...document.querySelectorAll('[data-figure] button')].find((button) => button.textContent === {})",
            json!(text)
        ));
    }

    /// Types keys: their names, as the browser has them.
    pub fn keys(&mut self, names: &[&str]) {
        for &name in names {
            let (code, text) = match name {
                "Tab" => (9, None),
                "Enter" => (13, Some("\r")),
                " " => (32, Some(" ")),
                "ArrowDown" => (40, None),
                _ => panic!("a key that is not known here: {name}"),
            };
            let key = |kind: &str| json!({ "type": kind, "key": name, "windowsVirtualKeyCode": code });
            let mut down = key(if text.is_some() { "keyDown" } else { "rawKeyDown" });
            if let Some(text) = text {
                down["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", down);
            self.call("Input.dispatchKeyEvent", key("keyUp"));
        }
    }

    /// Types text in the place of what is in the field that has the keyboard.
    pub fn retype(&mut self, text: &str) {
        self.evaluate("document.activeElement.select()");
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// What the page has complained of.
    fn complaints(&self) -> Vec<&Value> {
        let is_complaint = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            Some("Runtime.consoleAPICalled") => event["params"]["type"] == "error",
            _ => false,
        };
        self.events.iter().filter(is_complaint).collect()
    }

    /// The addresses that the page has asked for.
    pub fn requests(&self) -> Vec<&str> {
        let of = |event: &Value| {
            matches!(event["method"].as_str(), Some("Network.requestWillBeSent" | "Network.webSocketCreated"))
        };
        let url = |event| -> Option<&str> {
            let event: &Value = event;
            event["params"]["request"]["url"].as_str().or(event["params"]["url"].as_str())
        };
        self.events.iter().filter(|event| of(event)).filter_map(url).collect()
    }

    /// Nothing went wrong, and nothing was asked for that does not begin so.
    pub fn assert_quiet(&mut self, beginnings: &[&str]) {
        // What happened until now is told before the answer.
        self.evaluate("0");
        assert!(self.complaints().is_empty(), "{:?}", self.complaints());
        let requests = self.requests();
        assert!(!requests.is_empty(), "it is watched");
        let is_own =
            |url: &&str| url.starts_with("data:") || beginnings.iter().any(|beginning| url.starts_with(beginning));
        assert!(requests.iter().all(is_own), "{requests:?}");
    }
}

/// What the browser says, each with a zero behind it, until it ends.
fn messages(output: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for bytes in BufReader::new(output).split(0).map_while(Result::ok) {
            let message = serde_json::from_slice(&bytes).expect("it speaks JSON");
            if sender.send(message).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The address of a file.
#[must_use]
pub fn file_url(path: &Path) -> String {
    format!("file://{}", path.display())
}
