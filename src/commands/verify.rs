//! `keyless verify`: look at everything as a stranger would.

use serde_json::json;

use super::{Exit, live, new_path, place::Place};
use crate::{
    bucket,
    cli::VerifyArgs,
    config::Settings,
    error::Result,
    http::Http,
    relying_party::{
        Finding, Outcome, Site, fetch, fetch_both, judge_discovery, judge_jwks, judge_live, judge_server,
    },
    report::Report,
};

/// Runs the command. `now` is asked for seconds since 1970.
pub(crate) async fn run(
    args: &VerifyArgs,
    settings: &Settings,
    now: fn() -> u64,
    report: &mut Report<'_>,
) -> Result<Exit> {
    let http = Http::new(&settings.additional_roots)?;
    // The bucket serves only to tell the issuer, if none is given; nothing is asked of it.
    let bucket_url = match (&settings.issuer, &settings.bucket) {
        (None, Some(bucket)) => bucket::connect(bucket, &http).await?.public_url(),
        _ => None,
    };
    let issuer = match &settings.issuer {
        Some(issuer) => issuer.clone(),
        None => Place::settle(settings, bucket_url.as_deref())?.issuer,
    };
    let site = Site { issuer: &issuer, kid_rule: settings.kid_rule };
    let ask_cluster = async { if args.public_only { Ok(None) } else { live::observe(settings).await } };
    let ((discovery, jwks), observed) = futures::join!(fetch_both(&http, &issuer), ask_cluster);

    let (mut findings, document) = judge_discovery(&site, &discovery);
    let mut keys = None;
    match &document {
        Some(document) => {
            // The key set that the document names, which may be another than the one expected.
            let jwks = if document.jwks_uri == jwks.url {
                jwks
            } else {
                fetch(&http, document.jwks_uri.clone()).await
            };
            let (more, found) = judge_jwks(&site, document, &jwks);
            findings.extend(more);
            keys = found;
        }
        None => {
            findings.push(Finding::skipped("jwks-reachable", "key set", "no discovery document names it"))
        }
    }
    match observed {
        Ok(Some(observed)) => {
            for server in &observed.servers {
                findings.extend(judge_server(server, &issuer, &settings.audience, keys.as_ref(), now()));
            }
            findings.extend(judge_live(&observed, keys.as_ref()));
        }
        Ok(None) => {}
        // What strangers see has been established all the same; the error ends the command after it is shown.
        Err(error) => {
            show(report, issuer.as_str(), &findings, false);
            return Err(error);
        }
    }
    // On to the end: a token as External Secrets Operator asks for it, the provider, a secret, the store.
    if !args.public_only && !settings.providers().is_empty() {
        findings.extend(new_path::judge(settings, &http, report).await?);
    }
    show(report, issuer.as_str(), &findings, true);
    Ok(if findings.iter().any(Finding::is_failed) { Exit::Found } else { Exit::Clean })
}

fn show(report: &mut Report<'_>, issuer: &str, findings: &[Finding], complete: bool) {
    for finding in findings {
        report.line(finding.to_text());
    }
    let failed = findings.iter().filter(|finding| finding.is_failed()).count();
    let skipped = findings.iter().filter(|finding| matches!(finding.outcome, Outcome::Skipped(_))).count();
    let passed = findings.len() - failed - skipped;
    if !complete {
        return;
    }
    report.json(
        "verify",
        json!({
            "issuer": issuer,
            "checks": findings.iter().map(Finding::to_json).collect::<Vec<_>>(),
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
        }),
    );
    let skipped = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    report.line(format_args!("{passed} passed, {failed} failed{skipped}"));
}
