//! Secrets in great number, written as text: a page of them is made faster than it is read.

use std::fmt::Write as _;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Values as they lie in a cluster, and how many of ten Secrets have such
const TEXTS: [(usize, fn(usize) -> String); 4] =
    [(1, settings), (1, document), (1, certificate), (7, noise_of)];
/// Decoded, of a Secret's large value
const LENGTH: usize = 2_700;
/// So many different Secrets of each sort there are
const DIFFERENT: usize = 64;

/// The JSON of an item of a list of Secrets; about 4 KB
pub(crate) fn secret(number: usize) -> String {
    let values = values();
    let (sort, value) = &values[number % 10 * DIFFERENT + number / 10 % DIFFERENT];
    let mut text = String::with_capacity(4_500);
    let _ = write!(
        text,
        "{{\"metadata\":{{\"name\":\"s-{number:06}\",\"namespace\":\"team-{}\",\
         \"uid\":\"33333333-2222-4333-8444-{number:012}\",\"resourceVersion\":\"{}\",\
         \"creationTimestamp\":\"2026-01-01T00:00:00Z\",\"labels\":{{\"app.kubernetes.io/name\":\"s-{number:06}\"}},\
         \"managedFields\":[{{\"manager\":\"deployer\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\
         \"time\":\"2026-01-01T00:00:00Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{{\"f:data\":{{\".\":{{}},\"f:{sort}\":{{}}}},\"f:type\":{{}}}}}}]}},\
         \"data\":{{\"{sort}\":\"{value}\",\"name\":\"{}\"}},\"type\":\"Opaque\"}}",
        number / 200,
        2_000_000 + number,
        STANDARD.encode(format!("s-{number:06}")),
    );
    text
}

/// Name and base64 of the large values, ten sorts one after the other
fn values() -> &'static [(&'static str, String)] {
    static VALUES: OnceLock<Vec<(&'static str, String)>> = OnceLock::new();
    VALUES.get_or_init(|| {
        let names = ["settings.properties", "config.json", "ca.crt", "value"];
        let sorts = TEXTS.iter().zip(names).flat_map(|((share, make), name)| vec![(name, *make); *share]);
        sorts
            .enumerate()
            .flat_map(|(sort, (name, make))| {
                (0..DIFFERENT).map(move |at| (name, STANDARD.encode(make(sort * DIFFERENT + at))))
            })
            .collect()
    })
}

fn settings(seed: usize) -> String {
    lines(seed, |number| {
        format!("service.{number}.url=https://service-{number}.shop.svc.cluster.local:8443/api/v1")
    })
}

fn document(seed: usize) -> String {
    let members = lines(seed, |number| {
        format!(
            "  \"upstream-{number}\": {{\"host\": \"db-{number}.shop.svc\", \"port\": 5432, \"tls\": true}},"
        )
    });
    format!("{{\n{members}\n  \"end\": null\n}}\n")
}

/// A certificate, which is public
fn certificate(seed: usize) -> String {
    let body = lines(seed, |number| noise(number, 48));
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn noise_of(seed: usize) -> String {
    noise(seed, LENGTH * 3 / 4)
}

fn lines(seed: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0.. {
        text.push_str(&line(seed * 1_000 + number));
        if text.len() >= LENGTH {
            break;
        }
        text.push('\n');
    }
    text
}

/// Base64 of so many bytes that look like chance (SplitMix64)
fn noise(seed: usize, length: usize) -> String {
    let mut state = seed as u64;
    let bytes = (0..length.div_ceil(8)).flat_map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    });
    STANDARD.encode(bytes.take(length).collect::<Vec<u8>>())
}
