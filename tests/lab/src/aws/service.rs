//! From a request to the service and action that it means.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::Value;

use super::error::{Refusal, Result};
use super::signature::authenticate;
use super::state::{Caller, State};
use super::xml::{Form, IAM, STS, answer};
use super::{keys, providers, roles, secrets, ssm, sts};
use crate::clock;
use crate::google::documents::World;
use crate::s3::sigv4::Authorization;
use crate::wire::{Handler, Reply, Request};

pub(crate) struct Service {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) world: World,
    pub(crate) heard: Arc<Mutex<Vec<AwsCall>>>,
}

/// A call as its meaning counts
#[derive(Clone, Debug)]
pub struct AwsCall {
    /// `iam:CreateRole`, `secretsmanager:GetSecretValue`, …
    pub action: String,
    /// The ARN of who signed it, if it is signed and the signature is right
    pub who: Option<String>,
    /// The parameters of a call to STS or IAM, without the token
    pub form: BTreeMap<String, String>,
    /// The body of a call to the other services, without values of secrets
    pub body: Value,
    /// The code of the refusal, if it was refused
    pub refused: Option<String>,
}

/// Which service a request means
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sts,
    Iam,
    SecretsManager,
    Ssm,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Sts, Self::Iam, Self::SecretsManager, Self::Ssm];

    /// As in host names and in the scope of signatures
    fn name(self) -> &'static str {
        match self {
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::SecretsManager => "secretsmanager",
            Self::Ssm => "ssm",
        }
    }

    /// By `Host` if it is one of Amazon's, else by the scope of the signature, else by what the body looks like
    fn of(request: &Request) -> Option<Self> {
        let host = request.host.split(':').next().unwrap_or_default().to_lowercase();
        let named = |name: &str| Self::ALL.into_iter().find(|kind| kind.name() == name);
        if let Some(label) = host.strip_suffix(".amazonaws.com") {
            return named(label.split('.').next().unwrap_or_default());
        }
        let scope = request.header("authorization").and_then(Authorization::read);
        match scope.map(|scope| scope.service) {
            Some(service) => named(service),
            None => match request.header("x-amz-target").and_then(|target| target.split('.').next()) {
                Some("secretsmanager") => Some(Self::SecretsManager),
                Some("AmazonSSM") => Some(Self::Ssm),
                Some(_) => None,
                None if Form::of(request).get("Version") == Some(IAM.0) => Some(Self::Iam),
                None => Some(Self::Sts),
            },
        }
    }
}

impl Handler for Service {
    fn handle(&self, request: &Request) -> Reply {
        let reply = match Kind::of(request) {
            None => Reply::empty(404),
            Some(_) if request.method != "POST" || request.path != "/" => Reply::empty(404),
            Some(Kind::Sts) => self.query(request, Kind::Sts, STS),
            Some(Kind::Iam) => self.query(request, Kind::Iam, IAM),
            Some(kind) => self.json(request, kind),
        };
        let offset = self.lock().settings.clock_offset;
        reply.with("date", clock::http_date(clock::now(offset)))
    }

    fn who(&self, request: &Request) -> Option<String> {
        let key = request.header("authorization").and_then(Authorization::read)?.key_id;
        let state = self.lock();
        let user = state.keys.get(key).map(|key| key.user.clone());
        user.or_else(|| state.sessions.get(key).map(|session| session.role.clone()))
    }

    /// Every path is `/`
    fn action(&self, request: &Request) -> Option<String> {
        match request.header("x-amz-target") {
            Some(target) => target.rsplit('.').next().map(str::to_owned),
            None => Form::of(request).get("Action").map(str::to_owned),
        }
    }
}

