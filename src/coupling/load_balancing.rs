//! PURE. Load balancing: which controllers there are, and which one serves each Service of the type LoadBalancer.
//!
//! What serves a Service is taken from what that controller alone leaves on it, or from its load balancer class. An
//! address alone says nothing: any client with the right can write it.

mod table;

use std::collections::BTreeSet;

use self::table::{CONTROLLERS, INGRESS, Row};
use super::{Concern, Found, LoadBalancer, NONE, Portable, Seen, Tie, Workload, images};

pub(super) const CONCERN: Concern = Concern { id: "load-balancing", title: "load balancing", judge };

/// Put on a Service by the service controller of every cloud controller manager (k8s.io/cloud-provider/service/helpers).
const CLEANUP: &str = "service.kubernetes.io/load-balancer-cleanup";

/// The namespace of what runs the cluster.
const SYSTEM: &str = "kube-system";

fn judge(seen: &Seen) -> Found {
    let mut found = Found::default();
    found.misses(&seen.load_balancers);
    found.misses(&seen.ingress_classes);
    found.misses(&seen.daemon_sets);
    found.misses(&seen.deployments);
    let mut rows = BTreeSet::new();
    for (workload, row) in controllers(seen) {
        rows.insert(row.title);
        let through = row.title.to_owned();
        found.ties.push(Tie::new(row.to, through, workload.describe(), row.portable));
    }
    for workload in seen.workloads().filter(|workload| is_unknown_cloud(workload)) {
        let through = "a cloud controller manager that keyless does not know";
        found.ties.push(Tie::unknown(through, workload.describe()));
        found.resolves(format!("{}: which cloud it is of", workload.describe()));
    }
    for service in &seen.load_balancers.items {
        let (tie, row) = tie(seen, service);
        rows.extend(row.map(|row| row.title));
        if row.is_none() {
            found.resolves(format!("{}: what serves it", service.describe()));
        }
        found.ties.push(tie);
    }
    for class in &seen.ingress_classes.items {
        let evidence = format!("IngressClass {}", class.name);
        let shown = class.controller.escape_debug();
        match INGRESS.iter().find(|row| row.controller == class.controller) {
            Some(row) => {
                let through = format!("{}, controller {shown}", row.title);
                found.ties.push(Tie::new(row.to, through, &*evidence, row.portable));
                if row.portable != Portable::Yes {
                    found.resolves(format!(
                        "{evidence}: an ingress controller of the new substrate, and its annotations"
                    ));
                }
            }
            None => {
                found.ties.push(Tie::unknown(
                    format!("controller {shown}, which keyless does not know"),
                    &*evidence,
                ));
                found.resolves(format!("{evidence}: whether its controller runs elsewhere"));
            }
        }
    }
    for row in CONTROLLERS.iter().filter(|row| rows.contains(row.title)) {
        found.resolves(format!("{}: {}", row.title, row.replacement));
    }
    if found.ties.is_empty() && found.unseen.is_empty() {
        let through = "no Service of the type LoadBalancer, no controller of load balancers, no IngressClass";
        found.ties.push(Tie::new(NONE, through, "the cluster", Portable::Yes));
    }
    found
}

/// The workloads that are controllers of load balancers.
fn controllers(seen: &Seen) -> impl Iterator<Item = (&Workload, &'static Row)> {
    // A DaemonSet for each Service is evidence of that Service.
    let workloads = seen.workloads().filter(|workload| !is_of_a_service(workload));
    workloads.filter_map(|workload| Some((workload, row_of(workload)?)))
}

fn row_of(workload: &Workload) -> Option<&'static Row> {
    let runs = |repository: &&str| workload.images.iter().any(|image| images::is_of(image, repository));
    CONTROLLERS.iter().find(|row| row.images.iter().any(&runs))
}

/// What is called a cloud controller manager, and is on no table.
fn is_unknown_cloud(workload: &Workload) -> bool {
    let is_called = |image: &String| {
        let name = images::name_of(image);
        name.contains("cloud-controller-manager") || name.contains("cloud-provider")
    };
    row_of(workload).is_none() && workload.images.iter().any(is_called)
}

fn tie(seen: &Seen, service: &LoadBalancer) -> (Tie, Option<&'static Row>) {
    let evidence = service.describe();
    let class = service.class.as_ref().map(|class| format!("loadBalancerClass {}", class.escape_debug()));
    let with_class = |tie: Tie| match (&class, &service.class) {
        (Some(words), Some(class)) => tie.detail(words.clone()).fact("loadBalancerClass", class),
        _ => tie,
    };
    if service.addresses.is_empty() {
        let tie = Tie::unknown("no controller has given it an address", evidence);
        return (with_class(tie), None);
    }
    let by_class =
        service.class.as_deref().map(|class| CONTROLLERS.iter().find(|row| row.classes.contains(&class)));
    if let Some(None) = by_class {
        return (
            with_class(Tie::unknown("a load balancer class that keyless does not know", evidence)),
            None,
        );
    }
    let mut rows: Vec<(&Row, String)> = marks(seen, service);
    rows.extend(by_class.flatten().map(|row| (row, "its loadBalancerClass".to_owned())));
    let titles: BTreeSet<_> = rows.iter().map(|(row, _)| row.title).collect();
    match (titles.len(), rows.first()) {
        (1, Some((row, mark))) => {
            let tie = Tie::new(row.to, row.title, evidence, row.portable).detail(format!("by {mark}"));
            (with_class(tie), Some(*row))
        }
        (0, _) => by_controller(seen, service, evidence),
        _ => {
            let titles: Vec<_> = titles.into_iter().collect();
            let through = format!("several seem to serve it: {}", titles.join(", "));
            (with_class(Tie::unknown(through, evidence)), None)
        }
    }
}

