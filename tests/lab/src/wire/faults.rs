//! Trouble on demand, and a record of what was asked.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::{Barrier, KillSwitch, Moment, Reply, Request, percent_encode};

/// Makes another body of an answer's
pub type Rewrite = Arc<dyn Fn(&[u8]) -> Vec<u8> + Send + Sync>;

/// What goes wrong with a request that matches
#[derive(Clone)]
pub enum Fault {
    /// This answer instead of the stand-in's own; nothing is done
    Answer {
        /// Status code
        status: u16,
        /// Headers, `content-type` among them
        headers: Vec<(String, String)>,
        /// Body
        body: Vec<u8>,
    },
    /// The request is carried out, the connection closed before any answer
    CloseAfterEffect,
    /// Nothing is done, the connection closed before any answer
    CloseBeforeAnswer,
    /// This status, and the request's own credentials and body in the answer, in this form; nothing is done
    Echo(u16, EchoForm),
    /// The request is carried out and answered, the connection closed after half of the body
    CutBody,
    /// The request is carried out and answered, but only after this time
    Delay(Duration),
    /// Nothing is done before the gate is open: see [`Fault::gate`]
    Gate(Barrier),
    /// The request is carried out, the head of its answer sent and nothing of its body; the connection stays open
    HeadOnly,
    /// Status 200 and so many blanks as body (streamed, never held); `None`: without end and length
    Huge(Option<u64>),
    /// The request is carried out, and the answer's body is replaced by what is made of it
    Rewrite(Rewrite),
    /// The request is carried out and answered, with a head that declares one byte more than is sent; the
    /// connection stays open
    OverDeclared,
    /// The request is carried out and answered, one byte of the body each time this passes
    Trickle(Duration),
}

/// How [`Fault::Echo`] words an answer
#[derive(Clone, Copy, Debug)]
pub enum EchoForm {
    /// A Kubernetes `Status`
    Kubernetes,
    /// An error of Google's REST APIs (AIP-193)
    Google,
    /// An error of a token service (RFC 6749 §5.2)
    OAuth,
    /// The list of errors of Vault
    Vault,
    /// An error document of S3
    S3,
    /// Text, as proxies send it
    Text,
}

impl EchoForm {
    const HEADERS: [&str; 5] =
        ["x-amz-request-id", "x-amz-bucket-region", "location", "www-authenticate", "content-language"];

    /// The reply holds what was sent in its message, in several codings, and in headers
    fn reply(self, status: u16, request: &Request) -> Reply {
        let credentials = request.headers.iter().filter(|(name, _)| SECRET.contains(&name.as_str()));
        let credentials =
            credentials.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned());
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let mut message = "You sent".to_owned();
        for sent in credentials.chain([body]).filter(|sent| !sent.is_empty()) {
            let word = sent.rsplit(' ').next().unwrap_or_default();
            let coded = [STANDARD.encode(word), URL_SAFE_NO_PAD.encode(&sent), percent_encode(word, "")];
            message.push_str(&format!(" {sent} {}", coded.join(" ")));
        }
        let json = json!(message);
        let (kind, body) = match self {
            Self::Kubernetes => (
                "application/json",
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": json, "reason": json, "code": status})
                    .to_string(),
            ),
            Self::Google => (
                "application/json",
                json!({"error": {"code": status, "message": json, "status": json, "errors": [{"reason": json, "message": json}],
                    "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": json, "metadata": {"permission": json, "service": json}}]}})
                .to_string(),
            ),
            Self::OAuth => {
                ("application/json", json!({"error": json, "error_description": json}).to_string())
            }
            Self::Vault => ("application/json", json!({"errors": [json]}).to_string()),
            Self::S3 => {
                let text = message.replace('&', "&amp;").replace('<', "&lt;");
                let part = |name: &str| format!("<{name}>{text}</{name}>");
                let parts = ["Code", "Message", "RequestId", "Region"].map(part).concat();
                ("application/xml", format!("<?xml version=\"1.0\"?><Error>{parts}</Error>"))
            }
            Self::Text => ("text/plain", message.clone()),
        };
        let header: String = message.chars().filter(|c| (' '..='~').contains(c)).take(4000).collect();
        Self::HEADERS.iter().fold(Reply::new(status, kind, body), |reply, name| reply.with(name, &*header))
    }
}

