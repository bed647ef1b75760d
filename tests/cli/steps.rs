//! No write without a step, and no step without a write: what the far sides recorded is what the dry run showed.

use serde_json::Value;

use crate::estate::Estate;

/// One write as a far side recorded it: `PUT /acme/openid/v1/jwks`.
pub(crate) fn recorded_writes(estate: &Estate) -> Vec<String> {
    let servers = estate.world.cluster.server(0).faults().requests();
    let all = servers.into_iter().chain(estate.google.faults().requests());
    let shown = |method: &str, path: &str| format!("{method} {}", path.split('?').next().unwrap_or_default());
    // The operator's stand-in works by itself.
    let by_program = all.filter(|call| call.method != "GET" && call.method != "HEAD");
    let all = by_program.map(|call| shown(&call.method, &call.path));
    all.filter(|call| !only_asks(call)).collect()
}

pub(crate) fn forget(estate: &Estate) {
    estate.world.cluster.server(0).faults().forget();
    estate.google.faults().forget();
}

/// Requests that are no GET and change nothing: tokens, and questions about rights.
fn only_asks(call: &str) -> bool {
    let path = call.split(' ').nth(1).unwrap_or_default();
    path.ends_with("/token")
        || path.contains("/apis/authorization.k8s.io/")
        || [":testIamPermissions", ":getIamPolicy", ":generateAccessToken", ":search"]
            .iter()
            .any(|asks| path.ends_with(asks))
        || path == "/v1/token"
}

/// What accounts for a step: a write whose method and path fit.
struct Fit {
    methods: &'static [&'static str],
    parts: Vec<String>,
}

/// Every write that a step may take, by its target, action and name.
fn fits(step: &Value, key: &str) -> Vec<Fit> {
    let text = |member: &str| step[member].as_str().unwrap_or_default();
    let (action, name) = (text("action"), text("name"));
    let fit = |methods: &'static [&'static str], parts: &[&str]| Fit {
        methods,
        parts: parts.iter().map(|part| (*part).to_owned()).collect(),
    };
    let words: Vec<&str> = name.split(' ').collect();
    match text("target") {
        "cluster-object" => {
            let kind = words[0].to_ascii_lowercase();
            let object = words[1].trim_end_matches(',').rsplit('/').next().unwrap_or_default();
            let part = format!("/{kind}s/{object}");
            let methods: &[_] = match (kind.as_str(), action) {
                // What is recorded goes with the run that it is recorded for.
                ("configmap", _) => &["PUT", "PATCH", "DELETE"],
                (_, "delete") => &["DELETE"],
                _ => &["PUT", "PATCH"],
            };
            let mut all = vec![fit(methods, &[&part])];
            if action == "create" {
                all.push(fit(&["POST"], &[&format!("/{kind}s")]));
            }
            all
        }
        "key" => match action {
            "delete" => vec![fit(&["DELETE"], &[key])],
            "disable" => vec![fit(&["POST"], &[key, ":disable"])],
            _ => vec![fit(&["POST"], &[key, ":enable"])],
        },
        "provider-resource" if name.contains(" on the bucket ") => {
            vec![fit(&["PUT"], &["/storage/v1/b/", "/iam"])]
        }
        "document" if action == "delete" => vec![fit(&["DELETE"], &["/storage/v1/b/", "/o/"])],
        "document" => vec![fit(&["POST"], &["/upload/storage/v1/b/"])],
        "bucket" if action == "grant" => vec![fit(&["PUT"], &["/storage/v1/b/", "/iam"])],
        "bucket" => vec![fit(&["POST", "DELETE"], &["/storage/v1/b"])],
        "provider-resource" if action == "enable" => vec![fit(&["POST"], &["/services:batchEnable"])],
        "provider-resource" if action == "grant" || action == "revoke" => {
            vec![fit(&["POST"], &[":setIamPolicy"])]
        }
        "provider-resource" => {
            vec![fit(&["POST", "PATCH", "DELETE"], &["workloadIdentityPools"])]
        }
        "settings-file" => Vec::new(),
        other => panic!("no writes are known for {other}: {step}"),
    }
}

impl Fit {
    fn takes(&self, write: &str) -> bool {
        let (method, path) = write.split_once(' ').unwrap();
        self.methods.contains(&method) && self.parts.iter().all(|part| path.contains(part.as_str()))
    }
}

/// Runs a command as a dry run, then for real, and compares.
#[track_caller]
pub(crate) fn writes_what_it_shows(estate: &Estate, arguments: &[&str]) {
    forget(estate);
    let shown = estate.run(&[arguments, &["--dry-run", "-o", "json"]].concat());
    assert_eq!(recorded_writes(estate), Vec::<String>::new(), "a dry run writes");
    let shown: Value =
        serde_json::from_str(&shown.out).unwrap_or_else(|_| panic!("{}{}", shown.out, shown.err));
    let plan = &shown["plan"];
    let later = ["after-issuer-switch", "once-nothing-breaks", "on-retire-key"];
    let is_now = |step: &&Value| step["action"] != "no-op" && !later.iter().any(|gate| step["gate"] == *gate);
    let steps: Vec<&Value> = plan["steps"].as_array().unwrap().iter().filter(is_now).collect();
    assert!(!steps.is_empty(), "{shown:#}");
    let counted = ["create", "change", "delete"].iter().filter_map(|kind| plan["summary"][kind].as_u64());
    assert_eq!(counted.sum::<u64>(), steps.len() as u64, "{plan:#}");

    forget(estate);
    estate.run(&[arguments, &["--yes"]].concat()).ends(0);
    let writes = recorded_writes(estate);
    for write in &writes {
        let accounts = |step: &&&Value| fits(step, &estate.key_id).iter().any(|fit| fit.takes(write));
        assert!(steps.iter().find(accounts).is_some(), "no step shows {write}\n{:#}", plan["steps"]);
    }
    for step in steps {
        let fits = fits(step, &estate.key_id);
        let done = fits.is_empty() || writes.iter().any(|write| fits.iter().any(|fit| fit.takes(write)));
        assert!(done, "nothing was written for {step:#}\n{writes:#?}");
    }
}

const SETUP: [&str; 3] = ["setup", "--watch-for", "0s"];
const RETIRE: [&str; 4] = ["setup", "--watch-for", "0s", "--retire-key"];

#[test]
fn setup_writes_what_it_shows() {
    writes_what_it_shows(&Estate::new(), &SETUP);
}

#[test]
fn setup_with_retirement_writes_steps() {
    writes_what_it_shows(&Estate::new(), &RETIRE);
}

#[test]
fn later_retirement_writes_its_steps() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s"]).ends(0);
    writes_what_it_shows(&estate, &RETIRE);
}

#[test]
fn undo_writes_what_it_shows() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s"]).ends(0);
    writes_what_it_shows(&estate, &["setup", "--undo"]);
}

#[test]
fn new_right_writes_its_step() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    estate.google.add_secret("api", b"x");
    estate.reads("shop", "api", "api");
    writes_what_it_shows(&estate, &["setup", "--accept-new-secrets"]);
}

#[test]
fn teardown_writes_what_it_shows() {
    let estate = Estate::new();
    estate.run(&["setup", "--yes", "--watch-for", "0s", "--retire-key"]).ends(0);
    writes_what_it_shows(&estate, &["teardown"]);
}
