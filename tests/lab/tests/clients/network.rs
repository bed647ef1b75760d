use lab::{Ca, Fault, Internet, Web};

use crate::{curl, run};

#[test]
fn curl_reaches_public_name_through_internet() {
    let (dir, ca) = (tempfile::tempdir().unwrap(), Ca::new());
    let ca_file = ca.write(dir.path());
    let Some(_) = curl(&ca_file) else { return };
    std::fs::create_dir_all(dir.path().join("p/.well-known")).unwrap();
    std::fs::write(dir.path().join("p/.well-known/openid-configuration"), "{}").unwrap();
    let names = ["issuer.example.com", "*.s3.example.com"];
    let (web, internet) = (Web::start(&ca, &names, dir.path()), Internet::start());
    names.iter().for_each(|name| internet.route(name, web.addr()));
    let ask = |url: &str| run(curl(&ca_file).unwrap().args(["--proxy", &internet.url(), url]));

    let url = "https://issuer.example.com/p/.well-known/openid-configuration";
    let output = ask(url);
    assert!(output.out.contains("content-type: application/json\r\n"), "{output}");
    assert!(output.out.contains("cache-control: public, max-age=300\r\n"), "{output}");
    assert!(ask("https://b.s3.example.com/p/.well-known/openid-configuration").ok);
    assert!(ask("https://issuer.example.com/absent").out.contains(" 404"));
    assert!(ask("https://issuer.example.com/p").out.contains(" 403"));
    assert!(ask("https://issuer.example.com/ca.pem").out.contains("application/octet-stream"));

    let output = ask("https://unknown.example.com/");
    assert!(!output.ok && output.err.contains("502"), "{output}");
    assert_eq!(internet.connections("issuer.example.com"), 4);
    assert_eq!(internet.connections("unknown.example.com"), 0);
    internet.faults().next(1, "CONNECT", "issuer", Fault::CloseBeforeAnswer);
    assert!(!ask(url).ok);

    web.change(|settings| {
        settings.redirects.insert("/old".into(), "https://elsewhere.example.com/".into());
        settings.cache_control = None;
    });
    let output = ask("https://issuer.example.com/old");
    assert!(
        output.out.contains(" 301") && output.out.contains("location: https://elsewhere.example.com/"),
        "{output}"
    );
    assert!(!ask(url).out.contains("cache-control"));
}
