use super::*;

fn page() -> Page {
    Page {
        cluster: ClusterTarget {
            context: Some("prod".into()),
            server: "https://10.0.0.1:6443".into(),
            uid: Some("1f0e".into()),
        },
        again: String::new(),
        account: None,
        documents: Part::Seen(Documents::NotNamed),
        keys: Part::Seen(Keys::NotPublished),
        stores: Part::Seen(Stores { installed: true, all: Vec::new(), more: false }),
        credentials: Part::Seen(Credentials { seen: 0, others: 0, unjudged: 0, unread: Vec::new() }),
    }
}

fn text(page: &Page) -> String {
    page.lines().iter().map(Line::text).collect::<Vec<_>>().join("\n")
}

fn read(failed: usize, open: usize) -> Part<Documents> {
    let (issuer, first) =
        ("https://oidc.example.com".to_owned(), (failed > 0).then(|| "key set: none".to_owned()));
    Part::Seen(Documents::Read { issuer, passed: 3, failed, open, first })
}

fn counted(live: usize, public: usize, alarms: usize, whole: bool) -> Part<Keys> {
    Part::Seen(Keys::Counted { live, public, former: 0, alarms, whole, pending: false })
}

fn store(login: Login) -> Part<Stores> {
    let line =
        StoreLine { kind: "SecretStore".into(), name: "shop/a".into(), provider: None, login, ready: None };
    Part::Seen(Stores { installed: true, all: vec![line], more: false })
}

#[test]
fn nothing_seen_is_no_zero() {
    let (text, json) = (text(&page()), page().to_json());
    assert!(text.contains("unknown: none was seen by reference; Secrets were not looked into"), "{text}");
    assert!(!text.to_lowercase().contains("keyless cluster"), "{text}");
    assert_eq!(
        (&json["credentials"]["atLeast"], &json["credentials"]["provesZero"]),
        (&Value::Null, &json!(false))
    );
}

#[test]
fn unread_part_makes_page_incomplete() {
    assert!(page().is_whole());
    let unknown = || "refused".to_owned();
    let pages = [
        Page { documents: Part::Unknown(unknown()), ..page() },
        Page { documents: read(0, 1), ..page() },
        Page { keys: Part::Unknown(unknown()), ..page() },
        Page { keys: counted(1, 1, 0, false), ..page() },
        Page { stores: Part::Unknown(unknown()), ..page() },
        Page { stores: Part::Seen(Stores { installed: true, all: Vec::new(), more: true }), ..page() },
        Page { credentials: Part::Unknown(unknown()), ..page() },
        Page {
            credentials: Part::Seen(Credentials {
                seen: 2,
                others: 0,
                unjudged: 0,
                unread: vec!["pods: refused".into()],
            }),
            ..page()
        },
        Page { cluster: ClusterTarget { uid: None, ..page().cluster }, ..page() },
    ];
    for page in pages {
        assert!(!page.is_whole(), "{page:?}");
        assert_eq!(page.to_json()["complete"], false);
    }
}

#[test]
fn documents_match_only_when_all_passed() {
    let state = |documents| Page { documents, ..page() }.to_json()["documents"]["state"].clone();
    assert_eq!(state(read(0, 0)), "match");
    assert_eq!(state(read(0, 1)), "unknown");
    assert_eq!(state(read(1, 0)), "differ");
    assert_eq!(state(read(1, 1)), "differ");
    assert_eq!(state(Part::Unknown("refused".into())), "unknown");
}

#[test]
fn next_command_follows_what_was_seen() {
    let unknown = || "refused".to_owned();
    for (page, command) in [
        (page(), "keyless setup --dry-run"),
        (Page { documents: read(2, 0), ..page() }, "keyless verify"),
        (Page { documents: Part::Unknown(unknown()), ..page() }, "keyless verify --public-only"),
        (Page { keys: counted(1, 1, 1, true), ..page() }, "keyless keys"),
        (Page { keys: counted(2, 1, 0, true), ..page() }, "keyless publish --dry-run"),
        (Page { keys: counted(2, 1, 0, false), ..page() }, "keyless keys"),
        (Page { keys: Part::Unknown(unknown()), ..page() }, "keyless keys"),
        (Page { stores: store(Login::Stored), ..page() }, "keyless setup --dry-run"),
        (Page { stores: store(Login::Tokens), ..page() }, "keyless audit"),
        (Page { stores: Part::Unknown(unknown()), ..page() }, "keyless audit --mode refs"),
    ] {
        assert_eq!(next(&page).command, command, "{page:?}");
        let again = " --config a.yaml --context b".to_owned();
        let elsewhere = Page { again: again.clone(), ..page };
        assert_eq!(next(&elsewhere).command, format!("{command}{again}"));
    }
}

#[test]
fn cluster_without_stores_says_so() {
    assert!(text(&page()).contains("none: the cluster has no SecretStore and no ClusterSecretStore"));
    let cut = Page { stores: Part::Seen(Stores { installed: true, all: Vec::new(), more: true }), ..page() };
    assert!(text(&cut).contains("at least 0: "), "what was cut short is no zero");
}

#[test]
fn many_stores_stay_on_one_screen() {
    let Part::Seen(mut stores) = store(Login::Other("it names no login".into())) else { panic!() };
    stores.all = vec![stores.all[0].clone(); 100];
    let page = Page { stores: Part::Seen(stores), ..page() };
    assert!(page.lines().len() < 24);
    assert!(text(&page).contains("and 88 more"));
    assert_eq!(page.to_json()["stores"]["all"].as_array().unwrap().len(), 100);
}
