//! Requests on resources: who asks for what, and may he.

use hyper::Method;

use super::kinds::Kind;
use super::list::{self, list, served, short};
use super::store::Key;
use super::{discovery, write};
use crate::cluster::access::Caller;
use crate::cluster::status::{self, Object};
use crate::cluster::{ClusterSettings, api};
use crate::wire::{Reply, Request};

/// What a path names, before anyone knows whether it exists
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Target {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
}

impl Target {
    /// Of `/api/v1/…` and `/apis/GROUP/VERSION/…`; `None` for everything else, discovery included
    pub(crate) fn of(path: &str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let (group, version) = match parts.next()? {
            "api" => ("", parts.next()?),
            "apis" => (parts.next()?, parts.next()?),
            _ => return None,
        };
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match rest.as_slice() {
            ["namespaces", namespace, rest @ ..]
                if !rest.is_empty() && !["status", "finalize"].contains(&rest[0]) =>
            {
                (*namespace, rest)
            }
            rest => ("", rest),
        };
        let at = |number: usize| crate::wire::percent_decode(rest.get(number).copied().unwrap_or_default());
        let known = (1..=3).contains(&rest.len());
        known.then(|| Self {
            group: group.to_owned(),
            version: version.to_owned(),
            resource: at(0),
            namespace: namespace.to_owned(),
            name: at(1),
            subresource: at(2),
        })
    }

    /// `serviceaccounts`, `serviceaccounts/token`
    pub(crate) fn qualified(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }

    pub(crate) fn object(&self) -> Object<'_> {
        Object { group: &self.group, resource: &self.resource, namespace: &self.namespace, name: &self.name }
    }

    pub(crate) fn forbidden(&self, caller: &Caller, verb: &str) -> Reply {
        self.object().forbidden(&caller.name, verb, &self.qualified())
    }
}

/// One request on a resource that exists, by a caller that may make it
pub(crate) struct Ask<'a> {
    pub(crate) request: &'a Request,
    pub(crate) caller: &'a Caller,
    pub(crate) target: Target,
    pub(crate) kind: Kind,
    pub(crate) key: Key,
    /// RFC 3339
    pub(crate) now: String,
}

impl Ask<'_> {
    pub(crate) fn not_found(&self) -> Reply {
        self.target.object().not_found()
    }

    pub(crate) fn dry_run(&self) -> bool {
        self.request.query("dryRun").is_some_and(|value| value == "All")
    }

    /// The manager that is written into `managedFields`
    pub(crate) fn manager(&self) -> String {
        let agent = || {
            let agent = self.request.header("user-agent").unwrap_or_default();
            agent.split('/').next().unwrap_or_default().to_owned()
        };
        self.request.query("fieldManager").unwrap_or_else(agent)
    }
}

/// The answer to a request on a resource or on the discovery of resources, or `None`
pub(crate) fn handle(
    request: &Request,
    caller: &Caller,
    shared: &mut ClusterSettings,
    now: i64,
) -> Option<Reply> {
    if let Some(reply) = discovery::handle(request, caller, shared) {
        return Some(reply);
    }
    let mut target = Target::of(&request.path)?;
    let verb = verb_of(request, &target);
    if verb == "list" {
        target.name = list::selected_name(request).unwrap_or_default();
    }
    if !caller.can(&verb, &target) {
        return Some(target.forbidden(caller, &verb));
    }
    let Some(kind) = shared.objects.kinds.by_path(&target.group, &target.version, &target.resource).cloned()
    else {
        return Some(api::not_found());
    };
    if kind.namespaced && target.namespace.is_empty() && !["list", "watch"].contains(&verb.as_str())
        || !kind.namespaced && !target.namespace.is_empty()
    {
        return Some(status::no_such_resource());
    }
    let known = target.subresource.is_empty() || target.subresource == "status" && kind.status;
    if !known {
        return Some(status::no_such_resource());
    }
    let key = kind.key(&target.namespace, &target.name);
    let now_text = crate::clock::rfc3339(now);
    let ask = Ask { request, caller, target, kind, key, now: now_text };
    let reply = match verb.as_str() {
        "get" => get(&ask, shared, now),
        "list" => list(request, &shared.objects, &ask.kind, &ask.target.namespace)
            .map(|body| Reply::json(200, &short(request, &ask.kind, body, now))),
        // A watch that ends at once: clients ask again.
        "watch" => Ok(Reply::new(200, "application/json", "")),
        "create" if ask.target.name.is_empty() => write::create(&ask, shared),
        "update" if !ask.target.name.is_empty() => write::replace(&ask, shared),
        "patch" if !ask.target.name.is_empty() => write::patch(&ask, shared),
        "delete" => write::delete(&ask, shared),
        _ => Ok(status::method_not_allowed()),
    };
    Some(reply.unwrap_or_else(|refusal| refusal))
}

fn verb_of(request: &Request, target: &Target) -> String {
    let watch = request.query("watch").is_some_and(|value| value == "true" || value == "1");
    match (&request.method, target.name.is_empty()) {
        (&Method::GET | &Method::HEAD, _) if watch => "watch".into(),
        (&Method::GET | &Method::HEAD, true) => "list".into(),
        (&Method::DELETE, true) => "deletecollection".into(),
        (method, _) => api::verb(method),
    }
}

fn get(ask: &Ask<'_>, shared: &ClusterSettings, now: i64) -> Result<Reply, Reply> {
    let object = shared.objects.get(&ask.key).ok_or_else(|| ask.not_found())?;
    Ok(Reply::json(200, &short(ask.request, &ask.kind, served(&ask.kind, object), now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_resources() {
        let of = |path: &str| {
            let target = Target::of(path).unwrap_or_default();
            [target.group, target.resource, target.namespace, target.name, target.subresource].join(",")
        };
        assert_eq!(of("/api/v1/namespaces"), ",namespaces,,,");
        assert_eq!(of("/api/v1/namespaces/x"), ",namespaces,,x,");
        assert_eq!(of("/api/v1/namespaces/x/status"), ",namespaces,,x,status");
        assert_eq!(of("/api/v1/namespaces/x/secrets/s"), ",secrets,x,s,");
        assert_eq!(of("/apis/g/v1/things/t/status"), "g,things,,t,status");
        assert_eq!(of("/apis/g/v1/namespaces/n/things"), "g,things,n,,");
        assert_eq!(Target::of("/apis/g/v1"), None);
        assert_eq!(Target::of("/version"), None);
    }
}