impl Service {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the account")
    }

    fn query(&self, request: &Request, kind: Kind, (version, namespace): (&str, &str)) -> Reply {
        let form = Form::of(request);
        let action = form.get("Action").unwrap_or_default();
        let mut call = AwsCall {
            action: format!("{}:{action}", kind.name()),
            who: None,
            form: form.shown(),
            body: Value::Null,
            refused: None,
        };
        let unknown = || {
            let given = form.get("Version").unwrap_or_default();
            let message = format!("Could not find operation {action} for version {given}");
            Refusal::new(400, "InvalidAction", message)
        };
        let result = if form.get("Version") == Some(version) {
            self.query_action(request, kind, action, &form, &mut call).unwrap_or_else(|| Err(unknown()))
        } else {
            Err(unknown())
        };
        call.refused = result.as_ref().err().map(|refusal| refusal.code.clone());
        self.hear(call);
        match result {
            Ok(inner) => answer(action, namespace, &self.lock().settings.swap(inner)),
            Err(refusal) => refusal.xml(namespace),
        }
    }

    fn query_action(
        &self,
        request: &Request,
        kind: Kind,
        action: &str,
        form: &Form,
        call: &mut AwsCall,
    ) -> Option<Result<String>> {
        if let Err(refusal) = self.lock().planned(&call.action) {
            return Some(Err(refusal));
        }
        if kind == Kind::Sts && action == "AssumeRoleWithWebIdentity" {
            return Some(sts::assume(form, self));
        }
        let caller = match self.caller(request, kind, call) {
            Ok(caller) => caller,
            Err(refusal) => return Some(Err(refusal)),
        };
        match (kind, action) {
            (Kind::Sts, "GetCallerIdentity") => Some(Ok(sts::identity(&caller))),
            (Kind::Sts, "GetAccessKeyInfo") => Some(sts::key_info(form, &caller, &mut self.lock())),
            (Kind::Iam, _) => providers::action(action, form, &caller, self)
                .or_else(|| roles::action(action, form, &caller, &mut self.lock()))
                .or_else(|| keys::action(action, form, &caller, &mut self.lock())),
            _ => None,
        }
    }

    fn json(&self, request: &Request, kind: Kind) -> Reply {
        let (prefix, member) = match kind {
            Kind::Ssm => ("AmazonSSM.", "message"),
            _ => ("secretsmanager.", "Message"),
        };
        let target = request.header("x-amz-target").and_then(|target| target.strip_prefix(prefix));
        let action = target.unwrap_or_default();
        let body = serde_json::from_slice::<Value>(&request.body).ok().filter(Value::is_object);
        let mut call = AwsCall {
            action: format!("{}:{action}", kind.name()),
            who: None,
            form: BTreeMap::new(),
            body: blotted(body.clone().unwrap_or_default()),
            refused: None,
        };
        let result = self.json_action(request, kind, action, body, &mut call);
        call.refused = result.as_ref().err().map(|refusal| refusal.code.clone());
        self.hear(call);
        match result {
            Ok(body) => {
                let body = if body.is_null() { String::new() } else { body.to_string() };
                let body = self.lock().settings.swap(body);
                Reply::new(200, "application/x-amz-json-1.1", body)
                    .with("x-amzn-requestid", super::xml::request_id())
            }
            Err(refusal) => refusal.json(member),
        }
    }

    fn json_action(
        &self,
        request: &Request,
        kind: Kind,
        action: &str,
        body: Option<Value>,
        call: &mut AwsCall,
    ) -> Result<Value> {
        self.lock().planned(&call.action)?;
        let caller = self.caller(request, kind, call)?;
        let body = body.ok_or_else(|| Refusal::new(400, "SerializationException", ""))?;
        match kind {
            Kind::Ssm => ssm::action(action, &body, &caller, &mut self.lock()),
            _ => secrets::action(action, &body, &caller, &mut self.lock()),
        }
    }

    fn caller(&self, request: &Request, kind: Kind, call: &mut AwsCall) -> Result<Caller> {
        let caller = authenticate(request, kind.name(), &mut self.lock())?;
        call.who = Some(caller.arn.clone());
        Ok(caller)
    }

    fn hear(&self, call: AwsCall) {
        self.heard.lock().expect("what was heard").push(call);
    }
}

/// Without values of secrets and parameters
fn blotted(mut body: Value) -> Value {
    for member in ["SecretString", "SecretBinary", "Value"] {
        if let Some(value) = body.get_mut(member) {
            *value = "***".into();
        }
    }
    body
}