/// Headers that carry credentials
const SECRET: [&str; 5] =
    ["authorization", "proxy-authorization", "x-amz-security-token", "x-vault-token", "cookie"];

impl Fault {
    /// A status with a body
    pub fn answer(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::Answer { status, headers, body: body.into() }
    }

    /// A status with an empty body, as proxies and load balancers send it
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: Vec::new() }
    }

    /// The same, with a `Retry-After` (RFC 9110 §10.2.3)
    pub fn later(status: u16, retry_after: &str) -> Self {
        let headers = vec![("retry-after".to_owned(), retry_after.to_owned())];
        Self::Answer { status, headers, body: Vec::new() }
    }

    /// A login page with status 200, as captive portals and single-sign-on proxies send it
    pub fn html() -> Self {
        let page =
            "<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in</body></html>\n";
        Self::answer(200, "text/html; charset=utf-8", page)
    }

    /// A Kubernetes `Status` with status 200, as aggregating proxies send it
    pub fn kubernetes_status() -> Self {
        let status = r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the server is currently unable to handle the request","reason":"ServiceUnavailable","code":503}"#;
        Self::answer(200, "application/json", status)
    }

    /// The stand-in's own answer, changed
    pub fn rewrite(change: impl Fn(&[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::Rewrite(Arc::new(change))
    }

    /// A body of 1 GiB with status 200
    pub fn gibibyte() -> Self {
        Self::Huge(Some(1 << 30))
    }
}

/// One request as a stand-in saw it, without its credentials
#[derive(Clone, Debug)]
pub struct Call {
    /// `GET`, `PUT`, …
    pub method: String,
    /// `Host`, or `:authority` with h2
    pub host: String,
    /// Path and query as sent
    pub path: String,
    /// Header names in lower case; never `authorization` and other credentials
    pub headers: Vec<(String, String)>,
    /// Length of the body
    pub body_len: usize,
    /// Who asked, by name, where the far side tells its callers apart
    pub who: Option<String>,
    /// What is asked for, where the path does not tell
    pub action: Option<String>,
    /// Status of the answer, `None` when there was none
    pub status: Option<u16>,
    /// When it was there with its whole body
    pub arrived: Instant,
    /// When its answer was ready
    pub answered: Option<Instant>,
}

impl Call {
    /// The value of a header
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// The trouble and the record of one far side; every far side has `faults()`.
///
/// A rule names a method (`""` for all) and a part of path and query as sent, or its end if a `$` follows; the first
/// rule that matches is used, and spent if it was for the next N requests.
#[derive(Clone, Default)]
pub struct Faults {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    rules: Vec<Rule>,
    calls: Vec<Call>,
    kill_switch: Option<KillSwitch>,
}

struct Rule {
    method: String,
    part: String,
    left: Option<usize>,
    fault: Fault,
}

impl Faults {
    /// The next `times` requests that match meet this fault
    pub fn next(&self, times: usize, method: &str, part: &str, fault: Fault) {
        self.add(method, part, Some(times), fault);
    }

    /// Every request that matches meets this fault
    pub fn always(&self, method: &str, part: &str, fault: Fault) {
        self.add(method, part, None, fault);
    }

    /// Forget all faults (the record stays)
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// What was asked so far, in order of arrival
    pub fn requests(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// Forget what was asked so far
    pub fn forget(&self) {
        self.lock().calls.clear();
    }

    /// Count the requests of this far side at `switch`; several far sides may share one
    pub fn kill_switch(&self, switch: &KillSwitch) {
        self.lock().kill_switch = Some(switch.clone());
    }

    fn add(&self, method: &str, part: &str, left: Option<usize>, fault: Fault) {
        let rule = Rule { method: method.to_owned(), part: part.to_owned(), left, fault };
        self.lock().rules.push(rule);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no test panics while it holds the faults")
    }

    /// Records a request and says what happens to it
    pub(crate) async fn meet(&self, request: &Request) -> Verdict {
        let (number, fault, switch) = self.record(request);
        let mut verdict = Verdict { number, reply: None, rewrite: None, disturbance: None, switch };
        if verdict.trips(Moment::BeforeEffect).await {
            verdict.disturbance = Some(Disturbance::CloseBefore);
            return verdict;
        }
        match fault {
            None => {}
            Some(Fault::Answer { status, headers, body }) => {
                verdict.reply = Some(Reply { status, headers, body: body.into() });
            }
            Some(Fault::Echo(status, form)) => verdict.reply = Some(form.reply(status, request)),
            Some(Fault::CloseAfterEffect) => verdict.disturbance = Some(Disturbance::CloseAfter),
            Some(Fault::CloseBeforeAnswer) => verdict.disturbance = Some(Disturbance::CloseBefore),
            Some(Fault::CutBody) => verdict.disturbance = Some(Disturbance::CutBody),
            Some(Fault::Delay(time)) => tokio::time::sleep(time).await,
            Some(Fault::Gate(barrier)) => barrier.pass().await,
            Some(Fault::Huge(bytes)) => {
                verdict.reply = Some(Reply::new(200, "application/json", ""));
                verdict.disturbance = Some(Disturbance::Huge(bytes));
            }
            Some(Fault::Rewrite(rewrite)) => verdict.rewrite = Some(rewrite),
            Some(Fault::HeadOnly) => verdict.disturbance = Some(Disturbance::HeadOnly),
            Some(Fault::OverDeclared) => verdict.disturbance = Some(Disturbance::OverDeclared),
            Some(Fault::Trickle(every)) => verdict.disturbance = Some(Disturbance::Trickle(every)),
        }
        verdict
    }

    pub(crate) fn answered(&self, number: usize, status: u16) {
        if let Some(call) = self.lock().calls.get_mut(number) {
            call.status = Some(status);
            call.answered = Some(Instant::now());
        }
    }

    pub(crate) fn asked(&self, number: usize, who: Option<String>, action: Option<String>) {
        if let Some(call) = self.lock().calls.get_mut(number) {
            (call.who, call.action) = (who, action);
        }
    }

    fn record(&self, request: &Request) -> (usize, Option<Fault>, Option<Counting>) {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let path = format!("{}{query}", request.path);
        let mut inner = self.lock();
        let position = inner.rules.iter().position(|rule| {
            (rule.method.is_empty() || rule.method.eq_ignore_ascii_case(request.method.as_str()))
                && match rule.part.strip_suffix('$') {
                    Some(end) => path.ends_with(end),
                    None => path.contains(&rule.part),
                }
                && rule.left != Some(0)
        });
        let fault = position.map(|position| {
            let rule = &mut inner.rules[position];
            rule.left = rule.left.map(|left| left - 1);
            rule.fault.clone()
        });
        let switch = inner.kill_switch.clone().map(|switch| {
            let number = switch.count(&request.method);
            (switch, number)
        });
        inner.calls.push(Call {
            method: request.method.to_string(),
            host: request.host.clone(),
            path,
            headers: shown(request),
            body_len: request.body.len(),
            who: None,
            action: None,
            status: None,
            arrived: Instant::now(),
            answered: None,
        });
        (inner.calls.len() - 1, fault, switch)
    }
}

fn shown(request: &Request) -> Vec<(String, String)> {
    let headers = request.headers.iter().filter(|(name, _)| !SECRET.contains(&name.as_str()));
    headers
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// What [`Faults`] decided about a request
pub(crate) struct Verdict {
    pub(crate) number: usize,
    pub(crate) reply: Option<Reply>,
    pub(crate) rewrite: Option<Rewrite>,
    pub(crate) disturbance: Option<Disturbance>,
    switch: Option<Counting>,
}

impl Verdict {
    /// Whether the call must end at this moment
    pub(crate) async fn trips(&self, moment: Moment) -> bool {
        match &self.switch {
            Some((switch, number)) => switch.trips(*number, moment).await,
            None => false,
        }
    }

    pub(crate) fn closes_first(&self) -> bool {
        matches!(self.disturbance, Some(Disturbance::CloseBefore))
    }
}

/// A kill switch, and a call's number at it if it counts there
type Counting = (KillSwitch, Option<usize>);

/// A fault that concerns the connection, not the content
#[derive(Clone, Copy)]
pub(crate) enum Disturbance {
    CloseAfter,
    CloseBefore,
    CutBody,
    HeadOnly,
    Huge(Option<u64>),
    OverDeclared,
    Trickle(Duration),
}