/// A Service on which a cloud's service controller left its finalizer, and nothing else.
fn by_controller(seen: &Seen, service: &LoadBalancer, evidence: String) -> (Tie, Option<&'static Row>) {
    let clouds: Vec<_> = controllers(seen).filter(|(_, row)| row.is_cloud).collect();
    let names: BTreeSet<_> = clouds.iter().map(|(_, row)| row.to).collect();
    let is_only = names.len() == 1 && !seen.workloads().any(is_unknown_cloud);
    // Who may write there administrates the cluster. Elsewhere, a tenant can run the same image.
    let own = clouds.iter().find(|(workload, _)| workload.namespace == SYSTEM).map(|(_, row)| *row);
    let has_finalizer = service.finalizers.iter().any(|it| it == CLEANUP);
    let is_known = seen.daemon_sets.is_whole() && seen.deployments.is_whole() && service.class.is_none();
    match (has_finalizer && is_known && is_only, own) {
        (true, Some(row)) => {
            let detail =
                format!("by the finalizer {CLEANUP}, and the only cloud controller manager that was seen");
            (Tie::new(row.to, row.title, evidence, row.portable).detail(detail), Some(row))
        }
        _ => {
            let tie = Tie::unknown("an address, and no sign of what gave it", evidence);
            let tie = match has_finalizer {
                true => tie.detail(format!("the finalizer {CLEANUP} is of a cloud controller manager")),
                false => tie,
            };
            (tie, None)
        }
    }
}

/// What controllers leave on a Service that they serve.
fn marks(seen: &Seen, service: &LoadBalancer) -> Vec<(&'static Row, String)> {
    let mut found = Vec::new();
    for row in CONTROLLERS {
        let has = |found: &[String], wanted: &[&str]| {
            found.iter().find(|it| wanted.contains(&it.as_str())).map(|it| it.escape_debug().to_string())
        };
        let mark = has(&service.finalizers, row.finalizers)
            .map(|it| format!("the finalizer {it}"))
            .or_else(|| has(&service.annotations, row.annotations).map(|it| format!("the annotation {it}")))
            .or_else(|| has(&service.conditions, row.conditions).map(|it| format!("the condition {it}")))
            .or_else(|| {
                let of_row =
                    |address: &&String| row.hosts.iter().any(|(start, end)| is_host(address, start, end));
                service.addresses.iter().find(of_row).map(|it| format!("the address {}", it.escape_debug()))
            });
        found.extend(mark.map(|mark| (row, mark)));
    }
    let of_this = |workload: &&Workload| {
        let label = |name: &str| workload.labels.get(name).map(String::as_str);
        label(table::SERVICELB_NAME) == Some(&service.name)
            && label(table::SERVICELB_NAMESPACE) == Some(&service.namespace)
            && workload.namespace == SYSTEM
    };
    if let Some(workload) = seen.daemon_sets.items.iter().find(of_this)
        && let Some(row) = CONTROLLERS.iter().find(|row| row.title == table::SERVICELB)
    {
        found.push((row, workload.describe()));
    }
    found
}

fn is_of_a_service(workload: &Workload) -> bool {
    workload.labels.contains_key(table::SERVICELB_NAME)
}

/// Whether a host name ends like this and, before it, has a part that begins like that.
fn is_host(address: &str, part: &str, end: &str) -> bool {
    address.strip_suffix(end).is_some_and(|before| {
        !before.is_empty() && (part.is_empty() || before.split('.').any(|label| label == part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_unique_and_complete() {
        let titles: BTreeSet<_> = CONTROLLERS.iter().map(|row| row.title).collect();
        assert_eq!(titles.len(), CONTROLLERS.len());
        let mut signs = BTreeSet::new();
        for row in CONTROLLERS {
            assert!(!row.replacement.is_empty(), "{}", row.title);
            for sign in [row.classes, row.images, row.finalizers, row.annotations, row.conditions].concat() {
                assert!(signs.insert(sign) && sign != CLEANUP, "{sign} is of two controllers");
            }
        }
        let ingress: BTreeSet<_> = INGRESS.iter().map(|row| row.controller).collect();
        assert_eq!(ingress.len(), INGRESS.len());
    }

    #[test]
    fn host_of_cloud_ends_with_domain() {
        for (host, wanted) in [
            ("a-1.elb.eu-central-1.amazonaws.com", true),
            ("a-1.eu-central-1.elb.amazonaws.com", true),
            ("a-1.elb.eu-central-1.amazonaws.com.evil.example", false),
            ("a-1.elb.evil-amazonaws.com", false),
            ("a-1.xelb.eu-central-1.amazonaws.com", false),
            ("a.s3.eu-central-1.amazonaws.com", false),
            ("203.0.113.1", false),
        ] {
            assert_eq!(is_host(host, "elb", ".amazonaws.com"), wanted, "{host}");
        }
    }
}
